import JSON
import Telemetry
import Testing

@Suite struct StatisticTests {
    @Test(
        "statistics of 1 to 1000",
        arguments: [
            ("Sum", 500_500), ("Average", 500.5), ("Minimum", 1), ("Maximum", 1000),
            ("SampleCount", 1000), ("p50", 500), ("p99", 990), ("p100", 1000), ("p0", 1),
        ])
    func statistics(name: String, expected: Double) throws {
        var left = StatisticSet()
        var right = StatisticSet()
        for value in 1...1000 {
            if value.isMultiple(of: 3) { left.add(Double(value)) } else { right.add(Double(value)) }
        }
        left.merge(right)
        let statistic = try #require(Statistic(name))
        let value = try #require(statistic.value(of: left))
        #expect(abs(value - expected) <= expected * StatisticSet.relativeError)
    }

    @Test("a datapoint is the same after being written and read")
    func datapoints() throws {
        var set = StatisticSet()
        for value in [0.25, 7, 7, 1e6] { set.add(value) }
        let datapoint = Datapoint(
            LambdaMetrics.metric("Duration", function: "F"), .milliseconds,
            Timestamp(milliseconds: 5000), set)
        let read = try #require(Datapoint(json: datapoint.json))
        #expect(read.metric == datapoint.metric && read.time == datapoint.time)
        #expect(read.values.sum == set.sum && read.values.maximum == 1e6)
        #expect(read.values.percentile(50) == set.percentile(50))
    }

    @Test(
        "sparklines",
        arguments: [
            ([0, 1, 2], "▁▄█"), ([nil, 5, nil], "·█·"), ([0, 0], "▁▁"), ([], ""),
        ] as [([Double?], String)])
    func sparklines(values: [Double?], expected: String) {
        let drawn = Sparkline.draw(values, width: 6)
        #expect(drawn.count == min(values.count, 6))
        #expect(drawn == expected)
    }

    @Test(
        "log filters",
        arguments: [
            ("", "anything", true), ("ERROR", "an ERROR here", true), ("ERROR", "error", false),
            ("a b", "b then a", true), (#""a b""#, "b then a", false), ("?x ?y", "has y", true),
            ("a -b", "a and b", false),
        ])
    func filters(pattern: String, message: String, passes: Bool) {
        #expect(LogFilter(pattern).matches(message) == passes)
    }
}
