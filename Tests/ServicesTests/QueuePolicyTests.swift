import Access
import Crypto
import HTTP
import JSON
import QueueModel
import StackModel
import Synchronization
import Testing

@testable import Services

/// Queues' own policies that are none: refused where they are set, and where they stand all the
/// same, such as in an older version's journal, nobody but the developer gets in.
@Suite struct QueuePolicyTests {
    private static let url = "http://h/123456789012/Open"
    private static let own = #""Principal":"*","Resource":"*""#

    private let base: HostFixture
    private let access: AuthorizerTests.Fixture
    private let endpoint: SQSEndpoint

    init() throws {
        base = try HostFixture("queue-policies")
        access = try AuthorizerTests.Fixture(.enforce)
        try base.queues.create("Open", QueueSettings())
        endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: base.host,
            authorizer: access.authorizer)
    }

    private func call(
        _ owner: String?, _ operation: String, _ more: JSONObject = [:]
    ) throws -> HTTPResponse {
        var body = more
        if operation != "CreateQueue" { body["QueueUrl"] = .string(Self.url) }
        let request = access.request(
            try owner.map(access.key), operation: operation,
            body: JSONValue.object(body).serialized())
        return try #require(base.answer(request, by: endpoint))
    }

    @Test(
        "a policy that is none is refused, and one that speaks of nobody or nothing",
        arguments: [
            "{", "[]", "1", "{}", #"{"Statement":[]}"#, #"{"Statement":1}"#,
            #"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#,
            #"{"Statement":{"Effect":"Deny","Action":"*","Principal":"*"}}"#,
            #"{"Statement":{"Effect":"Deny","Action":"*","Principal":{},"Resource":"*"}}"#,
            #"{"Statement":{"Effect":"Deny","Action":"*","Principal":{"AWS":"x"},"Resource":"*"}}"#,
            #"{"Statement":{"Effect":"Denied","Action":"*",\#(own)}}"#,
            #"{"Statement":{"Effect":"Deny",\#(own)}}"#,
            #"{"Statement":[{"Effect":"Allow","Action":"*",\#(own)},{}]}"#,
            #"{"Statement":{"Effect":"Deny","Action":"*",\#(own),"Condition":{"Sure":{"k":1}}}}"#,
            #"{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*",\#(own)}}"#,
            #"{"Version":"2012-10-18","Statement":{"Effect":"Deny","Action":"*",\#(own)}}"#,
        ])
    func refused(policy: String) throws {
        let attributes: JSONObject = ["Attributes": ["Policy": .string(policy)]]
        for operation in ["SetQueueAttributes", "CreateQueue"] {
            var input = attributes
            if operation == "CreateQueue" { input["QueueName"] = "New" }
            let answer = try call("developer", operation, input)
            #expect(answer.status == 400, "\(operation)")
            #expect(answer.headers["x-amzn-query-error"] == "InvalidAttributeValue;Sender")
        }
        #expect(try base.queues.names() == ["Open"])
        #expect(try call("Probe", "SendMessage", ["MessageBody": "b"]).status == 200)
    }

    @Test(
        "one that stands there denies everybody but the developer, who can replace it",
        arguments: ["{", #"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#])
    func unreadable(policy: String) throws {
        let send: JSONObject = ["MessageBody": "b"]
        #expect(try call("Probe", "SendMessage", send).status == 200)
        var settings = QueueSettings()
        settings.keptAttributes["Policy"] = policy
        try base.queues.queue("Open").set(settings)
        for _ in 0..<2 {
            let denied = try call("Probe", "SendMessage", send)
            #expect(denied.status == 403)
            #expect(
                String(decoding: denied.body, as: UTF8.self).contains("explicit deny in a resource")
            )
            #expect(try call(nil, "SendMessage", send).status == 403)
            #expect(try call("developer", "SendMessage", send).status == 200)
            base.queues.forget("Open")  // as another process, or the next one, sees it
        }
        let decided = access.log.judgements.withLock { $0.last?.decision?.statement }
        #expect(decided?.sid == "Unreadable")
        // What it denied is not lost on the way either.
        let more: JSONObject = [
            "Label": "one", "AWSAccountIds": ["123456789012"], "Actions": ["SendMessage"],
        ]
        #expect(try call("developer", "AddPermission", more).status == 400)
        #expect(try call("developer", "RemovePermission", ["Label": "one"]).status == 400)
        let nothing: JSONObject = ["Attributes": ["Policy": ""]]
        #expect(try call("developer", "SetQueueAttributes", nothing).status == 200)
        #expect(try call("Probe", "SendMessage", send).status == 200)
    }

    private func create(_ name: String, denying action: String? = nil, deadLetters: String? = nil)
        throws
    {
        var settings = QueueSettings()
        settings.keptAttributes["Policy"] = action.map {
            #"{"Statement":{"Effect":"Deny","Action":"\#($0)",\#(Self.own)}}"#
        }
        settings.redrivePolicy = deadLetters.map {
            QueueSettings.RedrivePolicy(deadLetterQueue: $0, maxReceiveCount: 3)
        }
        try base.queues.create(name, settings)
    }

    @Test("who moves messages must be allowed to receive and delete them there, and to send them")
    func moves() throws {
        let arn = "arn:aws:sqs:us-east-1:123456789012:"
        try create("Shut", denying: "sqs:SendMessage")
        try create("Kept", denying: "sqs:DeleteMessage")
        try create("Dead")
        try create("Work", deadLetters: "Dead")
        try create("Other", deadLetters: "Kept")
        func start(_ source: String, _ target: String) throws -> Int {
            try call(
                "developer", "StartMessageMoveTask",
                ["SourceArn": .string(arn + source), "DestinationArn": .string(arn + target)]
            ).status
        }
        #expect(try start("Dead", "Shut") == 403)
        #expect(try start("Kept", "Open") == 403)
        #expect(try start("Dead", "Open") == 200)
    }

    @Test("a move task's handle says whose it is, whatever else the call says")
    func cancels() throws {
        let arn = "arn:aws:sqs:us-east-1:123456789012:"
        try create("Closed", denying: "sqs:CancelMessageMoveTask")
        let handle = #"{"taskId":"1","sourceArn":"\#(arn)Closed"}"#
        let answer = try call(
            "developer", "CancelMessageMoveTask",
            [
                "TaskHandle": .string(Base64.encode(Array(handle.utf8))),
                "SourceArn": .string(arn + "Open"),
            ])
        #expect(answer.status == 403)
    }
}
