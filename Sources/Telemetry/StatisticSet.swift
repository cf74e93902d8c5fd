/// Count, sum, extremes and a histogram of values: what merges without losing a percentile.
///
/// A bucket is a double's sign, exponent and seven highest fraction bits, so 128 buckets lie
/// between
/// a value and its double. A bucket stands for its edge nearest to zero: at most 1/128 (0.79 %)
/// closer to zero than any value in it, and exact for whole numbers up to 256. No logarithm is
/// needed, and every machine makes the same buckets.
package struct StatisticSet: Equatable, Sendable {
    /// The largest relative error of a percentile.
    package static let relativeError = 1.0 / 128

    package private(set) var count = 0.0
    package private(set) var sum = 0.0
    package private(set) var minimum = Double.infinity
    package private(set) var maximum = -Double.infinity
    /// Sorted by their keys.
    private var buckets: [Bucket] = []

    private struct Bucket: Equatable {
        var key: Int32
        var count: Double
    }

    package init() {}

    package init(_ value: Double) { add(value) }

    /// What was stored: the summary, and the buckets as pairs of a value and its count. `nil` where
    /// the numbers cannot belong together.
    package init?(
        count: Double, sum: Double, minimum: Double, maximum: Double, values: [Double],
        counts: [Double]
    ) {
        guard count > 0, count.isFinite, sum.isFinite, minimum.isFinite, maximum.isFinite,
            minimum <= maximum, values.count == counts.count, values.allSatisfy(\.isFinite),
            counts.allSatisfy({ $0 > 0 && $0.isFinite })
        else { return nil }
        self.count = count
        self.sum = sum
        self.minimum = minimum
        self.maximum = maximum
        if values.isEmpty {
            // A statistic set without its values: the best that is known is where they end.
            if minimum == maximum {
                add(count, to: Self.bucket(of: minimum))
            } else {
                add(count / 2, to: Self.bucket(of: minimum))
                add(count / 2, to: Self.bucket(of: maximum))
            }
        } else {
            for (value, count) in zip(values, counts) { add(count, to: Self.bucket(of: value)) }
        }
    }

    package var isEmpty: Bool { count == 0 }
    package var average: Double { isEmpty ? 0 : sum / count }

    /// Adds `value` as often as `times` says; what is not a finite number is left out, as
    /// CloudWatch refuses it.
    package mutating func add(_ value: Double, times: Double = 1) {
        guard value.isFinite, times > 0, times.isFinite else { return }
        count += times
        sum += value * times
        minimum = Swift.min(minimum, value)
        maximum = Swift.max(maximum, value)
        add(times, to: Self.bucket(of: value))
    }

    /// As if every value of `other` had been added here.
    package mutating func merge(_ other: StatisticSet) {
        guard !other.isEmpty else { return }
        count += other.count
        sum += other.sum
        minimum = Swift.min(minimum, other.minimum)
        maximum = Swift.max(maximum, other.maximum)
        if buckets.isEmpty { buckets = other.buckets } else { merge(other.buckets) }
    }

    private mutating func merge(_ others: [Bucket]) {
        for bucket in others { add(bucket.count, to: bucket.key) }
    }

    private mutating func add(_ count: Double, to key: Int32) {
        var low = 0
        var high = buckets.count
        while low < high {
            let middle = (low + high) / 2
            if buckets[middle].key < key { low = middle + 1 } else { high = middle }
        }
        if low < buckets.count, buckets[low].key == key {
            buckets[low].count += count
        } else {
            buckets.insert(Bucket(key: key, count: count), at: low)
        }
    }

    /// The value below or at which `percent` of the values lie (nearest rank), within
    /// `relativeError`; `nil` without values.
    package func percentile(_ percent: Double) -> Double? {
        guard !isEmpty else { return nil }
        let rank = percent / 100 * count
        if rank <= 0 { return minimum }
        if percent >= 100 { return maximum }
        var passed = 0.0
        for bucket in buckets {
            passed += bucket.count
            // A hair of room: 0.999 times 1000 may come out a little above 999.
            if passed >= rank - 1e-9 * self.count {
                return Swift.min(Swift.max(Self.value(of: bucket.key), minimum), maximum)
            }
        }
        return maximum
    }

    /// The histogram as values and their counts, ascending: CloudWatch's `Values` and `Counts`.
    package var histogram: [(value: Double, count: Double)] {
        buckets.map { (Self.value(of: $0.key), $0.count) }
    }

    private static let droppedBits: UInt64 = 52 - 7

    /// Ordered as the values are; zero for zero and for what is too small to be normal.
    private static func bucket(of value: Double) -> Int32 {
        guard value.magnitude >= Double.leastNormalMagnitude else { return 0 }
        let index = Int32(truncatingIfNeeded: value.magnitude.bitPattern >> droppedBits)
        return value < 0 ? -index : index
    }

    private static func value(of bucket: Int32) -> Double {
        let edge = Double(bitPattern: UInt64(bucket.magnitude) << droppedBits)
        return bucket < 0 ? -edge : edge
    }
}
