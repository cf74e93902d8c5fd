import Access
import HTTP
import JSON
import QueueModel
import StackModel
import TestSupport
import Testing

@testable import Services

/// Who sent a message, and how fast a FIFO queue takes calls that its quota counts.
@Suite struct SenderTests {
    private static let url = "http://h/123456789012"

    private func text(_ response: HTTPResponse) -> String {
        String(decoding: response.body, as: UTF8.self)
    }

    @Test("SenderId is the sender's unique id, also for whoever opens the queue later")
    func sender() throws {
        let base = try HostFixture("sender")
        let access = try AuthorizerTests.Fixture(.enforce)
        try base.queues.create("Open", QueueSettings())
        let endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: base.host,
            authorizer: access.authorizer)
        func call(_ owner: String, _ operation: String, _ more: String) throws -> JSONValue {
            let request = access.request(
                try access.key(owner), operation: operation,
                body: "{\"QueueUrl\":\"\(Self.url)/Open\",\(more)}")
            let answer = try #require(base.answer(request, by: endpoint))
            try #require(answer.status == 200, "\(text(answer))")
            return try JSONValue.parse(answer.body)
        }
        _ = try call("Probe", "SendMessage", #""MessageBody":"Probe""#)
        let entries =
            #""Entries":[{"Id":"a","MessageBody":"Probe"},{"Id":"b","MessageBody":"Probe"}]"#
        _ = try call("Probe", "SendMessageBatch", entries)
        _ = try call("developer", "SendMessage", #""MessageBody":"developer""#)
        base.queues.forget("Open")
        let received = try call(
            "developer", "ReceiveMessage",
            #""MaxNumberOfMessages":10,"MessageSystemAttributeNames":["SenderId","Unknown"]"#)
        let messages = received["Messages"]?.arrayValue ?? []
        #expect(messages.count == 4)
        let role = Principal.uniqueID(ofARN: AuthorizerTests.role)
        #expect(role.wholeMatch(of: /AROA[A-Z2-7]{17}:Probe/) != nil)
        for message in messages {
            let isProbe = message["Body"] == "Probe"
            #expect(
                message["Attributes"]
                    == ["SenderId": .string(isProbe ? role : Principal.developerID)])
        }
    }

    @Test("the call's own trace header is the message's, unless that has one of its own")
    func traceHeader() throws {
        let base = try HostFixture("trace")
        try base.queues.create("Q", QueueSettings())
        let endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: base.host)
        func call(_ operation: String, _ more: String) throws -> JSONValue {
            let request = HTTPRequest(
                method: "POST", target: "/",
                headers: [
                    "Host": "h", "X-Amz-Target": "AmazonSQS.\(operation)",
                    "X-Amzn-Trace-Id": "Root=1-a",
                ], body: Array("{\"QueueUrl\":\"\(Self.url)/Q\",\(more)}".utf8))
            return try JSONValue.parse(try #require(base.answer(request, by: endpoint)).body)
        }
        let own =
            #""MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","#
            + #""StringValue":"Root=1-b"}}"#
        let sent = try call("SendMessage", #""MessageBody":"a""#)
        #expect(sent["MD5OfMessageSystemAttributes"] == nil)
        _ = try call(
            "SendMessageBatch", #""Entries":[{"Id":"b","MessageBody":"b",\#(own)}]"#)
        let received = try call(
            "ReceiveMessage",
            #""MaxNumberOfMessages":10,"MessageSystemAttributeNames":["AWSTraceHeader"]"#)
        let headers = received["Messages"]?.arrayValue?.map { $0["Attributes"] }
        #expect(
            headers == [["AWSTraceHeader": "Root=1-a"], ["AWSTraceHeader": "Root=1-b"]])
    }

    @Test("300 calls of a kind a second, and no more, where the quota is asked for")
    func quota() throws {
        let clock = SteppedClock()
        let quota = FIFOQuota(queues: ["Q.fifo"], clock: clock.clock)
        func taken(_ operations: [SQSOperation], _ queue: String = "Q.fifo") -> Int {
            var count = 0
            while count < 1000,
                (try? quota.take(operations[count % operations.count], of: queue)) != nil
            {
                count += 1
            }
            return count
        }
        #expect(taken([.sendMessage, .sendMessageBatch]) == 300)
        #expect(throws: SQSError.requestThrottled) { try quota.take(.sendMessage, of: "Q.fifo") }
        #expect(taken([.receiveMessage]) == 300)
        #expect(taken([.deleteMessage, .deleteMessageBatch]) == 300)
        #expect(taken([.changeMessageVisibility, .changeMessageVisibilityBatch]) == 300)
        #expect(taken([.sendMessage], "Other.fifo") == 1000)
        clock.step(.milliseconds(100))
        #expect(taken([.sendMessage]) == 0)
        clock.step(.milliseconds(900))
        #expect(taken([.sendMessage]) == 300)
    }

    @Test("no second has more than 300 calls, wherever it begins")
    func slidingQuota() throws {
        let clock = SteppedClock()
        let quota = FIFOQuota(queues: ["Q.fifo"], clock: clock.clock)
        var taken: [Int] = []
        for _ in 0..<300 {
            clock.step(.milliseconds(10))
            taken.append(
                (0..<4).count { _ in (try? quota.take(.sendMessage, of: "Q.fifo")) != nil })
        }
        for start in 0...200 { #expect(taken[start..<start + 100].reduce(0, +) == 300) }
        clock.step(.seconds(-60))
        #expect(throws: Never.self) { try quota.take(.sendMessage, of: "Q.fifo") }
    }

    @Test("a client that is refused is told so over the wire, and taken again later")
    func quotaOnTheWire() throws {
        let base = try HostFixture("quota")
        var settings = QueueSettings()
        settings.isFIFO = true
        try base.queues.create("Q.fifo", settings)
        let endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: base.host,
            quotaQueues: ["Q.fifo"])
        func call(_ operation: String, _ more: String = "") throws -> HTTPResponse {
            let request = HTTPRequest(
                method: "POST", target: "/",
                headers: ["Host": "h", "X-Amz-Target": "AmazonSQS.\(operation)"],
                body: Array("{\"QueueUrl\":\"\(Self.url)/Q.fifo\"\(more)}".utf8))
            return try #require(base.answer(request, by: endpoint))
        }
        func receive() throws -> HTTPResponse { try call("ReceiveMessage") }
        for _ in 0..<FIFOQuota.callsPerSecond { #expect(try receive().status == 200) }
        let refused = try receive()
        #expect(refused.status == 403 && text(refused).contains("RequestThrottled"))
        #expect(refused.headers["x-amzn-query-error"] == "RequestThrottled;Sender")
        base.clock.step(.seconds(1))
        #expect(try receive().status == 200)
        let highThroughput =
            #","Attributes":{"DeduplicationScope":"messageGroup","#
            + #""FifoThroughputLimit":"perMessageGroupId"}"#
        #expect(try call("SetQueueAttributes", highThroughput).status == 200)
        for _ in 0...FIFOQuota.callsPerSecond { #expect(try receive().status == 200) }
    }

    @Test(
        "names of attributes",
        arguments: [
            ("attr.1øßä", true), ("a-b_c.D9", true), ("Ž", true),
            (String(repeating: "ä", count: 256), true),
            (String(repeating: "a", count: 257), false), ("", false), ("a b", false),
            ("a..b", false), (".a", false), ("a.", false), ("AWS.x", false), ("aMazon.x", false),
            ("Б", false), ("a/b", false),
        ])
    func attributeName(name: String, isTaken: Bool) throws {
        let attribute: JSONValue = ["DataType": "String", "StringValue": "x"]
        let json: JSONValue = .object(JSONObject([(key: name, value: attribute)]))
        let attributes = try? MessageAttributes(sending: json)
        #expect(attributes?.attributes.map(\.name) == (isTaken ? [name] : nil))
    }

    @Test(
        "numbers as SQS takes them",
        arguments: [
            ("0", true), ("-0.0", true), ("1e126", true), ("-1E-128", true), ("1e127", false),
            ("1e-129", false), ("1e400", false), ("0x10", false), ("nan", false),
            (String(repeating: "1", count: 38), true), (String(repeating: "1", count: 39), false),
        ])
    func number(text: String, isTaken: Bool) throws {
        let json: JSONValue = ["n": ["DataType": "Number.int", "StringValue": .string(text)]]
        #expect(((try? MessageAttributes(sending: json)) != nil) == isTaken)
    }

    @Test(
        "an attribute has one value",
        arguments: [
            ("String", #""StringValue":"a","BinaryValue":"Yg==""#, true),
            ("Binary", #""StringValue":"a","BinaryValue":"Yg==""#, true),
            ("String", #""StringValue":"a","BinaryValue":"""#, false),
            ("Binary", #""BinaryValue":"Yg==","StringValue":null"#, false),
        ])
    func attribute(type: String, values: String, isRefused: Bool) throws {
        let json = try JSONValue.parse("{\"n\":{\"DataType\":\"\(type)\",\(values)}}")
        // As a receive reads it, whatever was once sent.
        let attributes = try MessageAttributes(json)
        #expect(attributes.attributes.count == 1)
        if isRefused {
            #expect(throws: SQSError.self) { try MessageAttributes(sending: json) }
        } else {
            #expect(try MessageAttributes(sending: json).attributes.count == 1)
        }
    }

    @Test(
        "which attributes a receive tells of",
        arguments: [
            ("All", ["n", "n.a"]), (".*", ["n", "n.a"]), ("*", ["n", "n.a"]),
            ("n.*", ["n", "n.a"]), ("n.a", ["n.a"]), ("n*", []), ("", []),
        ])
    func selection(wanted: String, expected: [String]) throws {
        let value = #"{"DataType":"String","StringValue":"x"}"#
        let json = try JSONValue.parse(#"{"n":\#(value),"n.a":\#(value)}"#)
        let selected = try MessageAttributes(json).selected(by: [wanted])
        #expect(selected.attributes.map(\.name) == expected)
    }
}
