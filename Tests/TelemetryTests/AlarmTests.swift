import JSON
import Telemetry
import Testing

/// CloudWatch's own tables of how alarms treat missing data.
@Suite struct AlarmTests {
    private static let period = 60

    private static func alarm(
        _ needed: Int, _ treatment: MissingDataTreatment
    ) -> AlarmDefinition {
        AlarmDefinition(
            name: "a", metric: Metric("N", "M"), statistic: .maximum, periodSeconds: period,
            evaluationPeriods: 3, datapointsToAlarm: needed, threshold: 1,
            comparison: .greaterThanThreshold, treatMissingData: treatment)
    }

    /// `0` ok, `X` breaching, `-` none; the newest to the right.
    private static func points(_ text: String) -> [AlarmDatapoint?] {
        text.enumerated().map { index, character in
            let start = Timestamp(milliseconds: Int64(index * period) * 1000)
            switch character {
            case "0": return AlarmDatapoint(start: start, value: 0)
            case "X": return AlarmDatapoint(start: start, value: 2)
            default: return nil
            }
        }
    }

    private static let rows: [(needed: Int, points: String, states: [AlarmStateValue?])] = [
        (3, "0-X-X", [.ok, .ok, .ok, .ok]),
        (3, "0----", [.ok, .ok, .ok, .ok]),
        (3, "-----", [.insufficientData, nil, .alarm, .ok]),
        (3, "0XX-X", [.alarm, .alarm, .alarm, .alarm]),
        (3, "--X--", [.alarm, nil, .alarm, .ok]),
        (2, "0-X-X", [.alarm, .alarm, .alarm, .alarm]),
        (2, "00X0X", [.alarm, .alarm, .alarm, .alarm]),
        (2, "0-X--", [.ok, .ok, .alarm, .ok]),
        (2, "---X-", [.alarm, nil, .alarm, .ok]),
    ]

    @Test("M of N with missing data", arguments: rows.indices)
    func goldenRows(row: Int) {
        let (needed, text, states) = Self.rows[row]
        let treatments: [MissingDataTreatment] = [.missing, .ignore, .breaching, .notBreaching]
        for (treatment, expected) in zip(treatments, states) {
            let judgement = Self.alarm(needed, treatment).judge(Self.points(text))
            #expect(judgement.state == expected, "\(text), \(needed) of 3, \(treatment)")
        }
    }

    @Test("a watcher sees every change, and each once")
    func watch() {
        let definition = AlarmDefinition(
            name: "a", metric: Metric("N", "M"), statistic: .sum, periodSeconds: 60,
            evaluationPeriods: 1, threshold: 0, comparison: .greaterThanThreshold,
            treatMissingData: .notBreaching)
        func point(_ second: Int64, _ value: Double) -> MetricSeries.Point {
            MetricSeries.Point(
                time: Timestamp(milliseconds: second * 1000), values: StatisticSet(value))
        }
        let series = MetricSeries([point(30, 0), point(90, 2), point(250, 0)])
        var monitor = AlarmMonitor(definition, .initial(at: Timestamp(milliseconds: 0)))
        let end = Timestamp(milliseconds: 600_000)
        let changes = monitor.watch(series, after: Timestamp(milliseconds: 0), upTo: end)
        #expect(changes.map(\.to) == [.ok, .alarm, .ok])
        #expect(
            changes[1].reason
                == "Threshold Crossed: 1 datapoint [2.0 (01/01/70 00:01:00)] was greater than the "
                + "threshold (0.0).")
        #expect(monitor.state.since == changes[2].time)
        let again = monitor.watch(series, after: monitor.state.since, upTo: end)
        #expect(again.isEmpty)
    }

    private static func reason(
        _ values: [Double], needed: Int?, periods: Int = 1, threshold: Double = 1
    ) -> String? {
        let definition = AlarmDefinition(
            name: "a", metric: Metric("N", "M"), statistic: .sum, periodSeconds: 60,
            evaluationPeriods: periods, datapointsToAlarm: needed, threshold: threshold,
            comparison: .greaterThanThreshold, treatMissingData: .ignore)
        let points = values.enumerated().map { index, value in
            MetricSeries.Point(
                time: Timestamp(milliseconds: Int64(index) * 60_000), values: StatisticSet(value))
        }
        var monitor = AlarmMonitor(definition, .initial(at: Timestamp(milliseconds: 0)))
        let end = Timestamp(milliseconds: Int64(values.count) * 60_000)
        return monitor.look(at: MetricSeries(points), end: end)?.reason
    }

    @Test("reasons have the long form where datapointsToAlarm is set")
    func reasons() {
        #expect(
            Self.reason([2], needed: nil)
                == "Threshold Crossed: 1 datapoint [2.0 (01/01/70 00:00:00)] was greater than the "
                + "threshold (1.0).")
        #expect(
            Self.reason([2], needed: 1)
                == "Threshold Crossed: 1 out of the last 1 datapoints [2.0 (01/01/70 00:00:00)] was "
                + "greater than the threshold (1.0) (minimum 1 datapoint for OK -> ALARM "
                + "transition).")
        #expect(
            Self.reason([2, 0], needed: 2, periods: 2)
                == "Threshold Crossed: 1 out of the last 2 datapoints [0.0 (01/01/70 00:01:00)] was "
                + "not greater than the threshold (1.0) (minimum 1 datapoint for ALARM -> OK "
                + "transition).")
        #expect(
            Self.reason([2, 3], needed: 2, periods: 2)
                == "Threshold Crossed: 2 out of the last 2 datapoints [3.0 (01/01/70 00:01:00), "
                + "2.0 (01/01/70 00:00:00)] were greater than the threshold (1.0) (minimum 2 "
                + "datapoints for OK -> ALARM transition).")
    }

    @Test(
        "reasons write numbers as Java does",
        arguments: [
            (860_604_416, "8.60604416E8"), (10_000_000, "1.0E7"), (9_999_999.5, "9999999.5"),
            (-12_345_678, "-1.2345678E7"), (0.001, "0.001"), (0.00012, "1.2E-4"),
            (0.00001, "1.0E-5"), (0.000999, "9.99E-4"), (1e23, "1.0E23"), (1.5e300, "1.5E300"),
            (0, "0.0"), (99.95, "99.95"), (1e-300, "1.0E-300"),
        ])
    func numbers(value: Double, text: String) {
        let reason = Self.reason([value], needed: nil, threshold: value) ?? ""
        #expect(reason.contains("[\(text) ("), "\(reason)")
        #expect(reason.hasSuffix("the threshold (\(text))."), "\(reason)")
    }

    @Test("an alarm of a stack, in its short and its long form")
    func definitions() throws {
        let short = try JSONValue.parse(
            """
            {"lambda": "F", "metric": "Errors", "statistic": "p99.9", "period": 60,
             "evaluationPeriods": 5, "datapointsToAlarm": 3, "threshold": 1.5,
             "comparison": "LessThanThreshold"}
            """)
        let alarm = try #require(
            AlarmDefinition(name: "A", json: short) { $0 + "Service" })
        #expect(alarm.metric == LambdaMetrics.metric("Errors", function: "FService"))
        #expect(alarm.statistic == .percentile(99.9))
        #expect(alarm.datapointsToAlarm == 3)
        #expect(alarm.treatMissingData == .missing)
        #expect(AlarmDefinition(name: "A", json: ["metric": "x"], functionName: { $0 }) == nil)
    }
}
