/// Milliseconds since the Unix epoch, UTC: the one form of a moment in journals and models.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.milliseconds < rhs.milliseconds }
    package static func + (time: Self, delay: Duration) -> Self {
        Timestamp(milliseconds: time.milliseconds + delay.wholeMilliseconds)
    }
    package static func - (time: Self, delay: Duration) -> Self {
        Timestamp(milliseconds: time.milliseconds - delay.wholeMilliseconds)
    }
    package static func - (later: Self, earlier: Self) -> Duration {
        .milliseconds(later.milliseconds - earlier.milliseconds)
    }

    /// Whole seconds since the epoch, rounded down.
    package var seconds: Int64 {
        milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
    }

    /// `2026-11-24T10:00:00.123Z`.
    package var iso8601: String { JSONPieces.text(upTo: Self.isoLength) { $0.append(self) } }

    /// `2026-11-24`.
    package var date: String {
        JSONPieces.text(upTo: Self.isoLength) { $0.append(dateOfDay: days.whole) }
    }

    /// For years of ten digits, too.
    private static let isoLength = 40

    /// Days since the epoch, rounded down, and the milliseconds of the day that has begun.
    fileprivate var days: (whole: Int64, rest: UInt64) {
        let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
        return remainder < 0
            ? (quotient - 1, UInt64(remainder + 86_400_000)) : (quotient, UInt64(remainder))
    }

    /// Reads `2026-11-24`, `2026-11-24T10:00Z`, `…:00:00Z`, `…:00:00.123Z` and offsets as `+01:00`
    /// (RFC 3339); `nil` for anything else.
    package init?(iso8601 text: String) {
        var rest = text.utf8[...]
        func number(_ digits: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<digits {
                guard let byte = rest.popFirst(), (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            return value
        }
        func accept(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }
        guard let year = number(4), accept("-"), let month = number(2), accept("-"),
            let day = number(2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let days = Self.days(fromCivil: year, month, day)
        guard Self.civil(fromDays: days) == (year, month, day) else { return nil }
        var result = days * 86_400_000
        if accept("T") || accept(" ") {
            guard let hour = number(2), accept(":"), let minute = number(2), hour < 24, minute < 60
            else { return nil }
            result += hour * 3_600_000 + minute * 60_000
            if accept(":") {
                guard let second = number(2), second < 60 else { return nil }
                result += second * 1000
                if accept(".") {
                    let digits = String(Substring(rest.prefix { (48...57).contains($0) }))
                    guard (1...9).contains(digits.utf8.count) else { return nil }
                    rest = rest.dropFirst(digits.utf8.count)
                    result += Int64((digits + "00").prefix(3)) ?? 0
                }
            }
            let isAhead = accept("+")
            if isAhead || accept("-") {
                guard let hour = number(2), accept(":"), let minute = number(2), hour < 24,
                    minute < 60
                else { return nil }
                result += (isAhead ? -1 : 1) * (hour * 3_600_000 + minute * 60_000)
            } else {
                _ = accept("Z")
            }
        }
        guard rest.isEmpty else { return nil }
        milliseconds = result
    }

    // The proleptic Gregorian calendar in integer arithmetic, eras of 400 years from 1 March.
    private static func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    fileprivate static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
            dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }
}

extension JSONPieces {
    /// `2026-11-24T10:00:00.123Z`.
    package mutating func append(_ time: Timestamp) {
        let (day, rest) = time.days
        append(dateOfDay: day)
        append("T")
        append(rest / 3_600_000, digits: 2)
        append(":")
        append(rest / 60_000 % 60, digits: 2)
        append(":")
        append(rest / 1000 % 60, digits: 2)
        append(".")
        append(rest % 1000, digits: 3)
        append("Z")
    }

    /// `2026-11-24`.
    fileprivate mutating func append(dateOfDay days: Int64) {
        let (year, month, day) = Timestamp.civil(fromDays: days)
        if (0...9999).contains(year) { append(UInt64(year), digits: 4) } else { append(year) }
        append("-")
        append(UInt64(month), digits: 2)
        append("-")
        append(UInt64(day), digits: 2)
    }
}

extension Duration {
    /// Milliseconds, rounded towards zero.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
