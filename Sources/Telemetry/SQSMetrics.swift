import JSON

/// The namespace `AWS/SQS`: what happens to a queue, and what lies in it.
package enum SQSMetrics {
    package static let namespace = "AWS/SQS"

    package static func metric(_ name: String, queue: String) -> Metric {
        Metric(namespace, name, [Dimension("QueueName", queue)])
    }

    /// What lies in the queue at this moment.
    package static func depth(
        queue: String, visible: Int, notVisible: Int, delayed: Int, oldestAge: Duration?,
        time: Timestamp
    ) -> [Datapoint] {
        let seconds = Double((oldestAge ?? .zero).components.seconds)
        return [
            count("ApproximateNumberOfMessagesVisible", queue, visible, time),
            count("ApproximateNumberOfMessagesNotVisible", queue, notVisible, time),
            count("ApproximateNumberOfMessagesDelayed", queue, delayed, time),
            Datapoint(
                metric("ApproximateAgeOfOldestMessage", queue: queue), .seconds, time, seconds),
        ]
    }

    /// What a fair queue's groups do (SQS Developer Guide, *sqs-available-cloudwatch-metrics*).
    package static func fairness(
        queue: String, noisyGroups: Int, visibleInQuietGroups: Int, notVisibleInQuietGroups: Int,
        time: Timestamp
    ) -> [Datapoint] {
        [
            count("ApproximateNumberOfNoisyGroups", queue, noisyGroups, time),
            count(
                "ApproximateNumberOfMessagesVisibleInQuietGroups", queue, visibleInQuietGroups,
                time),
            count(
                "ApproximateNumberOfMessagesNotVisibleInQuietGroups", queue,
                notVisibleInQuietGroups, time),
        ]
    }

    /// How many groups of a FIFO queue have a message in flight.
    package static func groupsInFlight(
        queue: String, groups: Int, time: Timestamp
    ) -> [Datapoint] {
        [count("ApproximateNumberOfGroupsWithInflightMessages", queue, groups, time)]
    }

    private static func count(
        _ name: String, _ queue: String, _ value: Int, _ time: Timestamp
    ) -> Datapoint {
        Datapoint(metric(name, queue: queue), .count, time, Double(value))
    }
}
