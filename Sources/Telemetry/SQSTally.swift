import JSON

/// What happened to one queue within one second, before it becomes datapoints: a server has tens of
/// thousands of calls a second, most of them on one queue.
package struct SQSTally: Sendable {
    package let queue: String
    private let time: Timestamp
    private var sends = StatisticSet()
    private var sizes = StatisticSet()
    private var receives = StatisticSet()
    private var emptyReceives = StatisticSet()
    private var deletions = StatisticSet()

    package init(_ queue: String, at time: Timestamp) {
        self.queue = queue
        self.time = time
    }

    /// Whether it takes what happens to `queue` at `time`.
    package func takes(_ queue: String, at time: Timestamp) -> Bool {
        time.seconds == self.time.seconds && queue == self.queue
    }

    /// A message taken in at once with `others`, and their sizes. A redrive to a dead-letter queue
    /// is not a send.
    package mutating func sent(messageBytes bytes: Int, _ others: [Int] = []) {
        sends.add(Double(1 + others.count))
        sizes.add(Double(bytes))
        for bytes in others { sizes.add(Double(bytes)) }
    }

    /// The outcome of one receive.
    package mutating func received(_ messages: Int) {
        if messages == 0 { emptyReceives.add(1) } else { receives.add(Double(messages)) }
    }

    package mutating func deleted(_ messages: Int) {
        if messages > 0 { deletions.add(Double(messages)) }
    }

    package var datapoints: [Datapoint] {
        [
            ("NumberOfMessagesSent", MetricUnit.count, sends),
            ("SentMessageSize", .bytes, sizes),
            ("NumberOfMessagesReceived", .count, receives),
            ("NumberOfEmptyReceives", .count, emptyReceives),
            ("NumberOfMessagesDeleted", .count, deletions),
        ].filter { !$0.2.isEmpty }.map { name, unit, values in
            Datapoint(SQSMetrics.metric(name, queue: queue), unit, time, values)
        }
    }
}
