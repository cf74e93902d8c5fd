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
            LambdaMetrics.metric("Duration", function: "F\"1"), .milliseconds,
            Timestamp(milliseconds: 5000), set)
        var line: [UInt8] = []
        datapoint.append(to: &line)
        #expect(
            String(decoding: line, as: UTF8.self)
                == #"{"timestamp":5000,"namespace":"AWS/Lambda","metric":"Duration","#
                + #""dimensions":{"FunctionName":"F\"1"},"unit":"Milliseconds","count":4,"#
                + #""sum":1000014.25,"min":0.25,"max":1000000,"values":[0.25,7,999424],"#
                + #""counts":[1,2,1]}"#)
        let read = try #require(Datapoint(json: JSONValue.parse(line)))
        #expect(read.metric == datapoint.metric && read.time == datapoint.time)
        #expect(read.values.sum == set.sum && read.values.maximum == 1e6)
        #expect(read.values.percentile(50) == set.percentile(50))
    }

    @Test("buckets are the same in whatever order values come")
    func buckets() {
        let values = [300, -5, 0, 7, 1e-9, 7, -1e12, 300]
        var forward = StatisticSet()
        var merged = StatisticSet()
        for value in values { forward.add(value) }
        for value in values.reversed() { merged.merge(StatisticSet(value)) }
        #expect(forward.histogram.map(\.value) == merged.histogram.map(\.value))
        #expect(forward.histogram.map(\.count) == [1, 1, 1, 1, 2, 2])
        #expect(forward.histogram.map(\.count) == merged.histogram.map(\.count))
        #expect(forward.histogram.map(\.value) == forward.histogram.map(\.value).sorted())
    }

    @Test("a batch keeps metrics apart, few or many", arguments: [1, 16, 17, 40])
    func batches(queues: Int) {
        var batch = MetricBatch()
        let names = (0..<queues).map { "Q\(100 + $0)" }
        for second in [0, 1, 0] as [Int64] {
            for name in names {
                let time = Timestamp(milliseconds: second * 1000 + 7)
                var tally = SQSTally(name, at: time)
                tally.received(2)
                for datapoint in tally.datapoints { batch.record(datapoint) }
                batch.record(Metric("Mine", "M", []), 1, .count, at: time)
            }
        }
        #expect(batch.count == 2 * queues + 2)
        let drained = batch.drain()
        #expect(batch.isEmpty)
        #expect(drained.map(\.time) == drained.map(\.time).sorted())
        let sums = drained.filter { $0.metric.namespace == "AWS/SQS" }.map(\.values.sum)
        #expect(sums == names.map { _ in 4 } + names.map { _ in 2 })
    }

    @Test("a tally takes one queue's second, and says what was counted one by one")
    func tallies() {
        let time = Timestamp(milliseconds: 5999)
        var tally = SQSTally("Q", at: time)
        #expect(tally.takes("Q", at: Timestamp(milliseconds: 5000)))
        #expect(!tally.takes("Q", at: Timestamp(milliseconds: 6000)))
        #expect(!tally.takes("R", at: time))
        #expect(tally.datapoints.isEmpty)
        tally.sent(messageBytes: 10, [30])
        tally.sent(messageBytes: 5)
        tally.received(0)
        tally.received(7)
        tally.received(0)
        tally.deleted(0)
        tally.deleted(3)
        let said = tally.datapoints.map { point in
            let values = point.values
            return "\(point.metric.name) \(values.count) \(values.sum) \(values.maximum)"
        }
        #expect(
            said == [
                "NumberOfMessagesSent 2.0 3.0 2.0", "SentMessageSize 3.0 45.0 30.0",
                "NumberOfMessagesReceived 1.0 7.0 7.0", "NumberOfEmptyReceives 2.0 2.0 1.0",
                "NumberOfMessagesDeleted 1.0 3.0 3.0",
            ])
        #expect(tally.datapoints.allSatisfy { $0.metric[dimension: "QueueName"] == "Q" })
    }

    @Test(
        "sparklines",
        arguments: [
            ([0, 1, 2], "▁▄█"), ([nil, 5, nil], "·█·"), ([0, 0], "▁▁"), ([], ""),
            ([.infinity, 1, .nan], "·█·"), ([-1.7e308, 0, 1.7e308], "▁▄█"),
            ([0, .leastNonzeroMagnitude], "▁█"),
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
            ("a -b", "a and b", false), (#""{ $.a""#, "{ $.a = 1 }", true),
            (#""%" a{"#, "100% a{", true),
        ])
    func filters(pattern: String, message: String, passes: Bool) {
        #expect(LogFilter(pattern)?.matches(message) == passes)
    }

    @Test(
        "CloudWatch's other patterns are no words",
        arguments: [#"{ $.level = "ERROR" }"#, " [ip, user]", #"a %\d+%"#, "-%x%"])
    func otherFilters(pattern: String) {
        #expect(LogFilter(pattern) == nil)
    }
}
