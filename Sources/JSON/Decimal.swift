/// Eight decimal digits at once, in one word: every record begins with numbers.
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

    private static let zeros: UInt64 = 0x3030_3030_3030_3030
}
