/// Short pieces of JSON text, written one behind the other (`JSONWriter.gather`). Who writes more
/// than there is room for is stopped.
package struct JSONPieces {
    @usableFromInline let room: UnsafeMutableRawBufferPointer
    @usableFromInline var count = 0

    @inlinable
    package init(_ room: UnsafeMutableRawBufferPointer) { self.room = room }

    @inlinable
    package var written: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])
    }

    /// ASCII text that needs no escaping, such as `,"id":`.
    @inlinable @inline(__always)
    package mutating func append(_ literal: StaticString) {
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
        for index in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - index))) & 15
            room[count + index] = digit < 10 ? 48 + digit : 87 + digit
        }
        count += digits
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
