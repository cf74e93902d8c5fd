/// Short pieces of JSON text, written one behind the other (`JSONWriter.gather`). Who writes more
/// than there is room for is stopped; digits want room for eight.
///
/// Public, as `gather` is: the compiler inlines nothing of package access into other modules.
public struct JSONPieces {
    @usableFromInline let room: UnsafeMutableRawBufferPointer
    @usableFromInline var count = 0

    @inlinable
    public init(_ room: UnsafeMutableRawBufferPointer) { self.room = room }

    @inlinable
    public var written: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])
    }

    /// The text that `write` makes of at most `limit` bytes.
    package static func text(upTo limit: Int, _ write: (inout JSONPieces) -> Void) -> String {
        String(unsafeUninitializedCapacity: limit) { room in
            var pieces = JSONPieces(UnsafeMutableRawBufferPointer(room))
            write(&pieces)
            return pieces.count
        }
    }

    /// ASCII text that needs no escaping, such as `,"id":`.
    @inlinable @inline(__always)
    public mutating func append(_ literal: StaticString) {
        append(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// JSON text that was made before.
    @inlinable @inline(__always)
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(count + bytes.count <= room.count, "there is room for every piece")
        UnsafeMutableRawBufferPointer(rebasing: room[count..<count + bytes.count])
            .copyMemory(from: bytes)
        count += bytes.count
    }

    /// A quoted string; only what JSON demands is escaped. Up to six bytes for each of its own, and
    /// two.
    package mutating func append(quoted text: String) {
        var text = text
        append("\"")
        text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            if JSONText.endOfUnescaped(bytes, from: 0) == bytes.count {
                append(bytes)
            } else {
                var escaped: [UInt8] = []
                JSONWriter.appendEscaped(utf8, to: &escaped)
                escaped.withUnsafeBytes { append($0) }
            }
        }
        append("\"")
    }

    /// A decimal integer: up to 20 bytes.
    package mutating func append(_ value: UInt64) {
        let (high, low) = value.quotientAndRemainder(dividingBy: Decimal.limit)
        let digits = Decimal.digits(of: low)
        if high > 0 {
            append(high)
            append(digits, last: 8)
        } else {
            append(digits, last: 8 - Decimal.leadingZeros(digits))
        }
    }

    /// The lowest `digits` decimal digits, up to 8.
    package mutating func append(_ value: UInt64, digits: Int) {
        append(Decimal.digits(of: value % Decimal.limit), last: digits)
    }

    package mutating func append(_ value: Int64) {
        if value < 0 { append("-") }
        append(value.magnitude)
    }

    /// The lowest `digits` hexadecimal digits, lower case, up to 16.
    package mutating func appendHexadecimal(_ value: UInt64, digits: Int) {
        let high = digits - 8
        if high > 0 {
            append(Hexadecimal.digits(of: UInt32(truncatingIfNeeded: value >> 32)), last: high)
        }
        let low = Hexadecimal.digits(of: UInt32(truncatingIfNeeded: value))
        append(low, last: min(digits, 8))
    }

    /// - Parameter length: 1 to 8.
    @inline(__always)
    private mutating func append(_ digits: UInt64, last length: Int) {
        precondition(count + 8 <= room.count, "there is room for eight digits")
        // What comes next overwrites the zeros.
        let rest = (digits &>> UInt64(8 * (8 - length))).littleEndian
        room.storeBytes(of: rest, toByteOffset: count, as: UInt64.self)
        count += length
    }

    /// A UUID's 36 characters, lower case.
    package mutating func appendUUID(_ high: UInt64, _ low: UInt64) {
        precondition(count + 36 <= room.count, "there is room for every piece")
        let middle = Hexadecimal.digits(of: UInt32(truncatingIfNeeded: high))
        let next = Hexadecimal.digits(of: UInt32(truncatingIfNeeded: low >> 32))
        store(Hexadecimal.digits(of: UInt32(truncatingIfNeeded: high >> 32)), at: 0)
        // What comes next overwrites what of a word does not belong there.
        store(middle, at: 9)
        store(middle >> 32, at: 14)
        store(next, at: 19)
        store(next >> 32, at: 24)
        store(Hexadecimal.digits(of: UInt32(truncatingIfNeeded: low)), at: 28)
        room[count + 8] = UInt8(ascii: "-")
        room[count + 13] = UInt8(ascii: "-")
        room[count + 18] = UInt8(ascii: "-")
        room[count + 23] = UInt8(ascii: "-")
        count += 36
    }

    private func store(_ digits: UInt64, at distance: Int) {
        room.storeBytes(
            of: digits.littleEndian, toByteOffset: count + distance, as: UInt64.self)
    }

    /// Three numbers as an array.
    package mutating func append(_ first: UInt64, _ second: UInt64, _ third: UInt64) {
        append("[")
        append(first)
        append(",")
        append(second)
        append(",")
        append(third)
        append("]")
    }
}
