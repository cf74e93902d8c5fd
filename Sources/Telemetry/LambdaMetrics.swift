import JSON

/// The namespace `AWS/Lambda`: what an invocation and an environment leave behind.
package enum LambdaMetrics {
    package static let namespace = "AWS/Lambda"

    /// With `FunctionName`, or of the whole account.
    package static func metric(_ name: String, function: String? = nil) -> Metric {
        Metric(namespace, name, function.map { [Dimension("FunctionName", $0)] } ?? [])
    }

    /// One finished invocation, stamped with its start: under the function, and under no dimension
    /// for the account. Errors is 0 on success, so that its average is the error rate.
    package static func invocation(
        function: String, start: Timestamp, duration: Duration, isError: Bool
    ) -> [Datapoint] {
        let (seconds, attoseconds) = duration.components
        let milliseconds = Double(seconds) * 1000 + Double(attoseconds) / 1e15
        return both(function, "Invocations", 1, .count, start)
            + both(function, "Errors", isError ? 1 : 0, .count, start)
            + both(function, "Duration", milliseconds, .milliseconds, start)
    }

    /// A call refused for want of concurrency: no invocation, no error.
    package static func throttle(function: String, time: Timestamp) -> [Datapoint] {
        both(function, "Throttles", 1, .count, time)
    }

    /// How many invocations ran at once, seen when one began.
    package static func concurrency(
        function: String, running: Int, time: Timestamp
    ) -> [Datapoint] {
        let metric = metric("ConcurrentExecutions", function: function)
        return [Datapoint(metric, .count, time, Double(running))]
    }

    /// Something about asynchronous events: `AsyncEventsReceived`, `AsyncEventAge`, ….
    package static func event(
        _ name: String, _ value: Double, unit: MetricUnit = .count, function: String,
        time: Timestamp
    ) -> [Datapoint] {
        both(function, name, value, unit, time)
    }

    private static func both(
        _ function: String, _ name: String, _ value: Double, _ unit: MetricUnit, _ time: Timestamp
    ) -> [Datapoint] {
        [
            Datapoint(metric(name, function: function), unit, time, value),
            Datapoint(metric(name), unit, time, value),
        ]
    }
}
