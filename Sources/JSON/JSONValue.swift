/// A number exactly as it was written, so that nothing is lost by passing it on.
package struct JSONNumber: Equatable, Sendable {
    package let text: String

    package init(text: String) { self.text = text }
    package init(_ value: Int) { text = String(value) }
    package init(_ value: Int64) { text = String(value) }
    /// A double without a fraction is written as an integer. Not a number and infinities become 0,
    /// since JSON has no word for them.
    package init(_ value: Double) {
        if let whole = Int64(exactly: value) {
            text = String(whole)
        } else {
            text = value.isFinite ? "\(value)" : "0"
        }
    }

    /// The value as an integer; `nil` if it has a fraction or does not fit.
    package var int: Int64? { Int64(text) ?? Int64(exactly: double) }
    package var double: Double { Double(text) ?? 0 }
}

/// A JSON value that owns its parts. For configuration and replies; the hot path uses
/// `JSONScanner`.
package indirect enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    package static func int(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
    package static func int(_ value: Int64) -> JSONValue { .number(JSONNumber(value)) }
    package static func double(_ value: Double) -> JSONValue { .number(JSONNumber(value)) }

    package var isNull: Bool { self == .null }
    package var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }
    package var intValue: Int64? {
        if case .number(let value) = self { value.int } else { nil }
    }
    package var doubleValue: Double? {
        if case .number(let value) = self { value.double } else { nil }
    }
    package var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }
    package var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }
    package var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The member of that name; `nil` if there is none or this is not an object.
    package subscript(key: String) -> JSONValue? { objectValue?[key] }
}

/// An object whose members keep the order they came in. A later duplicate wins, in the first's
/// place.
package struct JSONObject: Sendable, ExpressibleByDictionaryLiteral {
    /// Up to here looking through all of them beats a hash table, and making one.
    private static let fewMembers = 24

    package private(set) var members: [(key: String, value: JSONValue)] = []
    /// Of every member once there are many; empty before.
    private var places: [ExactText: Int] = [:]

    package init() {}
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { self[key] = value }
    }
    package init(_ members: some Sequence<(key: String, value: JSONValue)>) {
        for (key, value) in members { self[key] = value }
    }

    package var keys: [String] { members.map(\.key) }
    package var isEmpty: Bool { members.isEmpty }
    package var count: Int { members.count }

    package subscript(key: String) -> JSONValue? {
        get { place(of: key).map { members[$0].value } }
        set {
            if let place = place(of: key) {
                if let newValue {
                    members[place].value = newValue
                } else {
                    members.remove(at: place)
                    notePlaces()
                }
            } else if let newValue {
                members.append((key, newValue))
                if members.count == Self.fewMembers + 1 {
                    notePlaces()
                } else if members.count > Self.fewMembers {
                    places[ExactText(key)] = members.count - 1
                }
            }
        }
    }

    private func place(of key: String) -> Int? {
        members.count > Self.fewMembers
            ? places[ExactText(key)] : members.firstIndex { $0.key.isExactly(key) }
    }

    private mutating func notePlaces() {
        guard members.count > Self.fewMembers else { return }
        places = [:]
        for (place, member) in members.enumerated() { places[ExactText(member.key)] = place }
    }
}

extension JSONValue: Equatable {
    /// Texts are the same if their bytes are.
    package static func == (lhs: JSONValue, rhs: JSONValue) -> Bool {
        switch (lhs, rhs) {
        case (.null, .null): true
        case (.bool(let one), .bool(let other)): one == other
        case (.number(let one), .number(let other)): one == other
        case (.string(let one), .string(let other)): one.isExactly(other)
        case (.array(let one), .array(let other)): one == other
        case (.object(let one), .object(let other)): one == other
        default: false
        }
    }
}

extension JSONObject: Equatable {
    /// Order does not matter to JSON.
    package static func == (lhs: JSONObject, rhs: JSONObject) -> Bool {
        lhs.count == rhs.count && lhs.members.allSatisfy { rhs[$0.key] == $0.value }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements.map { (key: $0.0, value: $0.1) }))
    }
}
