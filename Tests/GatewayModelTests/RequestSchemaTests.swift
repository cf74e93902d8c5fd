import GatewayModel
import JSON
import Testing

@Suite struct RequestSchemaTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String { schema }
        var schema: String
        var good: [String]
        var bad: [String]

        init(_ schema: String, good: [String], bad: [String]) {
            self.schema = schema
            self.good = good
            self.bad = bad
        }
    }

    @Test(arguments: [
        Case("{}", good: ["1", "null", "{}"], bad: []),
        Case(
            #"{"type": "integer"}"#, good: ["1", "-3", "2.0", "1e3"], bad: ["1.5", "\"1\"", "null"]),
        Case(#"{"type": ["string", "null"]}"#, good: ["\"\"", "null"], bad: ["1", "true"]),
        Case(#"{"type": "number"}"#, good: ["1", "1.5"], bad: ["true"]),
        Case(
            #"{"properties": {"id": {"type": "integer"}}, "required": ["id"]}"#,
            good: [#"{"id": 1}"#, #"{"id": 1, "x": 2}"#, "[]", "3"],
            bad: ["{}", #"{"id": "1"}"#, #"{"ID": 1}"#]),
        Case(
            #"{"properties": {"a": {}}, "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": false}"#,
            good: ["{}", #"{"a": 1, "x-b": "c"}"#], bad: [#"{"b": 1}"#, #"{"x-b": 1}"#]),
        Case(
            #"{"additionalProperties": {"type": "boolean"}}"#, good: [#"{"a": true}"#],
            bad: [#"{"a": 1}"#]),
        Case(
            #"{"enum": [1, "a", {"k": [1]}]}"#, good: ["1.0", "\"a\"", #"{"k":[1.0]}"#],
            bad: ["2", "\"b\"", "{}"]),
        Case(
            #"{"minimum": 1, "maximum": 3, "exclusiveMaximum": true}"#,
            good: ["1", "2.9", "\"x\""],
            bad: ["0.9", "3"]),
        Case(#"{"multipleOf": 0.1}"#, good: ["0.3", "7", "-1.1"], bad: ["0.35"]),
        Case(
            #"{"multipleOf": 3}"#,
            good: ["9007199254740993", "0", "-0.0", "3e400", "1.2e1", "900000000000000000000000"],
            bad: ["9007199254740992", "1e400", "1e-400", "0.3", "100000000000000000000000"]),
        Case(
            #"{"multipleOf": 1}"#, good: ["1.0", "1e999999999999999999999", "1E+9"],
            bad: ["1.0000000001", "1e-999999999999999999999"]),
        Case(#"{"multipleOf": 1e-10}"#, good: ["1", "0.0000000003"], bad: ["0.00000000035"]),
        Case(#"{"multipleOf": 250}"#, good: ["500", "1e3", "-2.5E+2"], bad: ["1e2", "25"]),
        Case(
            #"{"multipleOf": 999999999999999999}"#, good: ["999999999999999999000"],
            bad: ["999999999999999999001"]),
        Case(
            #"{"minimum": 9007199254740993}"#, good: ["9007199254740993", "1e400"],
            bad: ["9007199254740992", "9007199254740992.9", "-1e400"]),
        Case(
            #"{"maximum": 9007199254740992}"#, good: ["9007199254740992", "-9007199254740993"],
            bad: ["9007199254740993", "9007199254740992.1"]),
        Case(
            #"{"minimum": -0.5, "exclusiveMinimum": true}"#, good: ["-0.49", "-5e-2", "0"],
            bad: ["-0.5", "-0.50000000000000000001", "-5"]),
        Case(
            #"{"type": "integer"}"#, good: ["9007199254740993.0", "1e400"],
            bad: ["9007199254740993.5", "1e-400", "1.00000000000000000001"]),
        Case(
            #"{"enum": [9007199254740992, 0.1]}"#, good: ["9007199254740992.0", "1e-1"],
            bad: ["9007199254740993", "9007199254740993.0", "0.10000000000000000001"]),
        Case(
            #"{"uniqueItems": true}"#, good: ["[9007199254740992, 9007199254740993.0]"],
            bad: ["[100, 1e2]", "[0, -0.0]"]),
        Case(
            #"{"required": ["\u00e9"]}"#, good: [#"{"\u00e9": 1}"#], bad: [#"{"e\u0301": 1}"#]),
        Case(
            #"{"properties": {"\u00e9": {}, "e\u0301": {"type": "null"}}, "additionalProperties": false}"#,
            good: [#"{"\u00e9": 1, "e\u0301": null}"#], bad: [#"{"e\u0301": 1}"#]),
        Case(
            #"{"properties": {"\u00e9": {}}, "additionalProperties": false}"#,
            good: [#"{"\u00e9": 1}"#], bad: [#"{"e\u0301": 1}"#]),
        Case(
            #"{"dependencies": {"\u00e9": ["a"]}}"#, good: [#"{"e\u0301": 1}"#],
            bad: [#"{"\u00e9": 1}"#]),
        Case(#"{"enum": ["\u212b"]}"#, good: [#""\u212b""#], bad: [#""\u00c5""#, #""A\u030a""#]),
        Case(
            #"{"enum": [{"\u00e9": 1, "e\u0301": 2}]}"#, good: [#"{"e\u0301": 2, "\u00e9": 1}"#],
            bad: [#"{"e\u0301": 1, "\u00e9": 2}"#, #"{"\u00e9": 1}"#]),
        Case(
            #"{"uniqueItems": true}"#, good: [#"["\u212b", "\u00c5"]"#],
            bad: [#"["\u212b", "\u212b"]"#]),
        Case(
            ##"{"definitions": {"/\u0301": {"type": "null"}}, "items": {"$ref": "#/definitions/~1\u0301"}}"##,
            good: ["[null]"], bad: ["[1]"]),
        Case(
            #"{"minLength": 2, "maxLength": 3}"#,
            good: ["\"ab\"", "\"äöü\"", "\"\\ud83d\\ude00x\""],
            bad: ["\"a\"", "\"abcd\""]),
        Case(#"{"pattern": "^[a-z]+$"}"#, good: ["\"abc\"", "1"], bad: ["\"aB\"", "\"\""]),
        Case(#"{"pattern": "b"}"#, good: ["\"abc\""], bad: ["\"ac\""]),
        Case(#"{"format": "email"}"#, good: ["\"no mail\""], bad: []),
        Case(
            #"{"items": {"type": "integer"}, "minItems": 1, "maxItems": 2, "uniqueItems": true}"#,
            good: ["[1]", "[1, 2]"], bad: ["[]", "[1, 2, 3]", "[1, 1.0]", "[\"a\"]"]),
        Case(
            #"{"items": [{"type": "integer"}], "additionalItems": false}"#, good: ["[]", "[1]"],
            bad: ["[1, 2]", "[\"a\"]"]),
        Case(#"{"minProperties": 1, "maxProperties": 1}"#, good: [#"{"a": 1}"#], bad: ["{}"]),
        Case(
            #"{"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}"#,
            good: ["{}", #"{"a": 1, "b": 1}"#, #"{"c": 1, "d": 1}"#],
            bad: [#"{"a": 1}"#, #"{"c": 1}"#]),
        Case(
            #"{"oneOf": [{"minimum": 2}, {"maximum": 4}]}"#, good: ["1", "5"], bad: ["3"]),
        Case(
            #"{"anyOf": [{"type": "null"}, {"type": "string"}]}"#, good: ["null", "\"\""],
            bad: ["1"]),
        Case(
            #"{"allOf": [{"minimum": 2}, {"maximum": 4}], "not": {"enum": [3]}}"#, good: ["2"],
            bad: ["1", "3", "5"]),
        Case(
            ##"{"definitions": {"node": {"type": "object", "properties": {"next": {"$ref": "#/definitions/node"}}, "required": ["id"]}}, "$ref": "#/definitions/node"}"##,
            good: [#"{"id": 1, "next": {"id": 2}}"#], bad: [#"{"id": 1, "next": {}}"#, "1"]),
        Case(
            ##"{"definitions": {"a/b~c": {"type": "null"}}, "items": {"$ref": "#/definitions/a~1b~0c"}}"##,
            good: ["[null]"], bad: ["[1]"]),
        Case(
            ##"{"properties": {"child": {"$ref": "#"}}, "additionalProperties": false}"##,
            good: [#"{"child": {"child": {}}}"#], bad: [#"{"child": {"x": 1}}"#]),
    ])
    func judge(_ sample: Case) throws {
        let schema = try RequestSchema(try JSONValue.parse(sample.schema))
        for text in sample.good { #expect(schema.accepts(body: Array(text.utf8)), "\(text)") }
        for text in sample.bad { #expect(!schema.accepts(body: Array(text.utf8)), "\(text)") }
    }

    @Test("no body is an empty object, and what is not JSON is refused")
    func bodies() throws {
        let schema = try RequestSchema(["required": ["a"]])
        #expect(!schema.accepts(body: []))
        #expect(try RequestSchema([:]).accepts(body: []))
        #expect(!(try RequestSchema([:]).accepts(body: Array("a=1".utf8))))
    }

    @Test(
        "what is wrong with a schema, and where",
        arguments: [
            (#"[]"#, "", "a schema is an object"),
            (#"{"type": "int"}"#, "type", "'int' is no type"),
            (#"{"requird": ["a"]}"#, "requird", "no keyword"),
            (#"{"required": []}"#, "required", "a list of different names"),
            (#"{"properties": {"a": {"minimum": "1"}}}"#, "properties/a/minimum", "a number"),
            (#"{"pattern": "("}"#, "pattern", "no regular expression"),
            (#"{"items": [{}, 1]}"#, "items/1", "a schema is an object"),
            (#"{"minLength": 3, "maxLength": 2}"#, "", "minLength is above maxLength"),
            (#"{"enum": []}"#, "enum", "a list of values"),
            (##"{"$ref": "#/definitions/x"}"##, "$ref", "no schema at '#/definitions/x'"),
            (##"{"$ref": "https://example.com/x"}"##, "$ref", "a reference is"),
            (##"{"$ref": "#"}"##, "$ref", "refers to itself"),
            (
                ##"{"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}}"##,
                "definitions/a/$ref", "refers to itself"
            ),
            (#"{"anyOf": []}"#, "anyOf", "a list of schemas"),
            (#"{"multipleOf": 0}"#, "multipleOf", "above 0"),
            (#"{"multipleOf": -0.1}"#, "multipleOf", "above 0"),
            (#"{"multipleOf": 0.1234567890123456789}"#, "multipleOf", "18 digits"),
        ])
    func mistakes(schema: String, path: String, message: String) throws {
        let json = try JSONValue.parse(schema)
        let mistake = #expect(throws: RequestSchema.Mistake.self) { _ = try RequestSchema(json) }
        #expect(mistake?.path.joined(separator: "/") == path)
        #expect(mistake?.message.contains(message) == true, "\(mistake?.message ?? "")")
    }

    @Test("schemas that ask themselves for ever come to an end", .timeLimit(.minutes(1)))
    func endless() throws {
        let schema = try RequestSchema(
            try JSONValue.parse(
                ##"{"anyOf": [{"not": {"$ref": "#"}}, {"not": {"$ref": "#"}}]}"##))
        _ = schema.accepts(body: Array("{}".utf8))
        let deep = String(repeating: "[", count: 120) + String(repeating: "]", count: 120)
        let nested = try RequestSchema(["items": ["$ref": "#"]])
        #expect(nested.accepts(body: Array(deep.utf8)))
    }
}
