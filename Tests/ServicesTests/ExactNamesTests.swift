import Access
import HTTP
import JSON
import QueueModel
import StackModel
import Testing

@testable import Services

/// Names that only Unicode takes for the same: `é` and an `e` with an accent, `K` and the sign for
/// kelvins. To SQS they are two.
@Suite struct ExactNamesTests {
    private let base: HostFixture
    private let access: AuthorizerTests.Fixture
    private let endpoint: SQSEndpoint

    init() throws {
        base = try HostFixture("exact-names")
        access = try AuthorizerTests.Fixture(.enforce)
        try base.queues.create("Keys", QueueSettings())
        endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: base.host,
            authorizer: access.authorizer)
    }

    private func call(
        _ operation: String, on queue: String = "Keys", host: String = "h",
        _ more: JSONObject = [:]
    ) throws -> (status: Int, json: JSONValue) {
        var body = more
        body["QueueUrl"] = .string("http://\(host)/123456789012/\(queue)")
        let request = access.request(
            try access.key("developer"), operation: operation,
            body: JSONValue.object(body).serialized())
        let response = try #require(base.answer(request, by: endpoint))
        return (response.status, (try? JSONValue.parse(response.body)) ?? .null)
    }

    @Test(
        "what a queue's policy denies is denied, however its name is spelled", arguments: [1, 20])
    func queueNames(open: Int) throws {
        let other = "\u{212A}eys"
        let arn = "arn:aws:sqs:us-east-1:123456789012:Keys"
        let policy = """
            {"Statement":{"Effect":"Deny","Principal":"*","Action":["sqs:SendMessage",\
            "sqs:PurgeQueue"],"Resource":"\(arn)"}}
            """
        for index in 1..<open { try base.queues.create("Q\(index)", QueueSettings()) }
        for index in 1..<open { #expect(try call("ListQueueTags", on: "Q\(index)").status == 200) }
        let attributes: JSONObject = ["Attributes": ["Policy": .string(policy)]]
        #expect(try call("SetQueueAttributes", attributes).status == 200)
        #expect(try call("ReceiveMessage").status == 200)
        let calls: [(String, JSONObject)] = [
            ("SendMessage", ["MessageBody": "b"]), ("PurgeQueue", [:]),
        ]
        for (operation, input) in calls {
            #expect(try call(operation, input).status == 403)
            for host in ["h", "other"] {
                let answer = try call(operation, on: other, host: host, input)
                #expect(answer.status == 400, "\(operation)")
                #expect(answer.json["__type"] == "com.amazonaws.sqs#QueueDoesNotExist")
            }
        }
        let move: JSONObject = ["SourceArn": .string(arn.replacing("Keys", with: other))]
        #expect(try call("ListMessageMoveTasks", move).status == 404)
    }

    @Test("a queue's tags")
    func tags() throws {
        let both: JSONObject = ["\u{E9}": "1", "e\u{301}": "2"]
        #expect(try call("TagQueue", ["Tags": .object(both)]).status == 200)
        base.queues.forget("Keys")  // as its journal has them
        #expect(try call("ListQueueTags").json["Tags"] == .object(both))
        #expect(try call("UntagQueue", ["TagKeys": ["e\u{301}"]]).status == 200)
        #expect(try call("ListQueueTags").json["Tags"] == ["\u{E9}": "1"])
        #expect(try call("TagQueue", ["Tags": ["aws:\u{301}x": "1"]]).status == 400)
        let form = try QueryForm(
            query: nil,
            body: Array("Tag.1.Key=%C3%A9&Tag.1.Value=1&Tag.2.Key=e%CC%81&Tag.2.Value=2".utf8))
        let tags = try SQSInput.read(form, .tagQueue).tags
        #expect(tags?.map(\.value) == ["1", "2"])
    }

    @Test("what is set anew is kept if its bytes alone differ: a policy, and a tag's value")
    func settings() throws {
        func policy(_ queue: String) -> JSONObject {
            let arn = "arn:aws:sqs:us-east-1:123456789012:\(queue)"
            let text = """
                {"Statement":{"Effect":"Deny","Principal":"*","Action":"sqs:SendMessage",\
                "Resource":"\(arn)"}}
                """
            return ["Attributes": ["Policy": .string(text)]]
        }
        func create(_ queue: String) throws -> Int {
            var input = policy(queue)
            input["QueueName"] = "Keys"
            return try call("CreateQueue", input).status
        }
        for (queue, sent) in [("\u{212A}eys", 200), ("Keys", 403)] {
            #expect(try call("SetQueueAttributes", policy(queue)).status == 200)
            #expect(try call("SendMessage", ["MessageBody": "b"]).status == sent)
            let told = try call("GetQueueAttributes", ["AttributeNames": ["Policy"]]).json
            #expect(told == .object(policy(queue)))
        }
        #expect(try create("Keys") == 200)
        #expect(try create("\u{212A}eys") == 400)
        for value in ["\u{E9}", "e\u{301}"] {
            let tags: JSONObject = ["Tags": ["k": .string(value)]]
            #expect(try call("TagQueue", tags).status == 200)
            base.queues.forget("Keys")  // as its journal has them
            #expect(try call("ListQueueTags").json == .object(tags))
        }
    }

    @Test(
        "the message attributes that a receive asks for",
        arguments: [
            ("caf\u{E9}", true), ("cafe\u{301}", false), ("caf\u{E9}.*", true),
            ("cafe\u{301}.*", false), ("cafe.*", false), ("caf.*", true),
        ])
    func messageAttributes(wanted: String, isFound: Bool) throws {
        let all = try MessageAttributes(["caf\u{E9}": ["DataType": "String", "StringValue": "v"]])
        let found = all.selected(by: [wanted])
        #expect(found.attributes.count == (isFound ? 1 : 0))
        #expect(found.json.count == found.attributes.count)
    }

    @Test("the label of a permission")
    func labels() throws {
        let statement: JSONObject = [
            "Label": "K", "AWSAccountIds": ["123456789012"], "Actions": ["SendMessage"],
        ]
        #expect(try call("AddPermission", statement).status == 200)
        #expect(try call("RemovePermission", ["Label": "\u{212A}"]).status == 400)
        #expect(try call("RemovePermission", ["Label": "K"]).status == 200)
    }

    @Test("an access key")
    func accessKeys() throws {
        let key = try access.key("developer")
        let other = AccessKey(
            id: key.id.replacing("AK", with: "A\u{212A}"), secret: key.secret,
            sessionToken: key.sessionToken)
        #expect(try #require(base.answer(access.request(key), by: endpoint)).status == 200)
        #expect(try #require(base.answer(access.request(other), by: endpoint)).status == 403)
    }
}
