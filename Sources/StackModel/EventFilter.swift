import JSON

/// Why a filter cannot be used, in Lambda's words, and where.
package struct EventFilterError: Error, Equatable, Sendable {
    package var place: String
    package var message: String { "Invalid filter pattern definition: \(place)" }
}

/// Patterns that a queue's messages must match to reach a function (Lambda guide,
/// *invocation-eventfiltering*): within a pattern everything must match, of several one. Lists, and
/// lists of objects, match as in aws/event-ruler, by its README.
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
        lazy var body = record["body"]?.stringValue.flatMap { try? JSONValue.parse($0) }
        return patterns.contains { Self.match($0, record, body: { body }) != .none }
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

    /// How a pattern is met: presence counts for more, since what is there in one element of a list
    /// makes that one the element in which the rest must be there, or absent.
    private enum Match: Comparable {
        case none
        /// Only by what is not there.
        case absence
        case presence
    }

    /// - Parameter body: what the record's body says, if it is JSON; a pattern below `body` wants
    ///   that.
    private static func match(
        _ pattern: JSONValue, _ record: JSONValue, body: () -> JSONValue?
    ) -> Match {
        all(of: pattern) { key, wanted in
            if key == "$or" { return best(of: wanted) { match($0, record, body: body) } }
            guard key == "body", wanted.objectValue != nil else {
                return match(wanted, at: record[key])
            }
            return body().map { match(wanted, $0) } ?? .none
        }
    }

    private static func match(_ pattern: JSONValue, _ value: JSONValue?) -> Match {
        guard let elements = value?.arrayValue else {
            return all(of: pattern) { key, wanted in
                if key == "$or" { return best(of: wanted) { match($0, value) } }
                return match(wanted, at: value?[key])
            }
        }
        // One element must have it all, wherever it is in lists of lists; or none has any of it.
        let matches = elements.map { match(pattern, $0) }
        if matches.contains(.presence) { return .presence }
        return min(match(pattern, nil), matches.min() ?? .absence)
    }

    /// - Parameter wanted: a pattern, or a list of rules.
    private static func match(_ wanted: JSONValue, at found: JSONValue?) -> Match {
        guard let rules = wanted.arrayValue else { return match(wanted, found) }
        let values = leaves(of: found)
        if rules.contains(where: { matches($0, values) }) { return .presence }
        let isWithout = rules.contains { $0["exists"]?.boolValue == false }
        return values.isEmpty && isWithout ? .absence : .none
    }

    private static func all(
        of pattern: JSONValue, _ match: (_ key: String, _ wanted: JSONValue) -> Match
    ) -> Match {
        var best = Match.absence
        for (key, wanted) in pattern.objectValue?.members ?? [] {
            let match = match(key, wanted)
            if match == .none { return .none }
            best = max(best, match)
        }
        return best
    }

    private static func best(of choices: JSONValue, _ match: (JSONValue) -> Match) -> Match {
        (choices.arrayValue ?? []).map(match).max() ?? .none
    }

    /// The values of a field: of a list those in it, also in lists in it; an object is none.
    private static func leaves(of found: JSONValue?) -> [JSONValue] {
        guard let found, found.objectValue == nil else { return [] }
        return found.arrayValue?.flatMap { leaves(of: $0) } ?? [found]
    }

    private static func matches(_ rule: JSONValue, _ values: [JSONValue]) -> Bool {
        if let exists = rule["exists"]?.boolValue { return exists && !values.isEmpty }
        return values.contains { matches(rule, one: $0) }
    }

    private static func matches(_ rule: JSONValue, one value: JSONValue) -> Bool {
        guard let (name, wanted) = rule.objectValue?.members.first else {
            if let lhs = rule.doubleValue, let rhs = value.doubleValue { return lhs == rhs }
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
            guard let text, let wanted = wanted.stringValue else { return false }
            return text.lowercased().isExactly(wanted.lowercased())
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
