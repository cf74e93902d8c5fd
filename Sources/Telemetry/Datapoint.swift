import JSON

/// Values of one metric at one moment: a line of `.msorch/metrics/YYYY-MM-DD.jsonl`.
package struct Datapoint: Equatable, Sendable {
    package var metric: Metric
    package var unit: MetricUnit
    package var time: Timestamp
    package var values: StatisticSet

    package init(_ metric: Metric, _ unit: MetricUnit, _ time: Timestamp, _ values: StatisticSet) {
        self.metric = metric
        self.unit = unit
        self.time = time
        self.values = values
    }

    package init(_ metric: Metric, _ unit: MetricUnit, _ time: Timestamp, _ value: Double) {
        self.init(metric, unit, time, StatisticSet(value))
    }

    /// The members in CloudWatch's words. `values` and `counts` are left out where all values are
    /// one and the same.
    package var json: JSONValue {
        var dimensions = JSONObject()
        for dimension in metric.dimensions { dimensions[dimension.name] = .string(dimension.value) }
        var object: JSONObject = [
            "timestamp": .int(time.milliseconds),
            "namespace": .string(metric.namespace),
            "metric": .string(metric.name),
            "dimensions": .object(dimensions),
            "unit": .string(unit.rawValue),
            "count": .double(values.count),
            "sum": .double(values.sum),
            "min": .double(values.minimum),
            "max": .double(values.maximum),
        ]
        if values.minimum != values.maximum {
            let histogram = values.histogram
            object["values"] = .array(histogram.map { .double($0.value) })
            object["counts"] = .array(histogram.map { .double($0.count) })
        }
        return .object(object)
    }

    /// What `json` wrote; `nil` for anything else.
    package init?(json: JSONValue) {
        guard let milliseconds = json["timestamp"]?.intValue,
            let namespace = json["namespace"]?.stringValue,
            let name = json["metric"]?.stringValue,
            let unit = json["unit"]?.stringValue.flatMap(MetricUnit.init(rawValue:)),
            let values = StatisticSet(json: json)
        else { return nil }
        var dimensions: [Dimension] = []
        for member in json["dimensions"]?.objectValue?.members ?? [] {
            guard let value = member.value.stringValue else { return nil }
            dimensions.append(Dimension(member.key, value))
        }
        self.init(
            Metric(namespace, name, dimensions), unit, Timestamp(milliseconds: milliseconds),
            values)
    }
}

extension StatisticSet {
    fileprivate init?(json: JSONValue) {
        guard let count = json["count"]?.doubleValue, let sum = json["sum"]?.doubleValue,
            let minimum = json["min"]?.doubleValue, let maximum = json["max"]?.doubleValue
        else { return nil }
        let values = json["values"]?.arrayValue ?? []
        let counts = json["counts"]?.arrayValue ?? []
        self.init(
            count: count, sum: sum, minimum: minimum, maximum: maximum,
            values: values.compactMap(\.doubleValue), counts: counts.compactMap(\.doubleValue))
    }
}
