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
        var known = stream.withLock { $0.take() }
        // Other walks than the one from the head do not tell whether they came to an end.
        if !session.state.queue.isReadInOrder { try session.flush() }
        var stream = JournalStream(&session, continuing: &known)
        let (receive, messages) = try decide(limit, timeoutSeconds, attempt, &stream, &session)
        let isChange = receive != nil
        if let receive { try session.append(receive) }
        let deliveries = try Self.deliveries(of: messages, &session, stream)
        keep(consume stream)
        return Received(
            deliveries: deliveries,
            hasTransfers: !session.state.queue.transfers.isEmpty,
            isOnTheWay: isChange && deliveries.isEmpty && session.state.queue.streamed > 0)
    }

    private func decide(
        _ limit: Int, _ timeoutSeconds: Int64?, _ attempt: String?, _ stream: inout JournalStream,
        _ session: inout JournalSession<QueueJournalState>
    ) throws -> (receive: QueueRecord.Receive?, messages: [ReceivedMessage]) {
        var bits: [UInt64] = []
        bits.reserveCapacity(limit)
        for _ in 0..<limit { bits.append(environment.randomBits()) }
        let decided = try session.state.queue.receive(
            upTo: limit, timeoutSeconds: timeoutSeconds, at: session.now, bits: bits,
            attempt: attempt, heldWaiting: environment.heldWaiting, stream: &stream)
        guard decided.messages.count < limit, stream.isCutShort else { return decided }
        try session.flush()
        stream = JournalStream(session)
        return try session.state.queue.receive(
            upTo: limit, timeoutSeconds: timeoutSeconds, at: session.now, bits: bits,
            attempt: attempt, heldWaiting: environment.heldWaiting, stream: &stream)
    }

    /// Leaves the stream to the next receive.
    private func keep(_ stream: consuming JournalStream) {
        var kept: JournalStream? = stream
        self.stream.withLock { swap(&$0, &kept) }
    }

    private func retry(
        _ attempt: String, _ timeoutSeconds: Int64?,
        _ session: inout JournalSession<QueueJournalState>
    ) throws -> Received? {
        guard
            let (record, messages) = session.state.queue.retry(
                attempt, timeoutSeconds: timeoutSeconds, at: session.now)
        else { return nil }
        let deliveries = try Self.deliveries(of: messages, &session, JournalStream(session))
        try session.append(record)
        return Received(
            deliveries: deliveries, hasTransfers: !session.state.queue.transfers.isEmpty,
            isOnTheWay: false)
    }

    /// - Parameter stream: knows what was read just now.
    private static func deliveries(
        of messages: [ReceivedMessage], _ session: inout JournalSession<QueueJournalState>,
        _ stream: JournalStream
    ) throws -> [Delivery] {
        var records = StoredRecords()
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(messages.count)
        for received in messages {
            let message =
                try stream.message(of: received.entry)
                ?? records.message(of: received.entry) { place in
                    try session.flush()
                    return try session.read(place)
                }
            deliveries.append(Delivery(received: received, message: message))
        }
        return deliveries
    }
}
