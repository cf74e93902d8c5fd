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
    @Test("a failure inside is told in the command line's words, and logged once a minute")
    func told() throws {
        let base = try HostFixture("told")
        try base.queues.create("Q", QueueSettings())
        let path = "\(base.folder.path)/queues/Q/\(SegmentName.file(1))"
        base.queues.forget("Q")
        try FileSystem.remove(path)
        try FileSystem.makeDirectory(path)
        let endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: base.host)
        func fail() throws {
            let request = HTTPRequest(
                method: "POST", target: "/",
                headers: ["Host": "h", "X-Amz-Target": "AmazonSQS.SendMessage"],
                body: Array(#"{"QueueUrl":"http://h/123456789012/Q","MessageBody":"b"}"#.utf8))
            let answer = try #require(base.answer(request, by: endpoint))
            #expect(answer.status == 500)
            #expect(answer.headers["x-amzn-query-error"] == "InternalFailure;Receiver")
            #expect(try JSONValue.parse(answer.body)["message"] == .string(Self.sentence(path)))
        }
        for _ in 0..<3 { try fail() }
        let line = "SendMessage of Q failed: \(Self.sentence(path))"
        #expect(base.words.withLock { $0 } == [line])
        base.clock.step(FailureLog.interval)
        try fail()
        #expect(base.words.withLock { $0 } == [line, line])
    }

    private static func sentence(_ path: String) -> String {
        "Is a directory: \(path) (open)."
    }

    @Test("what went wrong inside has words, whichever it was")
    func sentences() {
        #expect(
            SQSError(QueueError.journal(.busy(holder: 6545), queue: "Q"))
                == .internalFailure(
                    "The queue has been locked by process 6545 for over 5 seconds."))
        let full = SystemError(call: "posix_fallocate", code: 28)
        #expect(
            SQSError(JournalError.storage(full))
                == .internalFailure("No space left on device (posix_fallocate)."))
        #expect(SQSError(QueueRecordError(message: "raw")) == .unknownFailure)
    }

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
