import JSON
import Journal
import QueueModel
import Synchronization

/// One look at a queue for messages.
extension Queue {
    /// What one look at the queue gave.
    package struct Received: Sendable {
        package var deliveries: [Delivery]
        /// Dead letters wait to be carried to their queue.
        package var hasTransfers: Bool
        /// No message yet, but the way there is shorter: it pays to look again at once.
        package var isOnTheWay: Bool
    }

    /// Receives what is visible now; moves dead letters out of the way first.
    ///
    /// - Parameters:
    ///   - limit: 1 to 10.
    ///   - timeoutSeconds: `nil` is the queue's own.
    ///   - attempt: FIFO: the name under which the same receive may be repeated.
    func receiveNow(
        upTo limit: Int, timeoutSeconds: Int64?, attempt: String? = nil
    ) throws -> Received {
        // FIFO order must not be undone by power loss; a standard queue may deliver again.
        var received = try commit(isDurable: { $0.isFIFO }) { session in
            try receive(
                upTo: limit, timeoutSeconds: timeoutSeconds, attempt: attempt, &session)
        }
        try received.unpack()
        return received
    }

    /// Inside a transaction; bodies are as the journal keeps them.
    func receive(
        upTo limit: Int, timeoutSeconds: Int64?, attempt: String? = nil,
        _ session: inout JournalSession<QueueJournalState>
    ) throws -> Received {
        try session.sweepExpired()
        if let attempt, let received = try retry(attempt, timeoutSeconds, &session) {
            return received
        }
        try sendDeadLettersAway(&session)
        try session.putPoisonBack()
        var bits: [UInt64] = []
        bits.reserveCapacity(limit)
        for _ in 0..<limit { bits.append(environment.randomBits()) }
        var known = stream.withLock { $0.take() }
        // Other walks than the one from the head do not tell whether they came to an end.
        if !session.state.queue.isReadInOrder { try session.flush() }
        var stream = JournalStream(&session, continuing: &known)
        var decided = try session.state.queue.receive(
            upTo: limit, timeoutSeconds: timeoutSeconds, at: session.now, bits: bits,
            attempt: attempt, heldWaiting: environment.heldWaiting, stream: &stream)
        if decided.messages.count < limit, stream.isCutShort {
            try session.flush()
            stream = JournalStream(session)
            decided = try session.state.queue.receive(
                upTo: limit, timeoutSeconds: timeoutSeconds, at: session.now, bits: bits,
                attempt: attempt, heldWaiting: environment.heldWaiting, stream: &stream)
        }
        if let receive = decided.receive { try session.append(receive) }
        let deliveries = try Self.deliveries(of: decided.messages, &session, known: stream.seen)
        self.stream.withLock { $0 = stream }
        return Received(
            deliveries: deliveries,
            hasTransfers: !session.state.queue.transfers.isEmpty,
            isOnTheWay: decided.receive != nil && deliveries.isEmpty
                && session.state.queue.streamed > 0)
    }

    private func retry(
        _ attempt: String, _ timeoutSeconds: Int64?,
        _ session: inout JournalSession<QueueJournalState>
    ) throws -> Received? {
        guard
            let (record, messages) = session.state.queue.retry(
                attempt, timeoutSeconds: timeoutSeconds, at: session.now)
        else { return nil }
        let deliveries = try Self.deliveries(of: messages, &session, known: [])
        try session.append(record)
        return Received(
            deliveries: deliveries, hasTransfers: !session.state.queue.transfers.isEmpty,
            isOnTheWay: false)
    }

    /// - Parameter known: records that were read just now.
    private static func deliveries(
        of messages: [ReceivedMessage], _ session: inout JournalSession<QueueJournalState>,
        known: [(record: RecordPlace, messages: [QueueRecord.NewMessage])]
    ) throws -> [Delivery] {
        let bodies = try QueueRecord.bodies(of: messages.lazy.map(\.entry), known: known) { place in
            try session.flush()
            return try session.read(place)
        }
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(messages.count)
        for index in messages.indices {
            deliveries.append(Delivery(received: messages[index], message: bodies[index]))
        }
        return deliveries
    }
}
