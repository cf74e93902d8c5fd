import JSON
import Testing

struct BadText: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    var line: Int
    var column: Int
    var message: String

    init(_ name: String, _ text: String, _ line: Int, _ column: Int, _ message: String) {
        testDescription = name
        self.text = text
        self.line = line
        self.column = column
        self.message = message
    }
}

@Suite struct JSONParserTests {
    @Test(
        "what is written back is what was read",
        arguments: [
            "null", "true", "false", "0", "-0", "10", "-1.5", "1e9", "1E-2",
            "123456789012345678901",
            #""""#, #""a\"b\\c""#, "[]", "{}", "[1,[2,[]],{}]", #"{"a":1,"b":{"c":[true,null]}}"#,
            #""é€😀""#,
        ])
    func roundTrip(text: String) throws {
        #expect(try JSONValue.parse(text).serialized() == text)
    }

    @Test(arguments: [
        (#""\u0041\n\t\/""#, "A\n\t/"),
        (#""\ud83d\ude00""#, "😀"),
        (#""\ud83d""#, "\u{FFFD}"),
        (#""\ud83dx\ude00""#, "\u{FFFD}x\u{FFFD}"),
    ])
    func escapes(text: String, value: String) throws {
        #expect(try JSONValue.parse(text) == .string(value))
    }

    @Test(arguments: [
        BadText("nothing", "", 1, 1, "the text ends where a value is expected"),
        BadText("two values", "1 2", 1, 3, "unexpected text after the end of the JSON value"),
        BadText("leading zero", "[01]", 1, 2, "a number may not start with 0"),
        BadText("bare minus", "-", 1, 2, "expected a digit"),
        BadText("no fraction", "1.", 1, 3, "expected a digit after '.'"),
        BadText("no exponent", "1e+", 1, 4, "expected a digit in the exponent"),
        BadText(
            "trailing comma", "{\"a\":1,\n}", 2, 1, "expected a member's name in double quotes"),
        BadText("no colon", "{\"é\" 1}", 1, 6, "expected ':' after a member's name"),
        BadText("open object", "{\"a\":1", 1, 7, "expected ',' or '}' in an object"),
        BadText("open array", "[1", 1, 3, "expected ',' or ']' in an array"),
        BadText("open string", "[\n \"a", 2, 2, "a string is never closed"),
        BadText("bad escape", #""a\x""#, 1, 3, "not an escape that JSON knows"),
        BadText("short escape", #""\u12""#, 1, 2, "not an escape that JSON knows"),
        BadText("raw newline", "\"a\nb\"", 1, 3, "a control character must be escaped in a string"),
        BadText("bare word", "nul", 1, 1, "expected 'null'"),
        BadText("a comment", "// no", 1, 1, "expected a JSON value"),
    ])
    func refused(text: BadText) {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse(text.text) }
        #expect(error?.message == text.message)
        #expect(error?.position.line == text.line)
        #expect(error?.position.column == text.column)
    }

    @Test(
        "bytes that are not UTF-8",
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC2], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + bytes + [0x22]) }
        #expect(error?.message == "invalid UTF-8")
    }

    @Test("nesting stops at the limit, not at the stack's end")
    func nesting() throws {
        let levels = JSONParser.defaultMaximumDepth
        let open = String(repeating: #"{"a":["#, count: levels / 2)
        let close = String(repeating: "]}", count: levels / 2)
        let value = try JSONValue.parse(open + close)
        // What walks over it gets down and up again, too.
        #expect(value.serialized() == open + close)
        #expect(try JSONValue.parse(value.serialized()) == value)
        let error = #expect(throws: JSONError.self) {
            try JSONValue.parse("[" + open + close + "]")
        }
        #expect(error?.isTooDeep == true && error?.message == "nested deeper than 512 levels")
        #expect(throws: JSONError.self) {
            try JSONValue.parse(String(repeating: "[", count: 1 << 20))
        }
    }

    @Test("places are those an editor shows, and duplicates are kept")
    func located() throws {
        let value = try LocatedJSON.parse(Array("{\n  \"é\": [1,\n    2],\n  \"é\": null\n}".utf8))
        guard case .object(let members) = value.value,
            case .array(let items) = members[0].value.value
        else {
            Issue.record("not the shape that was written")
            return
        }
        #expect(members.map(\.key) == ["é", "é"])
        #expect((members[1].keyPosition.line, members[1].keyPosition.column) == (4, 3))
        #expect((items[1].position.line, items[1].position.column) == (3, 5))
        #expect(value.plain == ["é": nil])
    }

    @Test("an object keeps its order, and forgets what is removed")
    func objects() {
        var object: JSONObject = ["b": 1, "a": 2, "c": 3]
        object["a"] = nil
        object["c"] = 4
        object["d"] = 5
        #expect(object.keys == ["b", "c", "d"])
        #expect(JSONValue.object(object).serialized(sortedKeys: true) == #"{"b":1,"c":4,"d":5}"#)
        #expect(object == ["d": 5, "c": 4, "b": 1])
    }

    @Test("texts are the same if their bytes are", arguments: [0, 100])
    func exactTexts(others: Int) throws {
        let text = #"{"\u00e9":1,"e\u0301":2,"\u212a":3}"#
        var object = try #require(try JSONValue.parse(Array(text.utf8)).objectValue)
        for index in 0..<others { object["k\(index)"] = 0 }
        #expect(object.count == 3 + others)
        #expect(object["\u{E9}"] == 1 && object["e\u{301}"] == 2 && object["K"] == nil)
        object["\u{E9}"] = nil
        #expect(object["e\u{301}"] == 2)
        #expect(JSONValue.string("\u{E9}") != "e\u{301}")
        #expect(try LocatedJSON.parse(Array(text.utf8)).twin == nil)
    }

    @Test("an object of any size finds its members", arguments: [1, 24, 25, 26, 200])
    func members(count: Int) {
        var object = JSONObject((0..<count).map { (key: "k\($0)", value: .int($0)) })
        #expect(object == JSONObject((0..<count).reversed().map { ("k\($0)", .int($0)) }))
        for round in 1...2 {
            for index in 0..<count {
                let key = "k\(index)"
                #expect(object[key] == .int(index * round))
                object[key] = .int(index * (round + 1))
            }
            #expect(object.count == count && object["k\(count)"] == nil)
        }
        for index in stride(from: 0, to: count, by: 3) { object["k\(index)"] = nil }
        for index in 0..<count {
            #expect(object["k\(index)"] == (index % 3 == 0 ? nil : .int(index * 3)))
        }
        object["new"] = true
        #expect(object["new"] == true && object.keys.last == "new")
    }

    @Test func pretty() {
        let value: JSONValue = ["a": [1, []], "b": JSONValue.object([:])]
        #expect(
            value.serialized(pretty: true) == "{\n  \"a\": [\n    1,\n    []\n  ],\n  \"b\": {}\n}")
    }

    @Test("for a header: one line of ASCII that says the same")
    func ascii() throws {
        let value = try JSONValue.parse("{\n \"ñ\": [\"😀\", 1.50, \"a\\n\u{7F}\"]\n}")
        let text = value.serializedASCII()
        #expect(text == #"{"\u00f1":["\ud83d\ude00",1.50,"a\n\u007f"]}"#)
        #expect(try JSONValue.parse(text) == value)
    }
}
