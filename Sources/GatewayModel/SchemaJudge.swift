import JSON

/// Holds one value against a schema (JSON Schema draft 4, *validation*).
final class SchemaJudge {
    private let schema: RequestSchema
    /// How many more schemas may be asked. Those that refer to themselves could ask for ever.
    private var stepsLeft: Int

    init(schema: RequestSchema, steps: Int) {
        self.schema = schema
        stepsLeft = steps
    }

    /// - Parameters:
    ///   - pointer: names the schema.
    ///   - depth: schemas entered so far; too many are a no.
    func accepts(_ value: JSONValue, _ pointer: String, depth: Int) -> Bool {
        stepsLeft -= 1
        guard depth < RequestSchema.maximumDepth, stepsLeft >= 0,
            let node = schema.nodes[ExactText(pointer)]
        else { return false }
        let depth = depth + 1
        // Beside a reference nothing counts.
        if let reference = node.reference { return accepts(value, reference, depth: depth) }
        if let kinds = node.kinds, kinds.isDisjoint(with: Self.kinds(of: value)) { return false }
        if let choices = node.choices, !choices.contains(Self.canonical(value)) { return false }
        let isWell =
            switch value {
            case .number(let number): accepts(number, node)
            case .string(let text): accepts(text, node)
            case .array(let elements): accepts(elements, node, depth)
            case .object(let object): accepts(object, node, depth)
            case .null, .bool: true
            }
        return isWell && acceptsByLogic(value, node, depth)
    }

    private func acceptsByLogic(_ value: JSONValue, _ node: SchemaNode, _ depth: Int) -> Bool {
        func holds(_ pointer: String) -> Bool { accepts(value, pointer, depth: depth) }
        guard node.all.allSatisfy(holds) else { return false }
        if let any = node.any, !any.contains(where: holds) { return false }
        if let one = node.one, one.count(where: holds) != 1 { return false }
        return node.not.map(holds) != true
    }

    private func accepts(_ number: JSONNumber, _ node: SchemaNode) -> Bool {
        let value = DecimalNumber(number)
        if let bound = node.minimum {
            guard bound.isExclusive ? value > bound.value : value >= bound.value else {
                return false
            }
        }
        if let bound = node.maximum {
            guard bound.isExclusive ? value < bound.value : value <= bound.value else {
                return false
            }
        }
        return node.multipleOf.map { value.isMultiple(of: $0) } ?? true
    }

    private func accepts(_ text: String, _ node: SchemaNode) -> Bool {
        if let length = node.length, !length.contains(text.unicodeScalars.count) { return false }
        return node.pattern?.occurs(in: text) != false
    }

    private func accepts(_ elements: [JSONValue], _ node: SchemaNode, _ depth: Int) -> Bool {
        if let count = node.itemCount, !count.contains(elements.count) { return false }
        if node.areItemsUnique, Set(elements.map(Self.canonical)).count != elements.count {
            return false
        }
        switch node.items {
        case nil: return true
        case .all(let schema)?:
            return elements.allSatisfy { accepts($0, schema, depth: depth) }
        case .each(let schemas)?:
            return elements.enumerated().allSatisfy { index, element in
                if index < schemas.count { return accepts(element, schemas[index], depth: depth) }
                return accepts(element, node.additionalItems, depth)
            }
        }
    }

    private func accepts(_ object: JSONObject, _ node: SchemaNode, _ depth: Int) -> Bool {
        if let count = node.propertyCount, !count.contains(object.count) { return false }
        guard node.required.allSatisfy({ object[$0] != nil }) else { return false }
        for (name, dependency) in node.dependencies where object[name] != nil {
            let holds =
                switch dependency {
                case .properties(let names): names.allSatisfy { object[$0] != nil }
                case .schema(let schema): accepts(.object(object), schema, depth: depth)
                }
            guard holds else { return false }
        }
        return object.members.allSatisfy { name, value in
            var schemas = node.patternProperties
                .filter { $0.pattern.occurs(in: name) }.map(\.schema)
            if let own = node.properties[ExactText(name)] { schemas.append(own) }
            guard !schemas.isEmpty else { return accepts(value, node.additionalProperties, depth) }
            return schemas.allSatisfy { accepts(value, $0, depth: depth) }
        }
    }

    private func accepts(_ value: JSONValue, _ rest: SchemaNode.Rest, _ depth: Int) -> Bool {
        switch rest {
        case .anything: true
        case .nothing: false
        case .schema(let schema): accepts(value, schema, depth: depth)
        }
    }

    private static func kinds(of value: JSONValue) -> Set<SchemaNode.Kind> {
        switch value {
        case .null: [.null]
        case .bool: [.boolean]
        case .number(let number):
            // Draft 4: a number without a fraction, however it is written.
            DecimalNumber(number).isInteger ? [.number, .integer] : [.number]
        case .string: [.string]
        case .array: [.array]
        case .object: [.object]
        }
    }

    /// The same text for values that JSON Schema takes for equal: numbers by their value, objects
    /// without their order.
    static func canonical(_ value: JSONValue) -> ExactText {
        ExactText(normalized(value).serialized(sortedKeys: true))
    }

    private static func normalized(_ value: JSONValue) -> JSONValue {
        switch value {
        case .number(let number): .number(JSONNumber(text: DecimalNumber(number).text))
        case .array(let elements): .array(elements.map(normalized))
        case .object(let object):
            .object(JSONObject(object.members.map { ($0.key, normalized($0.value)) }))
        default: value
        }
    }
}
