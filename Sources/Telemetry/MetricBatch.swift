import JSON

/// Values gathered by metric and second, until they are written: what a command or a flush of
/// `serve` leaves behind, so that a thousand invocations are not a thousand lines.
package struct MetricBatch: Sendable {
    private struct Key: Hashable {
        var metric: Metric
        var unit: MetricUnit
        var second: Int64
    }

    private var sets: [Key: StatisticSet] = [:]

    package init() {}

    /// How many datapoints a flush would write.
    package var count: Int { sets.count }
    package var isEmpty: Bool { sets.isEmpty }

    package mutating func record(
        _ metric: Metric, _ value: Double, _ unit: MetricUnit, at time: Timestamp
    ) {
        guard value.isFinite else { return }
        sets[Key(metric: metric, unit: unit, second: time.seconds), default: StatisticSet()]
            .add(value)
    }

    package mutating func record(_ datapoint: Datapoint) {
        guard !datapoint.values.isEmpty else { return }
        let key = Key(
            metric: datapoint.metric, unit: datapoint.unit, second: datapoint.time.seconds)
        sets[key, default: StatisticSet()].merge(datapoint.values)
    }

    /// Everything gathered, oldest first; the batch is empty afterwards.
    package mutating func drain() -> [Datapoint] {
        defer { sets = [:] }
        return sets.map {
            Datapoint(
                $0.key.metric, $0.key.unit, Timestamp(milliseconds: $0.key.second * 1000), $0.value)
        }.sorted { ($0.time, $0.metric) < ($1.time, $1.metric) }
    }
}
