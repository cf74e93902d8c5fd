import JSON

/// One operator of a statement's Condition, for one key (IAM User Guide, *Condition operators*).
struct PolicyCondition: Equatable, Sendable {
    enum Comparison: String, Sendable {
        case stringEquals = "StringEquals"
        case stringEqualsIgnoreCase = "StringEqualsIgnoreCase"
        case stringLike = "StringLike"
        case numericEquals = "NumericEquals"
        case numericLessThan = "NumericLessThan"
        case numericLessThanEquals = "NumericLessThanEquals"
        case numericGreaterThan = "NumericGreaterThan"
        case numericGreaterThanEquals = "NumericGreaterThanEquals"
        case dateEquals = "DateEquals"
        case dateLessThan = "DateLessThan"
        case dateLessThanEquals = "DateLessThanEquals"
        case dateGreaterThan = "DateGreaterThan"
        case dateGreaterThanEquals = "DateGreaterThanEquals"
        case bool = "Bool"
        case ipAddress = "IpAddress"
        case arnEquals = "ArnEquals"
        case arnLike = "ArnLike"
        case null = "Null"
    }

    /// The operators that hold where another does not.
    private static let negated: [String: Comparison] = [
        "StringNotEquals": .stringEquals,
        "StringNotEqualsIgnoreCase": .stringEqualsIgnoreCase,
        "StringNotLike": .stringLike,
        "NumericNotEquals": .numericEquals,
        "DateNotEquals": .dateEquals,
        "NotIpAddress": .ipAddress,
        "ArnNotEquals": .arnEquals,
        "ArnNotLike": .arnLike,
    ]

    /// How a key with several values is judged.
    enum Quantifier: Equatable, Sendable {
        case none
        case forAllValues
        case forAnyValue
    }

    var key: String
    var comparison: Comparison
    var isNegated: Bool
    /// A request without the key passes.
    var ifExists: Bool
    var quantifier: Quantifier
    var values: [String]

    static func list(_ json: JSONValue?) throws(PolicyError) -> [PolicyCondition] {
        guard let json else { return [] }
        guard let operators = json.objectValue else {
            throw PolicyError("Condition must be an object of operators", in: "Condition")
        }
        var conditions: [PolicyCondition] = []
        for (name, keys) in operators.members {
            guard let keys = keys.objectValue else {
                throw PolicyError("Condition '\(name)' must be an object of keys", in: "Condition")
            }
            guard !keys.members.isEmpty else {
                throw PolicyError("Condition '\(name)' names no key", in: "Condition")
            }
            for (key, value) in keys.members {
                conditions.append(try PolicyCondition(name, key, value))
            }
        }
        return conditions
    }

    private init(_ name: String, _ key: String, _ value: JSONValue) throws(PolicyError) {
        self.key = key
        var word = name[...]
        quantifier = .none
        if word.hasPrefix("ForAllValues:") {
            quantifier = .forAllValues
        } else if word.hasPrefix("ForAnyValue:") {
            quantifier = .forAnyValue
        }
        if quantifier != .none { word = word.drop { $0 != ":" }.dropFirst() }
        ifExists = word.hasSuffix("IfExists")
        if ifExists { word = word.dropLast("IfExists".count) }
        let negated = Self.negated[String(word)]
        guard let comparison = negated ?? Comparison(rawValue: String(word)) else {
            throw PolicyError("'\(name)' is no condition operator", in: "Condition")
        }
        self.comparison = comparison
        isNegated = negated != nil
        let list = value.arrayValue ?? [value]
        values = list.compactMap { value in
            switch value {
            case .string(let text): text
            case .bool(let isTrue): isTrue ? "true" : "false"
            case .number(let number): number.text
            case .null, .array, .object: nil
            }
        }
        guard values.count == list.count, !values.isEmpty else {
            throw PolicyError(
                "Condition '\(name)' of '\(key)' must have texts, numbers or booleans",
                in: "Condition")
        }
    }

    /// - Parameters:
    ///   - request: every value of a key, whatever its case; `nil` if it has none.
    ///   - pattern: what a text of the policy means for this request; `nil` if nothing matches.
    func holds(
        _ request: (String) -> [String]?, _ pattern: (String) -> PolicyPattern?
    ) -> Bool {
        let found = request(key)
        if comparison == .null { return (found == nil) == (values.first == "true") }
        guard let found, !found.isEmpty else {
            if quantifier == .forAnyValue { return ifExists }
            return ifExists || quantifier == .forAllValues || isNegated
        }
        func passes(_ value: String) -> Bool {
            let matches = values.contains { wanted in
                pattern(wanted).map { comparison.holds(value, $0) } ?? false
            }
            return matches != isNegated
        }
        return quantifier == .forAnyValue
            ? found.contains(where: passes) : found.allSatisfy(passes)
    }
}

extension PolicyCondition.Comparison {
    fileprivate func holds(_ value: String, _ pattern: PolicyPattern) -> Bool {
        let wanted = pattern.text
        return switch self {
        case .stringEquals: value.isExactly(wanted)
        case .stringEqualsIgnoreCase, .bool:
            value.lowercased().isExactly(wanted.lowercased())
        case .stringLike: pattern.matches(value)
        case .arnEquals, .arnLike: pattern.matchesARN(value)
        case .ipAddress: IPRange(wanted)?.contains(value) ?? false
        case .numericEquals: compare(Double(value), Double(wanted), ==)
        case .numericLessThan: compare(Double(value), Double(wanted), <)
        case .numericLessThanEquals: compare(Double(value), Double(wanted), <=)
        case .numericGreaterThan: compare(Double(value), Double(wanted), >)
        case .numericGreaterThanEquals: compare(Double(value), Double(wanted), >=)
        case .dateEquals: compare(moment(value), moment(wanted), ==)
        case .dateLessThan: compare(moment(value), moment(wanted), <)
        case .dateLessThanEquals: compare(moment(value), moment(wanted), <=)
        case .dateGreaterThan: compare(moment(value), moment(wanted), >)
        case .dateGreaterThanEquals: compare(moment(value), moment(wanted), >=)
        case .null: false
        }
    }

    private func compare<T>(_ one: T?, _ other: T?, _ relation: (T, T) -> Bool) -> Bool {
        guard let one, let other else { return false }
        return relation(one, other)
    }

    /// ISO 8601, or seconds since 1970.
    private func moment(_ text: String) -> Timestamp? {
        guard let seconds = Int64(text) else { return Timestamp(iso8601: text) }
        let (milliseconds, overflows) = seconds.multipliedReportingOverflow(by: 1000)
        return overflows ? nil : Timestamp(milliseconds: milliseconds)
    }
}

/// A range of addresses, such as `203.0.113.0/24` or `2001:db8::/32`, or one address (RFC 4632;
/// RFC 4291, sections 2.2 and 2.3).
struct IPRange {
    /// Four bytes, or sixteen.
    private let network: [UInt8]
    /// How many of its bits, from the front, an address shares.
    private let prefix: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let network = Self.bytes(parts[0]),
            let prefix = parts.count == 2 ? Self.number(parts[1]) : network.count * 8,
            prefix <= network.count * 8
        else { return nil }
        self.network = network
        self.prefix = prefix
    }

    func contains(_ address: String) -> Bool {
        guard let address = Self.bytes(address[...]), address.count == network.count else {
            return false
        }
        return zip(address, network).enumerated().allSatisfy { index, pair in
            let bits = min(max(prefix - index * 8, 0), 8)
            return (pair.0 ^ pair.1) >> (8 - bits) == 0
        }
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        guard text.contains(":") else { return bytes4(text) }
        guard let gap = text.firstRange(of: "::") else {
            return groups(text).flatMap { $0.count == 16 ? $0 : nil }
        }
        guard let front = groups(text[..<gap.lowerBound]),
            let back = groups(text[gap.upperBound...]), front.count + back.count <= 14
        else { return nil }
        return front + repeatElement(0, count: 16 - front.count - back.count) + back
    }

    /// Groups of two bytes between colons; the last may be an IPv4 address.
    private static func groups(_ text: Substring) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(".") {
                guard let last = bytes4(part) else { return nil }
                bytes += last
                continue
            }
            guard part.count <= 4, part.first?.isHexDigit == true,
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 0xff)]
        }
        return bytes
    }

    private static func bytes4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { number($0).flatMap { UInt8(exactly: $0) } }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    /// Digits alone: no sign.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }
}
