import JSON

/// One metric's values over time, in order.
package struct MetricSeries: Equatable, Sendable {
    package struct Point: Equatable, Sendable {
        package var time: Timestamp
        package var values: StatisticSet

        package init(time: Timestamp, values: StatisticSet) {
            self.time = time
            self.values = values
        }
    }

    package private(set) var points: [Point]

    /// Points in any order.
    package init(_ points: [Point]) { self.points = points.sorted { $0.time < $1.time } }

    /// The datapoints of `metric`; every other is passed over.
    package init(_ metric: Metric, in datapoints: [Datapoint]) {
        self.init(
            datapoints.lazy.filter { $0.metric == metric }.map {
                Point(time: $0.time, values: $0.values)
            })
    }

    /// Every metric's series.
    package static func all(_ datapoints: [Datapoint]) -> [Metric: MetricSeries] {
        Dictionary(grouping: datapoints, by: \.metric).mapValues { datapoints in
            MetricSeries(datapoints.map { Point(time: $0.time, values: $0.values) })
        }
    }

    /// All values from `start` (included) to `end` (excluded).
    package func values(from start: Timestamp, to end: Timestamp) -> StatisticSet {
        var result = StatisticSet()
        var index = firstIndex(from: start)
        while index < points.count, points[index].time < end {
            result.merge(points[index].values)
            index += 1
        }
        return result
    }

    /// One point for each period that has values, stamped with the period's start; periods begin
    /// at multiples of their length since the epoch, as CloudWatch aligns them.
    package func folded(periodSeconds: Int) -> MetricSeries {
        let period = Int64(periodSeconds) * 1000
        var result: [Point] = []
        for point in points {
            let start = Timestamp(
                milliseconds: point.time.milliseconds.flooredToMultiple(of: period))
            if result.last?.time == start {
                result[result.count - 1].values.merge(point.values)
            } else {
                result.append(Point(time: start, values: point.values))
            }
        }
        return MetricSeries(result)
    }

    /// A statistic for each period that overlaps `start..<end`, `nil` where there is no value.
    package func statistics(
        _ statistic: Statistic, periodSeconds: Int, from start: Timestamp, to end: Timestamp
    ) -> [(start: Timestamp, value: Double?)] {
        let period = Int64(periodSeconds) * 1000
        var at = start.milliseconds.flooredToMultiple(of: period)
        var result: [(start: Timestamp, value: Double?)] = []
        while at < end.milliseconds {
            let from = Timestamp(milliseconds: at)
            let set = values(from: from, to: Timestamp(milliseconds: at + period))
            result.append((from, statistic.value(of: set)))
            at += period
        }
        return result
    }

    private func firstIndex(from start: Timestamp) -> Int {
        var low = 0
        var high = points.count
        while low < high {
            let middle = (low + high) / 2
            if points[middle].time < start { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Int64 {
    package func flooredToMultiple(of step: Int64) -> Int64 {
        let rest = self % step
        return self - (rest < 0 ? rest + step : rest)
    }
}
