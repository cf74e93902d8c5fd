/// Short pieces of JSON text, written one behind the other (`JSONWriter.gather`). Who writes more
/// than there is room for is stopped.
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

    /// ASCII text that needs no escaping, such as `,"id":`.
    @inlinable @inline(__always)
    public mutating func append(_ literal: StaticString) {
        let length = literal.utf8CodeUnitCount
        precondition(count + length <= room.count, "there is room for every piece")
        UnsafeMutableRawBufferPointer(rebasing: room[count..<count + length]).copyMemory(
            from: UnsafeRawBufferPointer(start: literal.utf8Start, count: length))
        count += length
    }

    /// A decimal integer: up to 20 bytes.
    package mutating func append(_ value: UInt64) {
        var digits = 1
        var high = value
        while high >= 10_000 {
            high /= 10_000
            digits += 4
        }
        while high >= 10 {
            high /= 10
            digits += 1
        }
        precondition(count + digits <= room.count, "there is room for every piece")
        var rest = value
        var place = count + digits
        while rest >= 100 {
            let pair = UInt8(truncatingIfNeeded: rest % 100)
            rest /= 100
            place -= 2
            room[place] = 48 + pair / 10
            room[place + 1] = 48 + pair % 10
        }
        room[count] = 48 + UInt8(truncatingIfNeeded: rest >= 10 ? rest / 10 : rest)
        if rest >= 10 { room[count + 1] = 48 + UInt8(truncatingIfNeeded: rest % 10) }
        count += digits
    }

    package mutating func append(_ value: Int64) {
        if value < 0 { append("-") }
        append(value.magnitude)
    }

    /// The lowest `digits` hexadecimal digits, lower case, up to 16.
    package mutating func appendHexadecimal(_ value: UInt64, digits: Int) {
        precondition(count + digits <= room.count, "there is room for every piece")
        let low = min(digits, 8)
        append(Hexadecimal.digits(of: UInt32(truncatingIfNeeded: value >> 32)), last: digits - low)
        append(Hexadecimal.digits(of: UInt32(truncatingIfNeeded: value)), last: low)
    }

    private mutating func append(_ digits: UInt64, last length: Int) {
        guard length > 0 else { return }
        let rest = (digits >> UInt64(8 * (8 - length))).littleEndian
        if count + 8 <= room.count {
            // What comes next overwrites the zeros.
            room.storeBytes(of: rest, toByteOffset: count, as: UInt64.self)
        } else {
            withUnsafeBytes(of: rest) { bytes in
                for index in 0..<length { room[count + index] = bytes[index] }
            }
        }
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
