import JSON

/// Reads a schema into nodes, and finds what is wrong with it.
struct SchemaCompiler {
    private(set) var nodes: [ExactText: SchemaNode] = [:]
    private var references: [(path: [String], target: String)] = []

    typealias Mistake = RequestSchema.Mistake

    /// Members that mean nothing to validation.
    private static let annotations: Set<String> = [
        "$schema", "id", "title", "description", "default", "format",
    ]

    /// - Returns: the schema's pointer.
    @discardableResult
    mutating func compile(
        _ json: JSONValue, at path: [String]
    ) throws(RequestSchema.Mistake) -> String {
        guard let object = json.objectValue else {
            throw Mistake(path: path, message: "a schema is an object")
        }
        guard path.count <= RequestSchema.maximumDepth else {
            throw Mistake(path: path, message: "schemas are nested too deeply")
        }
        var node = SchemaNode()
        for (key, value) in object.members {
            if Self.annotations.contains(key) { continue }
            let path = path + [key]
            if try readReference(key, value, path, &node) { continue }
            if try readText(key, value, path, &node) { continue }
            if try readNumber(key, value, path, &node) { continue }
            if try readArray(key, value, path, &node) { continue }
            if try readObject(key, value, path, &node) { continue }
            if try readLogic(key, value, path, &node) { continue }
            throw Mistake(path: path, message: "'\(key)' is no keyword of JSON Schema draft 4")
        }
        try combine(object, &node, path)
        let pointer = Self.pointer(path)
        nodes[ExactText(pointer)] = node
        return pointer
    }

    /// Every `$ref` leads to a schema here, and none leads round in a circle without a step into
    /// the value.
    func checkReferences() throws(RequestSchema.Mistake) {
        for (path, target) in references where nodes[ExactText(target)] == nil {
            throw Mistake(path: path, message: "there is no schema at '#\(target)'")
        }
        for (path, target) in references {
            var seen: Set<ExactText> = []
            var next: ExactText? = ExactText(target)
            while let pointer = next {
                guard seen.insert(pointer).inserted else {
                    throw Mistake(path: path, message: "'#\(target)' refers to itself")
                }
                next = (nodes[pointer]?.reference).map { ExactText($0) }
            }
        }
    }

    private mutating func readReference(
        _ key: String, _ value: JSONValue, _ path: [String], _ node: inout SchemaNode
    ) throws(RequestSchema.Mistake) -> Bool {
        switch key {
        case "$ref":
            guard let text = value.stringValue, text == "#" || text.beginsExactly(with: "#/")
            else {
                throw Mistake(path: path, message: "a reference is '#' or '#/definitions/NAME'")
            }
            let target = String(text.dropFirst())
            node.reference = target
            references.append((path, target))
        case "definitions":
            for (name, schema) in try object(value, path).members {
                try compile(schema, at: path + [name])
            }
        default: return false
        }
        return true
    }

    private func readText(
        _ key: String, _ value: JSONValue, _ path: [String], _ node: inout SchemaNode
    ) throws(RequestSchema.Mistake) -> Bool {
        switch key {
        case "type":
            var kinds: Set<SchemaNode.Kind> = []
            for name in try names(value.arrayValue == nil ? .array([value]) : value, path) {
                guard let kind = SchemaNode.Kind(rawValue: name) else {
                    let all = SchemaNode.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Mistake(path: path, message: "'\(name)' is no type; allowed: \(all)")
                }
                kinds.insert(kind)
            }
            node.kinds = kinds
        case "enum":
            guard let choices = value.arrayValue, !choices.isEmpty else {
                throw Mistake(path: path, message: "an enum is a list of values")
            }
            node.choices = Set(choices.map(SchemaJudge.canonical))
        case "pattern": node.pattern = try pattern(value, path)
        case "minLength", "maxLength": _ = try count(value, path)
        default: return false
        }
        return true
    }

    private func readNumber(
        _ key: String, _ value: JSONValue, _ path: [String], _ node: inout SchemaNode
    ) throws(RequestSchema.Mistake) -> Bool {
        switch key {
        case "minimum": node.minimum = .init(value: try number(value, path), isExclusive: false)
        case "maximum": node.maximum = .init(value: try number(value, path), isExclusive: false)
        case "exclusiveMinimum", "exclusiveMaximum": _ = try boolean(value, path)
        case "multipleOf":
            let factor = try number(value, path)
            guard factor.isPositive else {
                throw Mistake(path: path, message: "it must be above 0")
            }
            let limit = DecimalNumber.limitFactorDigits
            guard factor.digitCount <= limit else {
                throw Mistake(path: path, message: "it has more than \(limit) digits")
            }
            node.multipleOf = factor
        default: return false
        }
        return true
    }

    private mutating func readArray(
        _ key: String, _ value: JSONValue, _ path: [String], _ node: inout SchemaNode
    ) throws(RequestSchema.Mistake) -> Bool {
        switch key {
        case "items":
            if let elements = value.arrayValue {
                node.items = .each(try list(elements, path))
            } else {
                node.items = .all(try compile(value, at: path))
            }
        case "additionalItems": node.additionalItems = try rest(value, path)
        case "uniqueItems": node.areItemsUnique = try boolean(value, path)
        case "minItems", "maxItems": _ = try count(value, path)
        default: return false
        }
        return true
    }

    private mutating func readObject(
        _ key: String, _ value: JSONValue, _ path: [String], _ node: inout SchemaNode
    ) throws(RequestSchema.Mistake) -> Bool {
        switch key {
        case "required": node.required = try names(value, path)
        case "properties":
            for (name, schema) in try object(value, path).members {
                node.properties[ExactText(name)] = try compile(schema, at: path + [name])
            }
        case "patternProperties":
            for (name, schema) in try object(value, path).members {
                let pattern = try pattern(.string(name), path)
                node.patternProperties.append((pattern, try compile(schema, at: path + [name])))
            }
        case "additionalProperties": node.additionalProperties = try rest(value, path)
        case "minProperties", "maxProperties": _ = try count(value, path)
        case "dependencies":
            for (name, dependency) in try object(value, path).members {
                if dependency.arrayValue != nil {
                    node.dependencies.append((name, .properties(try names(dependency, path))))
                } else {
                    let schema = try compile(dependency, at: path + [name])
                    node.dependencies.append((name, .schema(schema)))
                }
            }
        default: return false
        }
        return true
    }

    private mutating func readLogic(
        _ key: String, _ value: JSONValue, _ path: [String], _ node: inout SchemaNode
    ) throws(RequestSchema.Mistake) -> Bool {
        if key == "not" {
            node.not = try compile(value, at: path)
            return true
        }
        guard ["allOf", "anyOf", "oneOf"].contains(key) else { return false }
        guard let elements = value.arrayValue, !elements.isEmpty else {
            throw Mistake(path: path, message: "\(key) is a list of schemas")
        }
        let schemas = try list(elements, path)
        switch key {
        case "allOf": node.all = schemas
        case "anyOf": node.any = schemas
        default: node.one = schemas
        }
        return true
    }

    /// Keywords that are read together.
    private func combine(
        _ object: JSONObject, _ node: inout SchemaNode, _ path: [String]
    ) throws(RequestSchema.Mistake) {
        if object["exclusiveMinimum"]?.boolValue == true { node.minimum?.isExclusive = true }
        if object["exclusiveMaximum"]?.boolValue == true { node.maximum?.isExclusive = true }
        func range(_ name: String) throws(RequestSchema.Mistake) -> ClosedRange<Int>? {
            let least = object["min\(name)"]?.intValue
            let most = object["max\(name)"]?.intValue
            guard least != nil || most != nil else { return nil }
            let lower = Int(least ?? 0)
            let upper = most.map { Int($0) } ?? Int.max
            guard lower <= upper else {
                throw Mistake(path: path, message: "min\(name) is above max\(name)")
            }
            return lower...upper
        }
        node.length = try range("Length")
        node.itemCount = try range("Items")
        node.propertyCount = try range("Properties")
    }
}
