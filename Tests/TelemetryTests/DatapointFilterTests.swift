import JSON
import Telemetry
import Testing

@Suite struct DatapointFilterTests {
    private static let filter = DatapointFilter(
        from: Timestamp(milliseconds: 1000), to: Timestamp(milliseconds: 5000),
        of: [
            Metric("AWS/SQS", "Sent", [Dimension("QueueName", "q")]),
            Metric("S\"h", "Load", [Dimension("A", "1"), Dimension("B", "2")]),
        ])

    private static let rest = #","unit":"Count","count":1,"sum":2,"min":2,"max":2}"#
    private static let queue = #","dimensions":{"QueueName":"q"}"#

    @Test(
        "who wants some metrics gets them, however their lines are written",
        arguments: [
            (#"{"timestamp":1000,"namespace":"AWS/SQS","metric":"Sent"\#(queue)"#, true),
            (#"{"timestamp":4999,"namespace":"AWS/SQS","metric":"Sent"\#(queue)"#, true),
            (#"{"timestamp":999,"namespace":"AWS/SQS","metric":"Sent"\#(queue)"#, false),
            (#"{"timestamp":5000,"namespace":"AWS/SQS","metric":"Sent"\#(queue)"#, false),
            (#"{"timestamp":1000,"namespace":"AWS/SQS","metric":"Sen"\#(queue)"#, false),
            (#"{"timestamp":1000,"namespace":"AWS/SQ","metric":"Sent"\#(queue)"#, false),
            (#"{"timestamp":1000,"namespace":"AWS/SQS","metric":"Sent","dimensions":{}"#, false),
            (#"{"timestamp":1000,"namespace":"AWS\/SQS","metric":"S\u0065nt"\#(queue)"#, true),
            (#"{"timestamp":1000,"namespace":"AWS/SQS"\#(queue),"metric":"Sent""#, true),
            (#"{ "metric":"Sent","namespace":"AWS/SQS","timestamp":1000\#(queue)"#, true),
            (#"{ "metric":"Sent","namespace":"AWS/SQS","timestamp":5000\#(queue)"#, false),
            (
                #"{"timestamp":1000,"namespace":"S\"h","metric":"Load","#
                    + #""dimensions":{"B":"2","A":"1"}"#, true
            ),
            (#"{"timestamp":-1,"namespace":"AWS/SQS","metric":"Sent"\#(queue)"#, false),
            (#"{"timestamp":99999999999999999999,"namespace":"AWS/SQS""#, false),
            (#"{"timestamp":1000,"namespace":"AWS/SQS","metric":"#, false),
            (#"{"timestamp":1000,"namespace":"AWS/S"#, false), ("", false),
        ])
    func lines(beginning: String, passes: Bool) {
        let line = Array((beginning + Self.rest).utf8)
        let datapoint = line.withUnsafeBytes { Self.filter.datapoint(line: $0) }
        #expect((datapoint != nil) == passes)
        #expect(datapoint.map { $0.values.sum == 2 } != false)
    }

    @Test("who wants all gets all of the time")
    func all() {
        let filter = DatapointFilter(
            from: Timestamp(milliseconds: 0), to: Timestamp(milliseconds: 2))
        for (time, passes) in [(0, true), (1, true), (2, false)] {
            let text = #"{"timestamp":\#(time),"namespace":"N","metric":"M""# + Self.rest
            let datapoint = Array(text.utf8).withUnsafeBytes { filter.datapoint(line: $0) }
            #expect((datapoint != nil) == passes)
        }
    }
}
