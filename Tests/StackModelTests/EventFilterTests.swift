import JSON
import StackModel
import Testing

/// Rows after the tables of the Lambda guide, *invocation-eventfiltering* and *with-sqs-filtering*.
@Suite struct EventFilterTests {
    private static func record(_ body: String) -> JSONValue {
        [
            "messageId": "m", "body": .string(body),
            "messageAttributes": ["kind": ["stringValue": "order", "dataType": "String"]],
        ]
    }

    @Test(
        "what passes and what is dropped",
        arguments: [
            (#"{"body":{"a":[1]}}"#, #"{"a":1}"#, true),
            (#"{"body":{"a":[1]}}"#, #"{"a":1.0}"#, true),
            (#"{"body":{"a":[1]}}"#, #"{"a":2}"#, false),
            (#"{"body":{"a":[1,2]}}"#, #"{"a":2}"#, true),
            (#"{"body":{"a":[1],"b":["x"]}}"#, #"{"a":1,"b":"y"}"#, false),
            (#"{"body":{"a":{"b":["x"]}}}"#, #"{"a":{"b":"x"}}"#, true),
            (#"{"body":{"a":["x"]}}"#, #"{"a":["y","x"]}"#, true),
            (#"{"body":{"a":[null]}}"#, #"{"a":null}"#, true),
            (#"{"body":{"a":[{"prefix":"us-"}]}}"#, #"{"a":"us-east-1"}"#, true),
            (#"{"body":{"a":[{"suffix":".png"}]}}"#, #"{"a":"b.jpg"}"#, false),
            (#"{"body":{"a":[{"suffix":"\n"}]}}"#, #"{"a":"b\r\n"}"#, true),
            (#"{"body":{"a":[{"prefix":"e"}]}}"#, #"{"a":"e\u0301"}"#, true),
            (#"{"body":{"a":[{"prefix":"\u00e9"}]}}"#, #"{"a":"e\u0301"}"#, false),
            (#"{"body":{"a":["\u00e9"]}}"#, #"{"a":"e\u0301"}"#, false),
            (#"{"body":{"a":[{"equals-ignore-case":"Ab"}]}}"#, #"{"a":"aB"}"#, true),
            (#"{"body":{"a":[{"anything-but":["x"]}]}}"#, #"{"a":"x"}"#, false),
            (#"{"body":{"a":[{"anything-but":{"prefix":"x"}}]}}"#, #"{"a":"yx"}"#, true),
            (#"{"body":{"a":[{"numeric":[">",10,"<=",20]}]}}"#, #"{"a":20}"#, true),
            (#"{"body":{"a":[{"numeric":[">",10,"<=",20]}]}}"#, #"{"a":10}"#, false),
            (#"{"body":{"a":[{"exists":true}]}}"#, #"{"a":0}"#, true),
            (#"{"body":{"a":[{"exists":false}]}}"#, #"{"b":0}"#, true),
            (#"{"body":{"$or":[{"a":[1]},{"b":[2]}]}}"#, #"{"b":2}"#, true),
            (#"{"body":["plain"]}"#, "plain", true),
            (#"{"body":["plain"]}"#, "other", false),
            // Text where JSON is expected is dropped.
            (#"{"body":{"a":[1]}}"#, "plain", false),
            (#"[{"body":{"a":[1]}},{"body":{"a":[2]}}]"#, #"{"a":2}"#, true),
            (#"{"messageAttributes":{"kind":{"stringValue":["order"]}}}"#, "x", true),
        ])
    func rows(pattern: String, body: String, passes: Bool) throws {
        let filter = try EventFilter(json: try JSONValue.parse(pattern))
        #expect(filter.matches(Self.record(body)) == passes)
    }

    @Test(
        "bad patterns",
        arguments: [
            (#""text""#, "a pattern must be an object"), ("{}", "a pattern must be an object"),
            (#"{"body":{"a":1}}"#, "body.a must be an object"),
            (#"{"body":{"a":[]}}"#, "body.a is empty"),
            (#"{"body":{"a":[{"like":"x"}]}}"#, #"body.a has {"like":"x"}"#),
            (#"{"body":{"a":[{"numeric":["~",1]}]}}"#, #"body.a has {"numeric":["~",1]}"#),
            ("[]", "1 to 5 patterns are allowed"),
        ])
    func bad(pattern: String, place: String) throws {
        let json = try JSONValue.parse(pattern)
        let error = #expect(throws: EventFilterError.self) { try EventFilter(json: json) }
        #expect(error?.message == "Invalid filter pattern definition: \(place)")
    }
}
