/// Eight decimal digits at once, in one word: records begin with numbers, and are full of them.
enum Decimal {
    /// What has more than eight digits.
    static let limit: UInt64 = 100_000_000

    /// The digits of `value`, with zeros in front, the first in the lowest byte.
    ///
    /// - Parameter value: below `limit`.
    static func digits(of value: UInt64) -> UInt64 {
        // Two numbers of four digits, four of two, eight of one, each in a part of the word of its
        // own; multiplied and shifted, each is divided by 100 or 10.
        let fours = value / 10_000 | (value % 10_000) << 32
        let hundreds = ((fours &* 10_486) >> 20) & 0x0000_007F_0000_007F
        let twos = hundreds | (fours &- hundreds &* 100) << 16
        let tens = ((twos &* 103) >> 10) & 0x000F_000F_000F_000F
        return zeros | tens | (twos &- tens &* 10) << 8
    }

    /// How many zeros stand in front, but for the last digit.
    static func leadingZeros(_ digits: UInt64) -> Int {
        min((digits ^ zeros).trailingZeroBitCount / 8, 7)
    }

    /// What eight digits count, the first in the lowest byte; `nil` if one is none.
    static func value(of digits: UInt64) -> UInt64? {
        let high: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
        // What is beyond 9 comes into the high half when 6 is added.
        guard digits & high == zeros, (digits &+ 0x0606_0606_0606_0606) & high == zeros else {
            return nil
        }
        var pairs = digits &- zeros
        pairs = (pairs &* 10 &+ pairs >> 8) & 0x00FF_00FF_00FF_00FF
        let fours = (pairs &* 100 &+ pairs >> 16) & 0x0000_FFFF_0000_FFFF
        return (fours &* 10_000 &+ fours >> 32) & 0xFFFF_FFFF
    }

    /// What the eight digits count that stand in `bytes` from `start` on; `nil` if there are none.
    static func value(_ bytes: UnsafeRawBufferPointer, at start: Int) -> UInt64? {
        guard start + 8 <= bytes.count else { return nil }
        return value(
            of: UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)))
    }

    private static let zeros: UInt64 = 0x3030_3030_3030_3030
}
