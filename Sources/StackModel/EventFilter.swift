import JSON

/// Why a filter cannot be used, in Lambda's words, and where.
package struct EventFilterError: Error, Equatable, Sendable {
    package var place: String
    package var message: String { "Invalid filter pattern definition: \(place)" }
}

/// Patterns that a queue's messages must match to reach a function (Lambda guide,
/// *invocation-eventfiltering*): within a pattern everything must match, of several one.
package struct EventFilter: Equatable, Sendable {
    private static let patternLimit = 5

    private let patterns: [JSONValue]

    package init(json: JSONValue) throws(EventFilterError) {
        patterns = json.arrayValue ?? [json]
        guard (1...Self.patternLimit).contains(patterns.count) else {
            throw EventFilterError(place: "1 to \(Self.patternLimit) patterns are allowed")
        }
        for pattern in patterns { try Self.check(pattern, "") }
    }

    /// - Parameter record: an SQS record as a function gets it.
    package func matches(_ record: JSONValue) -> Bool {
        patterns.contains { pattern in
            guard let wanted = pattern["body"], wanted.objectValue != nil else {
                return Self.matches(pattern, record)
            }
            guard var object = record.objectValue, let body = record["body"]?.stringValue,
                let parsed = try? JSONValue.parse(body)
            else { return false }
            object["body"] = parsed
            return Self.matches(pattern, .object(object))
        }
    }

    private static func check(_ pattern: JSONValue, _ place: String) throws(EventFilterError) {
        guard let members = pattern.objectValue?.members, !members.isEmpty else {
            throw EventFilterError(
                place: "\(place.isEmpty ? "a pattern" : place) must be an object")
        }
        for (key, value) in members {
            let place = place.isEmpty ? key : "\(place).\(key)"
            if key == "$or" {
                guard let choices = value.arrayValue, choices.count > 1 else {
                    throw EventFilterError(place: "\(place) must be a list of patterns")
                }
                for choice in choices { try check(choice, place) }
            } else if let rules = value.arrayValue {
                guard !rules.isEmpty else { throw EventFilterError(place: "\(place) is empty") }
                for rule in rules where !isValid(rule) {
                    throw EventFilterError(place: "\(place) has \(rule.serialized())")
                }
            } else {
                try check(value, place)
            }
        }
    }

    private static func isValid(_ rule: JSONValue) -> Bool {
        guard let object = rule.objectValue else { return rule.arrayValue == nil }
        guard object.count == 1, let (name, value) = object.members.first else { return false }
        switch name {
        case "prefix", "suffix", "equals-ignore-case": return value.stringValue != nil
        case "exists": return value.boolValue != nil
        case "numeric": return comparisons(value) != nil
        case "anything-but":
            if let list = value.arrayValue {
                return !list.isEmpty && list.allSatisfy { isPlain($0) }
            }
            return isPlain(value) || (value.objectValue != nil && isValid(value))
        default: return false
        }
    }

    private static func isPlain(_ value: JSONValue) -> Bool {
        value.objectValue == nil && value.arrayValue == nil
    }

    /// `[">", 0, "<=", 5]` as pairs.
    private static func comparisons(_ value: JSONValue) -> [(String, Double)]? {
        guard let list = value.arrayValue, [2, 4].contains(list.count) else { return nil }
        var pairs: [(String, Double)] = []
        for start in stride(from: 0, to: list.count, by: 2) {
            guard let sign = list[start].stringValue, let number = list[start + 1].doubleValue,
                ["=", "<", "<=", ">", ">="].contains(sign)
            else { return nil }
            pairs.append((sign, number))
        }
        return pairs
    }

    private static func matches(_ pattern: JSONValue, _ value: JSONValue?) -> Bool {
        (pattern.objectValue?.members ?? []).allSatisfy { key, wanted in
            if key == "$or" {
                return (wanted.arrayValue ?? []).contains { matches($0, value) }
            }
            let found = value?[key]
            guard let rules = wanted.arrayValue else { return matches(wanted, found) }
            return rules.contains { matches(rule: $0, found) }
        }
    }

    /// Of a list in the message one element must match.
    private static func matches(rule: JSONValue, _ found: JSONValue?) -> Bool {
        if let exists = rule["exists"]?.boolValue { return (found != nil) == exists }
        guard let found else { return false }
        if let elements = found.arrayValue { return elements.contains { matches(rule, one: $0) } }
        return matches(rule, one: found)
    }

    private static func matches(_ rule: JSONValue, one value: JSONValue) -> Bool {
        guard let (name, wanted) = rule.objectValue?.members.first else {
            if let lhs = rule.doubleValue, let rhs = value.doubleValue { return lhs == rhs }
            if let lhs = rule.stringValue, let rhs = value.stringValue {
                return lhs.utf8.elementsEqual(rhs.utf8)  // else "é" is equal to "e" and an accent
            }
            return rule == value
        }
        let text = value.stringValue
        switch name {
        // By bytes: Swift's own want whole characters, and "\r\n" is one.
        case "prefix": return text?.utf8.starts(with: (wanted.stringValue ?? "").utf8) == true
        case "suffix":
            return text?.utf8.reversed().starts(with: (wanted.stringValue ?? "").utf8.reversed())
                == true
        case "equals-ignore-case":
            return text?.lowercased() == wanted.stringValue?.lowercased()
        case "numeric":
            guard let number = value.doubleValue else { return false }
            return (comparisons(wanted) ?? []).allSatisfy { sign, limit in
                switch sign {
                case "=": number == limit
                case "<": number < limit
                case "<=": number <= limit
                case ">": number > limit
                default: number >= limit
                }
            }
        case "anything-but":
            return !(wanted.arrayValue ?? [wanted]).contains { matches($0, one: value) }
        default: return false
        }
    }
}
