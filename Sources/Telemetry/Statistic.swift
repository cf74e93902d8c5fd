/// What is asked of a period's values, in CloudWatch's words: `Sum`, `Average`, `p99.9`.
package enum Statistic: Hashable, Sendable, CustomStringConvertible {
    case sum
    case average
    case minimum
    case maximum
    case sampleCount
    /// Above 0, at most 100.
    case percentile(Double)

    /// Reads a name in any case; `Min`, `Max` and `Count` are understood too.
    package init?(_ text: String) {
        switch text.lowercased() {
        case "sum": self = .sum
        case "average", "avg": self = .average
        case "minimum", "min": self = .minimum
        case "maximum", "max": self = .maximum
        case "samplecount", "count": self = .sampleCount
        case let other:
            guard other.first == "p" else { return nil }
            let digits = other.dropFirst()
            guard digits.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }),
                let percent = Double(digits), percent >= 0, percent <= 100
            else { return nil }
            self = .percentile(percent)
        }
    }

    package var description: String {
        switch self {
        case .sum: return "Sum"
        case .average: return "Average"
        case .minimum: return "Minimum"
        case .maximum: return "Maximum"
        case .sampleCount: return "SampleCount"
        case .percentile(let percent):
            let whole = Int(percent)
            return Double(whole) == percent ? "p\(whole)" : "p\(percent)"
        }
    }

    /// The statistic of these values; `nil` where there are none, or it is beyond all numbers.
    package func value(of set: StatisticSet) -> Double? {
        guard !set.isEmpty, let value = number(of: set), value.isFinite else { return nil }
        return value
    }

    private func number(of set: StatisticSet) -> Double? {
        switch self {
        case .sum: return set.sum
        case .average: return set.average
        case .minimum: return set.minimum
        case .maximum: return set.maximum
        case .sampleCount: return set.count
        case .percentile(let percent): return set.percentile(percent)
        }
    }
}
