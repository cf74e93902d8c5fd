import JSON

/// Values gathered by metric and second, until they are written: what a command or a flush of
/// `serve` leaves behind, so that a thousand invocations are not a thousand lines.
package struct MetricBatch: Sendable {
    /// Up to here all of them are looked through: a command has few.
    private static let fewSets = 16

    private struct Key: Hashable {
        var metric: Metric
        var unit: MetricUnit
        var second: Int64
    }

    private var sets: [(key: Key, values: StatisticSet)] = []
    /// Where each is, once there are many; empty before.
    private var places: [Key: Int] = [:]

    package init() {}

    /// How many datapoints a flush would write.
    package var count: Int { sets.count }
    package var isEmpty: Bool { sets.isEmpty }

    package mutating func record(
        _ metric: Metric, _ value: Double, _ unit: MetricUnit, at time: Timestamp
    ) {
        guard value.isFinite else { return }
        let place = place(of: Key(metric: metric, unit: unit, second: time.seconds))
        sets[place].values.add(value)
    }

    package mutating func record(_ datapoint: Datapoint) {
        guard !datapoint.values.isEmpty else { return }
        let key = Key(
            metric: datapoint.metric, unit: datapoint.unit, second: datapoint.time.seconds)
        let place = place(of: key)
        sets[place].values.merge(datapoint.values)
    }

    private mutating func place(of key: Key) -> Int {
        let known =
            sets.count > Self.fewSets ? places[key] : sets.firstIndex { $0.key == key }
        if let known { return known }
        sets.append((key, StatisticSet()))
        if sets.count == Self.fewSets + 1 {
            for (place, set) in sets.enumerated() { places[set.key] = place }
        } else if sets.count > Self.fewSets {
            places[key] = sets.count - 1
        }
        return sets.count - 1
    }

    /// Everything gathered, oldest first; the batch is empty afterwards.
    package mutating func drain() -> [Datapoint] {
        defer { self = MetricBatch() }
        return sets.map {
            Datapoint(
                $0.key.metric, $0.key.unit, Timestamp(milliseconds: $0.key.second * 1000),
                $0.values)
        }.sorted { ($0.time, $0.metric) < ($1.time, $1.metric) }
    }
}
