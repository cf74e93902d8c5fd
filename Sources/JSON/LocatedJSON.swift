/// A JSON value that knows where each part stands, for messages about files that people write.
/// Duplicate members are kept, so that they can be reported.
package struct LocatedJSON: Sendable {
    package indirect enum Kind: Sendable {
        case null
        case bool(Bool)
        case number(JSONNumber)
        case string(String)
        case array([LocatedJSON])
        case object([LocatedMember])
    }

    package var value: Kind
    package var position: JSONPosition

    package init(value: Kind, position: JSONPosition) {
        self.value = value
        self.position = position
    }

    /// - Throws: `JSONError` at the first byte that is not JSON.
    package static func parse(
        _ bytes: [UInt8], maximumDepth: Int = JSONParser.defaultMaximumDepth
    ) throws(JSONError) -> LocatedJSON {
        var parser = JSONParser(bytes: bytes, maximumDepth: maximumDepth, tracksPositions: true)
        return try parser.located()
    }

    /// The same value without places; of duplicate members the last wins.
    package var plain: JSONValue {
        switch value {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let value): .number(value)
        case .string(let value): .string(value)
        case .array(let elements): .array(elements.map(\.plain))
        case .object(let members):
            .object(JSONObject(members.map { (key: $0.key, value: $0.value.plain) }))
        }
    }

    /// A member that stands in its object for the second time, at any depth: of two of one name
    /// two readers may take different ones. `nil` where there is none.
    package var twin: LocatedMember? {
        switch value {
        case .object(let members):
            var seen: Set<ExactText> = []
            for member in members {
                guard seen.insert(ExactText(member.key)).inserted else { return member }
                if let twin = member.value.twin { return twin }
            }
        case .array(let elements):
            for element in elements {
                if let twin = element.twin { return twin }
            }
        default: break
        }
        return nil
    }
}

package struct LocatedMember: Sendable {
    package var key: String
    package var keyPosition: JSONPosition
    package var value: LocatedJSON

    package init(key: String, keyPosition: JSONPosition, value: LocatedJSON) {
        self.key = key
        self.keyPosition = keyPosition
        self.value = value
    }
}
