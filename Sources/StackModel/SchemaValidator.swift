import JSON

/// Walks a stack file along the schema and finds every mistake.
struct SchemaValidator {
    private(set) var diagnostics: [Diagnostic] = []

    mutating func check(_ value: LocatedJSON, _ rule: SchemaRule, _ path: String) {
        switch (rule, value.value) {
        case (.anything, _), (.boolean, .bool), (.number, .number): return
        case (.text(let pattern, let meaning), .string(let text)):
            if let pattern, !Self.matches(text, pattern) {
                report(value, "\(path) is '\(text)'; allowed: \(meaning ?? pattern)")
            }
        case (.choice(let choices), .string(let text)):
            guard !choices.contains(text) else { return }
            let near = closestMatch(to: text, among: choices).map { "; did you mean '\($0)'?" }
            report(
                value,
                "\(path) is '\(text)'; allowed: \(choices.joined(separator: ", "))\(near ?? "")")
        case (.integer(let range, let unit), .number(let number)):
            guard number.int.map(range.contains) != true else { return }
            report(
                value,
                "\(path) is \(number.text); allowed: \(range.lowerBound) to \(range.upperBound)"
                    + (unit.map { " (\($0))" } ?? ""))
        case (.list(let element, let maximum), .array(let elements)):
            if elements.count > maximum {
                report(value, "\(path) has \(elements.count) elements; allowed: \(maximum)")
            }
            for (index, item) in elements.enumerated() { check(item, element, "\(path)[\(index)]") }
        case (.oneOrMany(let element), .array(let elements)):
            if elements.isEmpty { report(value, "\(path) is empty; allowed: \(Self.kind(rule))") }
            for (index, item) in elements.enumerated() { check(item, element, "\(path)[\(index)]") }
        case (.oneOrMany(let element), _): check(value, element, path)
        case (.toggle, .bool): return
        case (.toggle(let element), .object): check(value, element, path)
        case (.map(let names, let meaning, let element, let maximum), .object(let members)):
            checkDuplicates(members, path)
            if let maximum, members.count > maximum {
                report(value, "\(path) has \(members.count) members; allowed: \(maximum)")
            }
            for member in members {
                if !Self.matches(member.key, names) {
                    report(
                        member.keyPosition,
                        "\(Self.join(path, member.key)) cannot be a name here; allowed: \(meaning)")
                }
                check(member.value, element, Self.join(path, member.key))
            }
        case (.object(let properties), .object(let members)):
            checkObject(value, properties, members, path)
        default:
            let where_ = path.isEmpty ? "the file" : path
            report(value, "\(where_) is \(Self.kind(value)); allowed: \(Self.kind(rule))")
        }
    }

    private mutating func checkObject(
        _ value: LocatedJSON, _ properties: [SchemaProperty], _ members: [LocatedMember],
        _ path: String
    ) {
        checkDuplicates(members, path)
        for member in members {
            guard let property = properties.first(where: { $0.name == member.key }) else {
                let near = closestMatch(to: member.key, among: properties.map(\.name))
                report(
                    member.keyPosition,
                    "\(Self.join(path, member.key)) is not a key that msorch knows"
                        + (near.map { "; did you mean '\($0)'?" } ?? ""))
                continue
            }
            check(member.value, property.rule, Self.join(path, member.key))
        }
        for property in properties where property.isRequired {
            let names = [property.name] + (property.alternative.map { [$0] } ?? [])
            switch names.count(where: { name in members.contains { $0.key == name } }) {
            case 0:
                let all = names.joined(separator: " or ")
                report(value, "\(Self.join(path, all)) is missing")
            case 1: break
            default:
                let all = names.joined(separator: " and ")
                report(value, "\(path) has \(all); allowed: one of them")
            }
        }
    }

    private mutating func checkDuplicates(_ members: [LocatedMember], _ path: String) {
        // As Unicode sees it: metrics, alarms and throttles know each other apart by such names.
        var first: [String: JSONPosition] = [:]
        for member in members {
            if let earlier = first[member.key] {
                report(
                    member.keyPosition,
                    "\(Self.join(path, member.key)) stands twice; first in line \(earlier.line)")
            } else {
                first[member.key] = member.keyPosition
            }
        }
    }

    private mutating func report(_ value: LocatedJSON, _ message: String) {
        report(value.position, message)
    }

    private mutating func report(_ position: JSONPosition, _ message: String) {
        diagnostics.append(Diagnostic(.error, position, message))
    }

    static func join(_ path: String, _ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }

    private static func matches(_ text: String, _ pattern: String) -> Bool {
        guard let expression = try? Regex(pattern) else {
            preconditionFailure("the schema's patterns are regular expressions: \(pattern)")
        }
        return text.wholeMatch(of: expression) != nil
    }

    private static func kind(_ value: LocatedJSON) -> String {
        switch value.value {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let value): value.text
        case .string(let value): "'\(value)'"
        case .array: "a list"
        case .object: "an object"
        }
    }

    private static func kind(_ rule: SchemaRule) -> String {
        switch rule {
        case .text, .choice: "a text"
        case .integer(let range, let unit):
            "\(range.lowerBound) to \(range.upperBound)" + (unit.map { " (\($0))" } ?? "")
        case .number: "a number"
        case .boolean: "true or false"
        case .list: "a list"
        case .oneOrMany: "a text or a list of texts"
        case .toggle: "true, false or an object"
        case .map, .object: "an object"
        case .anything: "anything"
        }
    }
}
