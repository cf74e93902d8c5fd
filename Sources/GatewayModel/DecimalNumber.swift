import JSON

/// A number with all the digits that were written: as doubles, 2^53 and the next one are the same.
struct DecimalNumber: Hashable, Comparable, Sendable {
    private var isNegative = false
    /// From the first to the last that is not 0; none is 0.
    private var digits: [UInt8] = []
    /// The power of ten that the digits, as an integer, are multiplied by.
    private var exponent = 0

    /// No exponent is further from 0: that of a longer one says no more.
    private static let limitExponent = 1 << 60
    /// Of a number that others are multiples of: ten times it must fit into 64 bits.
    static let limitFactorDigits = 18

    /// - Parameter number: as JSON writes it.
    init(_ number: JSONNumber) {
        let text = number.text.utf8
        let end = text.firstIndex { $0 | 0x20 == UInt8(ascii: "e") } ?? text.endIndex
        isNegative = text.first == UInt8(ascii: "-")
        if end < text.endIndex {
            let power = String(text[text.index(after: end)...]) ?? ""
            let limit = power.hasPrefix("-") ? -Self.limitExponent : Self.limitExponent
            exponent = Int(power).flatMap { $0.magnitude < limit.magnitude ? $0 : nil } ?? limit
        }
        var hasPoint = false
        for byte in text[..<end] {
            switch byte {
            case UInt8(ascii: "."): hasPoint = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if hasPoint { exponent -= 1 }
                if byte > UInt8(ascii: "0") || !digits.isEmpty {
                    digits.append(byte - UInt8(ascii: "0"))
                }
            default: break
            }
        }
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        if digits.isEmpty { (isNegative, exponent) = (false, 0) }
    }

    var isInteger: Bool { exponent >= 0 }
    var isPositive: Bool { sign > 0 }
    var digitCount: Int { digits.count }
    private var sign: Int { digits.isEmpty ? 0 : isNegative ? -1 : 1 }

    /// The same for numbers that are the same.
    var text: String {
        let digits = String(decoding: digits.map { $0 + UInt8(ascii: "0") }, as: UTF8.self)
        return "\(isNegative ? "-" : "")\(digits)e\(exponent)"
    }

    static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.sign != rhs.sign { return lhs.sign < rhs.sign }
        return lhs.isNegative ? rhs.isNearerToZero(than: lhs) : lhs.isNearerToZero(than: rhs)
    }

    private func isNearerToZero(than other: Self) -> Bool {
        let size = exponent + digits.count
        let otherSize = other.exponent + other.digits.count
        return size == otherSize
            ? digits.lexicographicallyPrecedes(other.digits) : size < otherSize
    }

    /// - Parameter factor: is positive and has `limitFactorDigits` at most.
    func isMultiple(of factor: Self) -> Bool {
        guard !digits.isEmpty else { return true }
        // The last digit is not 0: it is no multiple of what has more zeros.
        guard exponent >= factor.exponent else { return false }
        let divisor = factor.digits.reduce(0 as UInt64) { $0 * 10 + UInt64($1) }
        var rest = digits.reduce(0 as UInt64) { ($0 * 10 + UInt64($1)) % divisor }
        // No divisor below 2^60 has more twos and fives than so many tens bring.
        for _ in 0..<min(exponent - factor.exponent, 60) { rest = rest * 10 % divisor }
        return rest == 0
    }
}
