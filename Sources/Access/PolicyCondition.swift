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
            throw PolicyError(condition: "Condition must be an object of operators")
        }
        var conditions: [PolicyCondition] = []
        for (name, keys) in operators.members {
            guard let keys = keys.objectValue else {
                throw PolicyError(condition: "Condition '\(name)' must be an object of keys")
            }
            guard !keys.members.isEmpty else {
                throw PolicyError(condition: "Condition '\(name)' names no key")
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
        var plain = String(word)
        isNegated = false
        if Comparison(rawValue: plain) == nil, let not = plain.firstRange(of: "Not") {
            plain.removeSubrange(not)
            isNegated = true
        }
        guard let comparison = Comparison(rawValue: plain) else {
            throw PolicyError(condition: "'\(name)' is no condition operator")
        }
        self.comparison = comparison
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
                condition: "Condition '\(name)' of '\(key)' must have texts, numbers or booleans")
        }
    }

    /// - Parameter request: every value of a key, whatever its case; `nil` if it has none.
    func holds(_ request: (String) -> [String]?) -> Bool {
        let found = request(key)
        if comparison == .null { return (found == nil) == (values.first == "true") }
        guard let found, !found.isEmpty else {
            if quantifier == .forAnyValue { return ifExists }
            return ifExists || quantifier == .forAllValues || isNegated
        }
        func passes(_ value: String) -> Bool {
            let matches = values.contains { wanted in
                PolicyPattern.filled(wanted) { request($0)?.first }
                    .map { comparison.holds(value, $0) } ?? false
            }
            return matches != isNegated
        }
        return quantifier == .forAnyValue
            ? found.contains(where: passes) : found.allSatisfy(passes)
    }
}

extension PolicyCondition.Comparison {
    fileprivate func holds(_ value: String, _ wanted: String) -> Bool {
        switch self {
        case .stringEquals: value == wanted
        case .stringEqualsIgnoreCase, .bool: value.lowercased() == wanted.lowercased()
        case .stringLike: PolicyPattern.matches(value, wanted)
        case .arnEquals, .arnLike: PolicyPattern.matchesARN(value, wanted)
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

/// An IPv4 range such as `203.0.113.0/24`, or one address of either kind.
struct IPRange {
    private let text: String
    private let network: (address: UInt32, mask: UInt32)?

    init?(_ text: String) {
        self.text = text
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if text.contains(":") {
            network = nil
            return
        }
        guard parts.count <= 2, let address = Self.address(parts[0]),
            let bits = parts.count == 2 ? UInt32(parts[1]) : 32, bits <= 32
        else { return nil }
        network = (address, bits == 0 ? 0 : ~0 << (32 - bits))
    }

    func contains(_ address: String) -> Bool {
        guard let network else { return address == text }
        guard let value = Self.address(address) else { return false }
        return value & network.mask == network.address & network.mask
    }

    private static func address(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard let byte = UInt8(part) else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }
}
