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
            (#"{"body":{"\u00e9":["x"]}}"#, #"{"e\u0301":"x"}"#, false),
            (#"{"body":{"a":[{"equals-ignore-case":"\u00c9"}]}}"#, #"{"a":"e\u0301"}"#, false),
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
            (
                #"{"$or":[{"body":{"a":[1]}},{"messageAttributes":{"kind":["x"]}}]}"#,
                #"{"a":1}"#, true
            ),
        ])
    func rows(pattern: String, body: String, passes: Bool) throws {
        let filter = try EventFilter(json: try JSONValue.parse(pattern))
        #expect(filter.matches(Self.record(body)) == passes)
    }

    /// After aws/event-ruler's README, *JSON Array Matching* and *Exists matching*.
    @Test(
        "lists, of objects and of lists, and fields that are not there",
        arguments: [
            (#"{"l":{"a":["Anna"]}}"#, #"{"l":[{"a":"John"},{"a":"Anna"}]}"#, true),
            (#"{"l":{"a":["Eve"]}}"#, #"{"l":[{"a":"John"},{"a":"Anna"}]}"#, false),
            (#"{"l":{"a":["Anna"]}}"#, #"{"l":[[{"a":"John"}],[{"a":"Anna"}]]}"#, true),
            (#"{"l":{"a":[1],"b":[2]}}"#, #"{"l":[{"a":1,"b":3},{"a":1,"b":2}]}"#, true),
            // What is wanted must be in one element.
            (#"{"l":{"a":[1],"b":[2]}}"#, #"{"l":[{"a":1,"b":3},{"a":3,"b":2}]}"#, false),
            (#"{"l":{"a":[1],"b":[2]}}"#, #"{"l":[[{"a":1},{"b":2}]]}"#, false),
            (#"{"l":{"m":{"a":[1]},"b":[2]}}"#, #"{"l":[{"m":[{},{"a":1}],"b":2}]}"#, true),
            (#"{"l":{"a":["x"]}}"#, #"{"l":[{"a":["y",["x"]]}]}"#, true),
            (#"{"l":{"a":[1]}}"#, #"{"l":[]}"#, false),
            (#"{"a":["x"]}"#, #"{"a":["y",[["x"]]]}"#, true),
            (#"{"a":[{"anything-but":["x"]}]}"#, #"{"a":["x",["y"]]}"#, true),
            (#"{"a":[{"anything-but":["x"]}]}"#, #"{"a":{"b":"y"}}"#, false),
            (#"{"a":[{"anything-but":["x"]}]}"#, #"{"a":[]}"#, false),
            // A body that is a list itself.
            (#"{"a":[2]}"#, #"[{"a":1},{"a":2}]"#, true),
            (#"{"a":[1],"b":[2]}"#, #"[{"a":1},{"b":2}]"#, false),
            // Only a value is there or not, not what holds some.
            (#"{"a":[{"exists":true}]}"#, #"{"a":{"b":1}}"#, false),
            (#"{"a":[{"exists":false}]}"#, #"{"a":{"b":1}}"#, true),
            (#"{"a":[{"exists":true}]}"#, #"{"a":[{"b":1}]}"#, false),
            (#"{"a":[{"exists":true}]}"#, #"{"a":[{"b":1},2]}"#, true),
            (#"{"a":[{"exists":false}]}"#, #"{"a":[[]]}"#, true),
            (#"{"a":[{"exists":true}]}"#, #"{"a":null}"#, true),
            (#"{"a":["x",{"exists":false}]}"#, #"{"b":1}"#, true),
            (#"{"a":["x",{"exists":false}]}"#, #"{"a":"y"}"#, false),
            // Where nothing else is wanted no element may have it, else the one that has the rest.
            (#"{"l":{"a":[{"exists":false}]}}"#, #"{"l":[{"a":1},{"b":2}]}"#, false),
            (#"{"l":{"a":[{"exists":false}]}}"#, #"{"l":[{"b":1},3]}"#, true),
            (#"{"l":{"a":[{"exists":false}]}}"#, #"{"l":[]}"#, true),
            (#"{"l":{"b":[2],"c":[{"exists":false}]}}"#, #"{"l":[{"c":1},{"b":2}]}"#, true),
            (#"{"l":{"b":[2],"c":[{"exists":false}]}}"#, #"{"l":[{"b":2,"c":1}]}"#, false),
            (#"{"l":{"b":[2],"c":[{"exists":false}]}}"#, #"{"l":[]}"#, false),
            (
                #"{"l":{"$or":[{"a":[{"exists":false}]},{"b":["x"]}]}}"#,
                #"{"l":[{"b":"x"},{"a":1}]}"#, true
            ),
        ])
    func lists(pattern: String, body: String, passes: Bool) throws {
        let filter = try EventFilter(json: ["body": try JSONValue.parse(pattern)])
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
