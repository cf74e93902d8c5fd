import JSON

/// The same rules as a JSON Schema (2020-12), for editors.
extension SchemaRule {
    package var jsonSchema: JSONValue {
        switch self {
        case .text(let pattern, let meaning):
            var object: JSONObject = ["type": "string"]
            if let pattern { object["pattern"] = .string("^(\(pattern))$") }
            if let meaning { object["$comment"] = .string(meaning) }
            return .object(object)
        case .choice(let choices): return ["enum": .array(choices.map { .string($0) })]
        case .integer(let range, let unit):
            var object: JSONObject = [
                "type": "integer", "minimum": .int(range.lowerBound),
                "maximum": .int(range.upperBound),
            ]
            if let unit { object["$comment"] = .string(unit) }
            return .object(object)
        case .number: return ["type": "number"]
        case .boolean: return ["type": "boolean"]
        case .list(let element, let maximum):
            return ["type": "array", "items": element.jsonSchema, "maxItems": .int(maximum)]
        case .oneOrMany(let element):
            return [
                "anyOf": [
                    element.jsonSchema,
                    ["type": "array", "items": element.jsonSchema, "minItems": 1],
                ]
            ]
        case .toggle(let element):
            return ["anyOf": [["type": "boolean"], element.jsonSchema]]
        case .map(let names, _, let element, let maximum):
            var object: JSONObject = [
                "type": "object", "propertyNames": ["pattern": .string("^(\(names))$")],
                "additionalProperties": element.jsonSchema,
            ]
            if let maximum { object["maxProperties"] = .int(maximum) }
            return .object(object)
        case .object(let properties):
            var members = JSONObject()
            for property in properties {
                var schema = property.rule.jsonSchema.objectValue ?? JSONObject()
                schema["description"] = .string(property.description)
                members[property.name] = .object(schema)
            }
            var object: JSONObject = [
                "type": "object", "properties": .object(members), "additionalProperties": false,
            ]
            let required = properties.filter(\.isRequired)
            let alone = required.filter { $0.alternative == nil }.map { JSONValue.string($0.name) }
            if !alone.isEmpty { object["required"] = .array(alone) }
            let pairs = required.compactMap { property -> JSONValue? in
                guard let other = property.alternative else { return nil }
                return [
                    "oneOf": [
                        ["required": [.string(property.name)]], ["required": [.string(other)]],
                    ]
                ]
            }
            if !pairs.isEmpty { object["allOf"] = .array(pairs) }
            return .object(object)
        case .anything: return JSONValue.object([:])
        }
    }
}

extension StackSchema {
    /// The whole of docs/stack.schema.json.
    package static var document: String {
        var object: JSONObject = [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "msorch stack",
        ]
        for member in root.jsonSchema.objectValue?.members ?? [] {
            object[member.key] = member.value
        }
        return JSONValue.object(object).serialized(pretty: true) + "\n"
    }
}
