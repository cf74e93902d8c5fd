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

    /// Appends the members in CloudWatch's words, as JSON. `values` and `counts` are left out where
    /// all values are one and the same.
    package func append(to output: inout [UInt8]) {
        JSONWriter.append("{\"timestamp\":", &output)
        JSONWriter.appendInteger(time.milliseconds, to: &output)
        JSONWriter.append(",\"namespace\":", &output)
        JSONWriter.appendString(metric.namespace, to: &output)
        JSONWriter.append(",\"metric\":", &output)
        JSONWriter.appendString(metric.name, to: &output)
        JSONWriter.append(",\"dimensions\":{", &output)
        for (index, dimension) in metric.dimensions.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            JSONWriter.appendString(dimension.name, to: &output)
            output.append(UInt8(ascii: ":"))
            JSONWriter.appendString(dimension.value, to: &output)
        }
        JSONWriter.append("},\"unit\":", &output)
        JSONWriter.appendString(unit.rawValue, to: &output)
        JSONWriter.append(",\"count\":", &output)
        Self.append(values.count, to: &output)
        JSONWriter.append(",\"sum\":", &output)
        Self.append(values.sum, to: &output)
        JSONWriter.append(",\"min\":", &output)
        Self.append(values.minimum, to: &output)
        JSONWriter.append(",\"max\":", &output)
        Self.append(values.maximum, to: &output)
        if values.minimum != values.maximum {
            let histogram = values.histogram
            JSONWriter.append(",\"values\":[", &output)
            Self.append(histogram.lazy.map(\.value), to: &output)
            JSONWriter.append("],\"counts\":[", &output)
            Self.append(histogram.lazy.map(\.count), to: &output)
            output.append(UInt8(ascii: "]"))
        }
        output.append(UInt8(ascii: "}"))
    }

    private static func append(_ numbers: some Sequence<Double>, to output: inout [UInt8]) {
        var isFirst = true
        for number in numbers {
            if !isFirst { output.append(UInt8(ascii: ",")) }
            isFirst = false
            append(number, to: &output)
        }
    }

    private static func append(_ number: Double, to output: inout [UInt8]) {
        if let whole = Int64(exactly: number) {
            JSONWriter.appendInteger(whole, to: &output)
        } else {
            output.append(contentsOf: JSONNumber(number).text.utf8)
        }
    }

    /// What `append` wrote; `nil` for anything else.
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
