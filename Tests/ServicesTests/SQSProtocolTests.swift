import Crypto
import HTTP
import JSON
import QueueModel
import Testing

@testable import Services

/// What either protocol's bytes mean, and how an answer is written in each.
@Suite struct SQSProtocolTests {
    @Test("a batch means the same in both protocols")
    func batch() throws {
        let json = """
            {"QueueUrl":"http://h/123456789012/Q","Entries":[
             {"Id":"a","MessageBody":"x\\u00f1 y&","DelaySeconds":3,"MessageAttributes":
              {"n":{"DataType":"String","StringValue":"v"}}},
             {"Id":"b","MessageBody":"z"}]}
            """
        let entry = "SendMessageBatchRequestEntry"
        let query = [
            "Action=SendMessageBatch", "QueueUrl=http%3A%2F%2Fh%2F123456789012%2FQ",
            "\(entry).2.Id=b", "\(entry).2.MessageBody=z", "\(entry).1.Id=a",
            "\(entry).1.MessageBody=x%C3%B1+y%26", "\(entry).1.DelaySeconds=3",
            "\(entry).1.MessageAttribute.1.Name=n",
            "\(entry).1.MessageAttribute.1.Value.DataType=String",
            "\(entry).1.MessageAttribute.1.Value.StringValue=v",
        ].joined(separator: "&")
        let form = try QueryForm(query: nil, body: Array(query.utf8))
        func check(_ input: borrowing SQSInput) throws {
            let url = input.queueURL
            #expect(url == "http://h/123456789012/Q")
            let entries = try input.batch(.sendMessageBatch)
            #expect(entries.map(\.id) == ["a", "b"])
            let first = entries[0].entry
            #expect(first.body?.decoded == Array("xñ y&".utf8))
            #expect(first.body?.escaped == Array("xñ y&".utf8))
            #expect(first.delaySeconds == 3)
            #expect(try MessageAttributes(first.attributes).attributes.map(\.name) == ["n"])
            #expect(entries[1].entry.delaySeconds == nil)
        }
        try check(try SQSInput.read(json))
        try check(try SQSInput.read(form, .sendMessageBatch))
    }

    @Test(
        "a QueueUrl is what its JSON says, whatever the last one was",
        arguments: [
            ("http://h/1/q", "http://h/1/q"), ("http://h/1/r", "http://h/1/r"),
            ("http://h/1/qq", "http://h/1/qq"), ("http:\\/\\/h\\/1\\/q", "http://h/1/q"), ("", ""),
        ])
    func lastURL(escaped: String, url: String) throws {
        var input = SQSInput()
        try input.read(
            json: Array(#"{"QueueUrl":"\#(escaped)"}"#.utf8), lastURL: "http://h/1/q")
        let read = input.queueURL
        #expect(read == url)
    }

    @Test("a request that names two operations asks for none, whoever would be asked")
    func twoTargets() throws {
        var request = HTTPRequest(
            method: "POST", target: "/", headers: ["X-Amz-Target": "AmazonSQS.ListQueues"],
            body: Array("{}".utf8))
        #expect(try SQSCall(request, requestID: "r").operation == .listQueues)
        request.headers.append("x-amz-target", "AmazonSQS.PurgeQueue")
        let refusal = #expect(throws: SQSCall.Refusal.self) {
            try SQSCall(request, requestID: "r")
        }
        #expect(refusal?.error == .unknownOperation)
    }

    struct QueryCase: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var query: String
        var operation: SQSOperation
        var code: String
    }

    @Test(arguments: [
        QueryCase(
            testDescription: "half an escape", query: "QueueUrl=%2", operation: .deleteQueue,
            code: "MalformedQueryString"),
        QueryCase(
            testDescription: "not UTF-8", query: "MessageBody=%ff", operation: .sendMessage,
            code: "MalformedQueryString"),
        QueryCase(
            testDescription: "a number that is none", query: "DelaySeconds=x",
            operation: .sendMessage, code: "InvalidParameterValue"),
        QueryCase(
            testDescription: "names without end",
            query: String(repeating: "a.", count: 100_000) + "a=1", operation: .sendMessage,
            code: "MalformedQueryString"),
        QueryCase(
            testDescription: "parameters without end",
            query: String(repeating: "a=1&", count: 3000), operation: .sendMessage,
            code: "MalformedQueryString"),
    ])
    func malformedQuery(_ query: QueryCase) throws {
        let error = #expect(throws: SQSError.self) {
            let form = try QueryForm(query: nil, body: Array(query.query.utf8))
            _ = try SQSInput.read(form, query.operation)
        }
        #expect(error?.queryCode == query.code)
    }

    @Test(
        "a value of a wrong kind is refused, a null is none",
        arguments: [
            (#"{"QueueUrl":1}"#, "MalformedInput"), (#"{"DelaySeconds":"1"}"#, "MalformedInput"),
            (#"{"Entries":{}}"#, "MalformedInput"), (#"{"Attributes":[]}"#, "MalformedInput"),
            (#"{"AttributeNames":[1]}"#, "MalformedInput"), ("[]", "MalformedInput"),
            (#"{"QueueUrl":"a"} x"#, "MalformedInput"), ("", "MalformedInput"),
            (
                #"{"Entries":["# + String(repeating: "{},", count: 1000) + "{}]}",
                "MalformedInput"
            ),
        ])
    func malformedJSON(json: String, code: String) throws {
        let error = #expect(throws: SQSError.self) { _ = try SQSInput.read(json) }
        #expect(error?.queryCode == code)
        let nulls = #"{"QueueUrl":null,"Entries":null,"DelaySeconds":null}"#
        let url = try SQSInput.read(nulls).queueURL
        #expect(url == nil)
    }

    struct AddressCase: Sendable, CustomTestStringConvertible {
        var testDescription: String { text }
        var text: String
        var address: QueueAddress?
    }

    @Test(arguments: [
        AddressCase(
            text: "http://localhost:4566/123456789012/Q",
            address: QueueAddress(account: "123456789012", name: "Q")),
        AddressCase(
            text: "https://queue.amazonaws.com/123456789012/Q",
            address: QueueAddress(account: "123456789012", name: "Q")),
        AddressCase(
            text: "https://eu-west-1.queue.amazonaws.com/123456789012/Q",
            address: QueueAddress(account: "123456789012", name: "Q", region: "eu-west-1")),
        AddressCase(
            text: "https://sqs.us-east-1.amazonaws.com/123456789012/Q",
            address: QueueAddress(account: "123456789012", name: "Q", region: "us-east-1")),
        AddressCase(
            text: "/queue/us-east-1/123456789012/Q",
            address: QueueAddress(account: "123456789012", name: "Q", region: "us-east-1")),
        AddressCase(
            text: "/123456789012/Q", address: QueueAddress(account: "123456789012", name: "Q")),
        AddressCase(text: "Q", address: nil), AddressCase(text: "http://host", address: nil),
        AddressCase(text: "", address: nil), AddressCase(text: "http://host/Q", address: nil),
    ])
    func address(_ address: AddressCase) {
        #expect(QueueAddress(address.text) == address.address)
    }

    @Test(
        "escapes that JSON demands are carried on, others are written short",
        arguments: [
            (#"a\n\"\\"#, #"a\n\"\\"#), (#"\u00e9\/"#, "é/"), (#"\ud83e\udda4"#, "🦤"),
            (#"\u000a"#, #"\n"#), ("plain é", "plain é"),
        ])
    func escapes(raw: String, carried: String) {
        let text = Array(raw.utf8).withUnsafeBytes { EscapedText($0) }
        #expect(text.escaped == Array(carried.utf8))
        #expect(text.decoded == JSONText.unescape(Array(carried.utf8)))
        #expect(!text.hasLoneSurrogate)
    }

    @Test("one answer in both protocols")
    func answers() throws {
        let reply = SQSReply.sent(
            SentReply(
                messageID: MessageID("<m&>"), bodyMD5: Digest.md5Bits(Array("b".utf8)),
                sequenceNumber: "1\r"))
        let md5 = "92eb5ffee6ae2fec3ad71c777531578f"
        let json = SQSWire(format: .json, requestID: "r").success(reply, .sendMessage)
        #expect(
            String(decoding: json.body, as: UTF8.self)
                == #"{"MessageId":"<m&>","MD5OfMessageBody":""# + md5
                + #"","SequenceNumber":"1\r"}"#)
        let xml = SQSWire(format: .xml, requestID: "r").success(reply, .sendMessage)
        #expect(
            String(decoding: xml.body, as: UTF8.self) == #"<?xml version="1.0"?>"#
                + #"<SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">"#
                + "<SendMessageResult><MessageId>&lt;m&amp;&gt;</MessageId><MD5OfMessageBody>\(md5)"
                + "</MD5OfMessageBody><SequenceNumber>1&#xD;</SequenceNumber></SendMessageResult>"
                + "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
                + "</SendMessageResponse>")
        let nothing = SQSWire(format: .json, requestID: "r").success(.nothing, .deleteMessage)
        #expect(nothing.body.isEmpty && nothing.requestID == "r")
    }

    @Test("batches have both their lists, and pages of XML repeat their elements")
    func lists() {
        var batch = BatchReply(.deleteMessageBatch)
        batch.entries = [("a", .success(nil)), ("b", .failure(.queueDoesNotExist))]
        func text(_ reply: SQSReply, _ format: SQSWriter.Format) -> String {
            var writer = SQSWriter(format)
            writer.structure { reply.write(to: &$0) }
            return String(decoding: writer.bytes, as: UTF8.self)
        }
        #expect(
            text(.batch(batch), .json)
                == #"{"Successful":[{"Id":"a"}],"Failed":[{"Id":"b","SenderFault":true,"Code":"#
                + #""AWS.SimpleQueueService.NonExistentQueue","Message":"The specified queue does "#
                + #"not exist."}]}"#)
        batch.entries.removeLast()
        #expect(text(.batch(batch), .json) == #"{"Successful":[{"Id":"a"}],"Failed":[]}"#)
        #expect(
            text(.batch(batch), .xml)
                == "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>")
        #expect(
            text(.tags([("k", "v")]), .xml) == "<Tag><Key>k</Key><Value>v</Value></Tag>")
        #expect(text(.tags([("k", "v")]), .json) == #"{"Tags":{"k":"v"}}"#)
        #expect(
            text(.queueURLs(["u", "v"], next: nil), .xml)
                == "<QueueUrl>u</QueueUrl><QueueUrl>v</QueueUrl>")
    }

    @Test("nothing asked is no protocol; unknown and misplaced actions are told")
    func heads() throws {
        func refusal(_ method: String, _ target: String) -> SQSCall.Refusal? {
            do throws(SQSCall.Refusal) {
                _ = try SQSCall(HTTPRequest(method: method, target: target), requestID: "r")
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal("GET", "/") != nil)
        #expect(refusal("GET", "/")?.error == nil)
        #expect(refusal("GET", "/?Action=ListQueues") == nil)
        #expect(refusal("GET", "/123456789012/Q?Action=ReceiveMessage") == nil)
        for action in ["ListQueues", "CreateQueue", "Nonsense"] {
            let error = refusal("GET", "/123456789012/Q?Action=\(action)")?.error
            #expect(error?.queryCode == "InvalidAction")
            #expect(error?.message == "The action \(action) is not valid for this endpoint.")
        }
        #expect(refusal("DELETE", "/?Action=ListQueues")?.error != nil)
    }
}

extension SQSInput {
    static func read(_ json: String) throws -> SQSInput {
        var input = SQSInput()
        try input.read(json: Array(json.utf8))
        return input
    }

    static func read(_ form: QueryForm, _ operation: SQSOperation) throws -> SQSInput {
        var input = SQSInput()
        try input.read(form, operation)
        return input
    }
}
