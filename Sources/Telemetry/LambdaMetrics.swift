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

    /// How many environments were busy, seen whenever that number changed.
    package static func concurrency(
        function: String, running: Int, account: Int, unreserved: Int, time: Timestamp
    ) -> [Datapoint] {
        let running = Double(running)
        return [
            Datapoint(
                metric("ConcurrentExecutions", function: function), .count, time, running),
            Datapoint(metric("ConcurrentExecutions"), .count, time, Double(account)),
            Datapoint(metric("UnreservedConcurrentExecutions"), .count, time, Double(unreserved)),
        ]
    }

    /// An asynchronous event taken in.
    package static func asyncEventReceived(function: String, time: Timestamp) -> [Datapoint] {
        both(function, "AsyncEventsReceived", 1, .count, time)
    }

    /// How long an asynchronous event waited before its invocation.
    package static func asyncEventAge(
        function: String, age: Duration, time: Timestamp
    ) -> [Datapoint] {
        both(function, "AsyncEventAge", Double(age.wholeMilliseconds), .milliseconds, time)
    }

    /// An asynchronous event given up without success.
    package static func asyncEventDropped(function: String, time: Timestamp) -> [Datapoint] {
        both(function, "AsyncEventsDropped", 1, .count, time)
    }

    /// A dead letter or a destination record that could not be sent.
    package static func deliveryFailure(
        function: String, toDeadLetterQueue: Bool, time: Timestamp
    ) -> [Datapoint] {
        let name = toDeadLetterQueue ? "DeadLetterErrors" : "DestinationDeliveryFailures"
        return both(function, name, 1, .count, time)
    }

    /// What an event source mapping polled and what became of it.
    package static func eventSource(
        mapping uuid: String, polled: Int, filteredOut: Int, invoked: Int, failed: Int,
        deleted: Int, time: Timestamp
    ) -> [Datapoint] {
        [
            ("PolledEventCount", polled), ("FilteredOutEventCount", filteredOut),
            ("InvokedEventCount", invoked), ("FailedInvokeEventCount", failed),
            ("DeletedEventCount", deleted),
        ].map { name, value in
            let metric = Metric(namespace, name, [Dimension("EventSourceMappingUUID", uuid)])
            return Datapoint(metric, .count, time, Double(value))
        }
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
