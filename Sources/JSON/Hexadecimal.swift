/// Eight hexadecimal digits at once, in one word: message ids and receipt handles are full of them.
package enum Hexadecimal {
    /// The digits of `value`, lower case, the first in the lowest byte.
    package static func digits(of value: UInt32) -> UInt64 {
        // One half-byte to each byte.
        var bytes = UInt64(value)
        bytes = (bytes | bytes << 16) & 0x0000_FFFF_0000_FFFF
        bytes = (bytes | bytes << 8) & 0x00FF_00FF_00FF_00FF
        bytes = (bytes | bytes << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 where it is a letter: 10 + 6 reaches the next half-byte.
        let letters = ((bytes &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        return (bytes &+ 0x3030_3030_3030_3030 &+ letters &* 39).byteSwapped
    }

    /// What eight digits count, lower case, the first in the lowest byte; `nil` if one is none.
    package static func value(of digits: UInt64) -> UInt32? {
        let text = digits.byteSwapped
        let letters = (text >> 6) & 0x0101_0101_0101_0101
        var bytes = (text & 0x0F0F_0F0F_0F0F_0F0F) &+ letters &* 9
        bytes = (bytes | bytes >> 4) & 0x00FF_00FF_00FF_00FF
        bytes = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF
        let value = UInt32(truncatingIfNeeded: bytes | bytes >> 16)
        return Self.digits(of: value) == digits ? value : nil
    }

    /// What the eight digits count that stand in `bytes` from `start` on; `nil` if there are none.
    package static func value(_ bytes: UnsafeRawBufferPointer, at start: Int) -> UInt32? {
        guard start >= 0, start + 8 <= bytes.count else { return nil }
        return value(
            of: UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)))
    }

    /// As above, of four digits in one place and four in another.
    package static func value(
        _ bytes: UnsafeRawBufferPointer, at first: Int, and second: Int
    ) -> UInt32? {
        guard first >= 0, second >= 0, max(first, second) + 4 <= bytes.count else { return nil }
        let low = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: first, as: UInt32.self))
        let high = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: second, as: UInt32.self))
        return value(of: UInt64(low) | UInt64(high) << 32)
    }
}
