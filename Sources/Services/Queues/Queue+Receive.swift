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
        // Other walks than the one from the head do not tell whether they came to an end.
        if !session.state.queue.isReadInOrder { try session.flush() }
        var isChange = false
        // The next receive goes on where this one ends.
        let deliveries = try stream.withLock { known in
            try JournalStream.goOn(with: &known, &session) { stream, session in
                var messages: [ReceivedMessage] = []
                if let receive = try decide(
                    limit, timeoutSeconds, attempt, &stream, &session, &messages)
                {
                    try session.append(receive)
                    isChange = true
                    return try self.deliveries(
                        of: messages, receive.visibleAt, &session, &stream)
                }
                return []
            }
        }
        return Received(
            deliveries: deliveries,
            hasTransfers: !session.state.queue.transfers.isEmpty,
            isOnTheWay: isChange && deliveries.isEmpty && session.state.queue.streamed > 0)
    }

    private func decide(
        _ limit: Int, _ timeoutSeconds: Int64?, _ attempt: String?, _ stream: inout JournalStream,
        _ session: inout JournalSession<QueueJournalState>, _ messages: inout [ReceivedMessage]
    ) throws -> QueueRecord.Receive? {
        let receive = try session.state.queue.receive(
            upTo: limit, timeoutSeconds: timeoutSeconds, at: session.now,
            bits: environment.randomBits, attempt: attempt,
            heldWaiting: environment.heldWaiting, stream: &stream, messages: &messages)
        guard messages.count < limit, stream.isCutShort else { return receive }
        try session.flush()
        stream = JournalStream(session)
        messages = []
        return try session.state.queue.receive(
            upTo: limit, timeoutSeconds: timeoutSeconds, at: session.now,
            bits: environment.randomBits, attempt: attempt,
            heldWaiting: environment.heldWaiting, stream: &stream, messages: &messages)
    }

    private func retry(
        _ attempt: String, _ timeoutSeconds: Int64?,
        _ session: inout JournalSession<QueueJournalState>
    ) throws -> Received? {
        guard
            let (visibleAt, messages) = session.state.queue.retry(
                attempt, timeoutSeconds: timeoutSeconds, at: session.now)
        else { return nil }
        var stream = JournalStream(session)
        let deliveries = try self.deliveries(of: messages, visibleAt, &session, &stream)
        try session.append(.retry(attempt: attempt, visibleAt: visibleAt))
        return Received(
            deliveries: deliveries, hasTransfers: !session.state.queue.transfers.isEmpty,
            isOnTheWay: false)
    }

    /// - Parameter stream: knows what was read just now. Not changed, and so not copied.
    private func deliveries(
        of messages: [ReceivedMessage], _ hiddenUntil: Timestamp,
        _ session: inout JournalSession<QueueJournalState>, _ stream: inout JournalStream
    ) throws -> [Delivery] {
        var records = StoredRecords()
        var deliveries: [Delivery] = []
        deliveries.reserveCapacity(messages.count)
        for index in messages.indices {
            let message =
                try stream.message(of: messages[index].entry)
                ?? records.message(of: messages[index].entry) { place in
                    try session.flush()
                    return try session.read(place)
                }
            deliveries.append(
                Delivery(
                    received: messages[index], message: message, hiddenUntil: hiddenUntil,
                    mark: mark))
        }
        return deliveries
    }
}
