import JSON
import Services
import StackModel
import Telemetry

extension Command {
    /// Of each metric, as for CloudWatch's GetMetricData.
    private static let mostDatapoints = 100_800

    static let metrics = Command(
        path: ["metrics"], abstract: "Shows what functions, queues and routes did, over time.",
        arguments: [
            Argument(
                name: "RESOURCE", help: "A function, a queue or the API (default: all).",
                isOptional: true,
                isRepeated: true)
        ],
        options: [
            .text("since", "TIME", "How far back: 90s, 10m, 1h, 7d (default: 1h)."),
            .number("period", "SECONDS", 1...86_400, "Seconds a datapoint covers (default: 60)."),
            .text(
                "stat", "STATISTIC",
                "Sum, Average, Minimum, Maximum, SampleCount or a percentile as p99 (default: what "
                    + "suits the metric)."),
        ],
        examples: [
            "msorch metrics", "msorch metrics CreateOrder --stat p95",
            "msorch metrics OrderQueue --since 1d --period 3600 --output csv",
        ],
        formats: Output.Format.allCases,
        run: { invocation in
            let span = try TimeSpan.parse(invocation.text("since") ?? "1h", "since")
            let period = Int(invocation.number("period") ?? 60)
            let statistic = try invocation.text("stat").map { text throws(CommandError) in
                guard let statistic = Statistic(text) else {
                    throw CommandError(
                        .usage, "--stat must be a statistic, not \(text).",
                        hint: "Sum, Average, Minimum, Maximum, SampleCount, p99.")
                }
                return statistic
            }
            let now = StackClock().now()
            let count = span.components.seconds / Int64(period) + 1
            guard count <= mostDatapoints else {
                throw CommandError(
                    .usage,
                    "--period \(period) makes \(count) datapoints of each metric; "
                        + "\(mostDatapoints) is the most.",
                    hint: "A longer --period or a shorter --since makes fewer.")
            }
            // Whole periods: a part of one would be shown as if it were all.
            let step = Int64(period) * 1000
            let start = Timestamp(
                milliseconds: (now - span).milliseconds.flooredToMultiple(of: step))
            let datapoints = try MetricStore(stateDirectory: invocation.stateDirectory)
                .read(from: start, to: now + .seconds(1))
            let rows = MetricSeries.all(datapoints).compactMap { metric, series -> MetricRow? in
                guard let name = metric.resource else { return nil }
                let unit = datapoints.first { $0.metric == metric }?.unit ?? .none
                return MetricRow(
                    metric: metric, name: name, unit: unit, series: series,
                    statistic: statistic ?? metric.usualStatistic, period: period,
                    start: start, end: now)
            }
            let wanted = try names(invocation, known: Set(rows.map(\.name)))
            let shown = rows.filter { row in
                wanted?.contains { row.name == $0 || row.name.hasPrefix("\($0) ") } ?? true
            }
            .sorted {
                ($0.metric.namespace, $0.name, $0.metric) < (
                    $1.metric.namespace, $1.name, $1.metric
                )
            }
            try write(shown, invocation.output)
        })

    /// The names asked for, as metrics spell them; `nil` is all.
    private static func names(
        _ invocation: Invocation, known: Set<String>
    ) throws -> Set<String>? {
        guard !invocation.arguments.isEmpty else { return nil }
        let stack = try Deployment.load(invocation.stateDirectory)?.stack
        var known = try known.union(invocation.queues().names())
        if let stack, stack.json["routes"] != nil {
            let api = stack.api
            known.formUnion([api.name, api.id])
        }
        return try Set(
            invocation.arguments.map { name in
                if let function = stack?.function(name) { return function.functionName }
                guard known.contains(name) else {
                    let keys = stack?.functions.map(\.key) ?? []
                    let near = closestMatch(to: name, among: known.union(keys))
                    throw CommandError(
                        .notFound, "There is no function, queue or API '\(name)'.",
                        hint: near.map { "Did you mean '\($0)'?" })
                }
                return name
            })
    }

    private static func write(_ rows: [MetricRow], _ output: Output) throws {
        switch output.format {
        case .json: try output.data(JSONValue.array(rows.map(\.json)).serialized())
        case .csv:
            try output.csv(
                ["timestamp", "namespace", "name", "metric", "statistic", "unit", "value"],
                rows.flatMap(\.csv))
        case .text:
            guard !rows.isEmpty else { return output.note("There are no metrics in this time.") }
            try output.data(
                Output.table(
                    ["NAME", "METRIC", "STATISTIC", "VALUE", "UNIT", "OVER TIME"],
                    rows.map(\.text)))
        }
    }
}

/// One metric of one function or queue over the time shown.
private struct MetricRow {
    private static let width = 40

    var metric: Metric
    var name: String
    var unit: MetricUnit
    var series: MetricSeries
    var statistic: Statistic
    var period: Int
    var start: Timestamp
    var end: Timestamp

    private var values: [(start: Timestamp, value: Double?)] {
        series.statistics(statistic, periodSeconds: period, from: start, to: end)
    }
    private var total: Double? {
        statistic.value(of: series.values(from: start, to: end + .seconds(1)))
    }

    var text: [String] {
        [
            name, metric.name, statistic.description, total.map(Self.number) ?? "-",
            unit.rawValue, Sparkline.draw(values.map(\.value), width: Self.width),
        ]
    }

    var csv: [[String]] {
        values.compactMap { start, value in
            value.map {
                [
                    start.iso8601, metric.namespace, name, metric.name, statistic.description,
                    unit.rawValue, Self.number($0),
                ]
            }
        }
    }

    var json: JSONValue {
        [
            "namespace": .string(metric.namespace), "name": .string(name),
            "metric": .string(metric.name),
            "dimensions": .object(
                JSONObject(metric.dimensions.map { ($0.name, .string($0.value)) })),
            "statistic": .string(statistic.description), "unit": .string(unit.rawValue),
            "periodSeconds": .int(period), "value": total.map { .double($0) } ?? .null,
            "datapoints": .array(
                values.compactMap { start, value in
                    value.map { ["timestamp": .string(start.iso8601), "value": .double($0)] }
                }),
        ]
    }

    private static func number(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return Int64(exactly: rounded).map { String($0) } ?? String(rounded)
    }
}

extension Metric {
    /// The function, queue or API that it is about, as `orders prod POST /orders`; `nil` for the
    /// whole account's.
    fileprivate var resource: String? {
        if let name = self[dimension: "FunctionName"] ?? self[dimension: "QueueName"] {
            return name
        }
        guard let api = self[dimension: "ApiName"] ?? self[dimension: "ApiId"] else { return nil }
        let rest = ["Stage", "Method", "Resource"].compactMap { self[dimension: $0] }
        return ([api] + rest).joined(separator: " ")
    }

    /// How its values are usually looked at.
    fileprivate var usualStatistic: Statistic {
        switch name {
        case "Duration", "SentMessageSize", "Latency", "IntegrationLatency": .average
        case "ConcurrentExecutions": .maximum
        case let name where name.hasPrefix("Approximate"): .maximum
        default: .sum
        }
    }
}
