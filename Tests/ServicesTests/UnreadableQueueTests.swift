import HTTP
import JSON
import Journal
import Posix
import QueueModel
import StackModel
import TestSupport
import Testing

@testable import Services

/// A queue whose policy cannot be read: nobody knows what it denies.
@Suite struct UnreadableQueueTests {
    @Test("what its policy denied stays denied: a call fails and is not let through")
    func unreadable() throws {
        let base = try HostFixture("unreadable")
        let access = try AuthorizerTests.Fixture(.enforce)
        let denial =
            #"{"Statement":{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}}"#
        var settings = QueueSettings()
        settings.keptAttributes["Policy"] = denial
        try base.queues.create("Open", settings)
        let segment = "\(base.folder.path)/queues/Open/\(SegmentName.file(1))"
        let bytes = try FileSystem.read(segment)
        var harmed = bytes
        let place = try #require(bytes.firstRange(of: Array("\"op\":\"".utf8)))
        harmed[place.upperBound] ^= 0x20
        // Something durable comes after it.
        try base.queues.queue("Open").settle()
        base.queues.forget("Open")
        try FileSystem.replace(segment, with: harmed)
        let endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: base.host,
            authorizer: access.authorizer)
        let key = try access.key("developer")
        func answer(_ name: String) throws -> HTTPResponse {
            let request = access.request(
                key, operation: "GetQueueUrl", body: #"{"QueueName":"\#(name)"}"#)
            return try #require(base.answer(request, by: endpoint))
        }
        let failed = try answer("Open")
        #expect(failed.status == 500)
        #expect(failed.headers["x-amzn-query-error"] == "InternalFailure;Receiver")
        #expect(try answer("Gone").status == 400)
        try FileSystem.replace(segment, with: bytes)
        base.queues.forget("Open")
        #expect(try answer("Open").status == 403)
    }
}
