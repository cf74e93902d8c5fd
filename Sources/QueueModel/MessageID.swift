import JSON

/// A message's id. Nearly all are UUIDs as msorch makes them: those are kept as their 128 bits, so
/// that a copy costs nothing and 120,000 in flight stay small. Any other text is kept as it is.
package struct MessageID: Hashable, Sendable {
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    private var other: Text?

    private final class Text: Hashable, Sendable {
        let value: String

        init(_ value: String) { self.value = value }

        static func == (lhs: Text, rhs: Text) -> Bool { lhs.value == rhs.value }
        func hash(into hasher: inout Hasher) { hasher.combine(value) }
    }

    /// A UUID by its bits.
    package init(uuid bits: (high: UInt64, low: UInt64)) { (high, low) = bits }

    package init(_ text: String) {
        var text = text
        let uuid = text.withUTF8 { Self.uuid(UnsafeRawBufferPointer($0)) }
        if let uuid { (high, low) = uuid } else { other = Text(text) }
    }

    /// A UUID in lower case; `nil` for any other text.
    init?(uuid bytes: UnsafeRawBufferPointer) {
        guard let uuid = Self.uuid(bytes) else { return nil }
        (high, low) = uuid
    }

    /// Bytes of a UUID.
    static let uuidLength = 36

    private static func uuid(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64)? {
        guard bytes.count == uuidLength else { return nil }
        let dash = UInt8(ascii: "-")
        guard bytes[8] == dash, bytes[13] == dash, bytes[18] == dash, bytes[23] == dash,
            let first = Hexadecimal.value(bytes, at: 0),
            let second = Hexadecimal.value(bytes, at: 9, and: 14),
            let third = Hexadecimal.value(bytes, at: 19, and: 24),
            let fourth = Hexadecimal.value(bytes, at: 28)
        else { return nil }
        return (UInt64(first) << 32 | UInt64(second), UInt64(third) << 32 | UInt64(fourth))
    }

    /// Its bits, if it is a UUID as msorch makes them.
    package var uuid: (high: UInt64, low: UInt64)? { other == nil ? (high, low) : nil }

    package var text: String {
        if let other { return other.value }
        return JSONPieces.text(upTo: Self.uuidLength) { $0.appendUUID(high, low) }
    }

    /// Appends it as the inside of a JSON string.
    func append(to output: inout [UInt8]) {
        if let other { return JSONWriter.appendEscaped(other.value.utf8, to: &output) }
        JSONWriter.gather(upTo: Self.uuidLength, to: &output) { $0.appendUUID(high, low) }
    }

    /// The same between two short literals, at once.
    @inline(__always)
    func append(to output: inout [UInt8], behind start: StaticString, _ end: StaticString) {
        if let other {
            JSONWriter.append(start, &output)
            JSONWriter.appendEscaped(other.value.utf8, to: &output)
            return JSONWriter.append(end, &output)
        }
        JSONWriter.gather(upTo: 64, to: &output) { pieces in
            pieces.append(start)
            pieces.appendUUID(high, low)
            pieces.append(end)
        }
    }
}

extension JSONScanner {
    /// The id whose text stands next, and its quote, in the spelling that msorch writes: a UUID, or
    /// printable ASCII.
    mutating func messageID() -> MessageID? {
        let end = at + MessageID.uuidLength
        if end < bytes.count, bytes[end] == UInt8(ascii: "\""),
            let id = MessageID(uuid: UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
        {
            step(to: end + 1)
            return id
        }
        return plainText().map { MessageID($0) }
    }
}
