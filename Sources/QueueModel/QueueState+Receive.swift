import JSON

/// A message as a receive hands it out. Its body lies in the record at `entry.record`.
package struct ReceivedMessage: Equatable, Sendable {
    package var entry: StreamEntry
    package var handle: ReceiptHandle
    package var receiveCount: Int64
    package var firstReceived: Timestamp
}

/// A message that a receive is about to hand out.
struct PickedMessage {
    var entry: StreamEntry
    /// Whether the state holds it, so that it is no longer in the stream.
    var isAgain: Bool
}

extension QueueState {
    /// How many messages of the stream one receive steps over at most, expired or of blocked
    /// groups.
    static let scanLimit = 10_000

    /// Whether `deadLetters` may find any.
    package func mayHaveDeadLetters(at now: Timestamp) -> Bool {
        settings.redrivePolicy != nil && hasReturned(.doomed, at: now)
    }

    /// Held messages that were received too often and would be received once more: they go to the
    /// dead-letter queue instead. `nil` if there are none or there is no such queue.
    package func deadLetters(at now: Timestamp, limit: Int = QueueLimits.batchEntries)
        -> QueueRecord?
    {
        guard mayHaveDeadLetters(at: now), let policy = settings.redrivePolicy else {
            return nil
        }
        var places: [Place] = []
        var bytes = 0
        forEachReturned(.doomed, due(at: now)) { message in
            guard !places.contains(message.entry.place), !isExpired(message.entry, now) else {
                return true
            }
            bytes += Int(message.entry.record.length)
            guard places.isEmpty || bytes <= QueueLimits.carriedBytes else { return false }
            places.append(message.entry.place)
            return places.count < limit
        }
        guard !places.isEmpty else { return nil }
        return .transfer(
            number: lastTransfer + 1, target: policy.deadLetterQueue, places.sorted())
    }

    /// Whether as many may be in flight as there can be: a receive that found no room would find
    /// some once one of them is gone.
    package var mayBeFull: Bool { index.inFlight >= QueueLimits.inFlight }

    /// Whether a receive at `now` finds no room: a standard queue's throws `overLimit`, a FIFO
    /// queue's finds nothing.
    package func isFull(at now: Timestamp) -> Bool {
        mayBeFull && counts(at: now).inFlight >= QueueLimits.inFlight
    }

    /// Whether a receive reads the stream from the head on, and nowhere else.
    package var isReadInOrder: Bool { !settings.isFIFO && !fair.isActive && delayed.count == 0 }

    /// What receiving at `now` would do; `nil` if it changes nothing.
    ///
    /// - Parameters:
    ///   - limit: 1 to 10.
    ///   - timeoutSeconds: 0 to 43,200; `nil` is the queue's.
    ///   - bits: gives random numbers.
    ///   - attempt: FIFO only: the name for `retry`.
    ///   - heldWaiting: how many messages the state may hold that wait.
    ///   - messages: gets what is handed out.
    /// - Throws: `overLimit` when a standard queue has 120,000 messages in flight.
    package func receive<Stream: MessageStream>(
        upTo limit: Int, timeoutSeconds: Int64?, at now: Timestamp, bits: () -> UInt64,
        attempt: String? = nil, heldWaiting: Int = QueueLimits.heldWaiting,
        stream: inout Stream, messages: inout [ReceivedMessage]
    ) throws -> QueueRecord.Receive? {
        var limit = limit
        if index.inFlight + UInt64(limit) > QueueLimits.inFlight {
            let room = Int(QueueLimits.inFlight) - Int(clamping: counts(at: now).inFlight)
            if room <= 0 {
                if settings.isFIFO { return nil }
                throw SQSError.overLimit
            }
            limit = min(limit, room)
        }
        let timeout = (timeoutSeconds ?? settings.visibilityTimeoutSeconds) * 1000
        var receive = QueueRecord.Receive(
            visibleAt: Timestamp(milliseconds: now.milliseconds + timeout), head: head, first: [],
            again: [], expired: 0, gone: [], attempt: settings.isFIFO ? attempt : nil)
        var picked: [PickedMessage] = []
        if settings.isFIFO {
            try pickFIFO(limit, now, heldWaiting, &stream, &receive, &picked)
        } else {
            try pickStandard(limit, now, &stream, &receive, &picked)
        }
        // Nothing is left: what lies ahead needs no look.
        goOnBehindLine(&receive, stream)
        handOut(picked, bits, now, &receive, &messages)
        return isChange(receive) ? consume receive : nil
    }

    /// As above, with lists of its own.
    ///
    /// - Parameter bits: `limit` random numbers.
    package func receive<Stream: MessageStream>(
        upTo limit: Int, timeoutSeconds: Int64?, at now: Timestamp, bits: [UInt64],
        attempt: String? = nil, heldWaiting: Int = QueueLimits.heldWaiting, stream: inout Stream
    ) throws -> (receive: QueueRecord.Receive?, messages: [ReceivedMessage]) {
        var messages: [ReceivedMessage] = []
        var rest = bits[...]
        let receive = try receive(
            upTo: limit, timeoutSeconds: timeoutSeconds, at: now, bits: { rest.removeFirst() },
            attempt: attempt, heldWaiting: heldWaiting, stream: &stream, messages: &messages)
        return (receive, messages)
    }

    private func handOut(
        _ picked: [PickedMessage], _ bits: () -> UInt64, _ now: Timestamp,
        _ receive: inout QueueRecord.Receive, _ messages: inout [ReceivedMessage]
    ) {
        messages.reserveCapacity(picked.count)
        for index in picked.indices {
            let entry = picked[index].entry
            let place = entry.place
            let bits = bits()
            if picked[index].isAgain {
                receive.again.append(QueueRecord.Again(place: place, bits: bits))
            } else if let first = receive.first.firstIndex(where: { $0.entry.place == place }) {
                receive.first[first].bits = bits
            }
            let before = held[place]
            messages.append(
                ReceivedMessage(
                    entry: entry, handle: ReceiptHandle(place: place, bits: bits),
                    receiveCount: (before?.receiveCount ?? entry.receiveCount) + 1,
                    firstReceived: before?.firstReceived ?? entry.past?.firstReceived ?? now))
        }
    }

    private func isChange(_ receive: QueueRecord.Receive) -> Bool {
        !receive.first.isEmpty || !receive.again.isEmpty || receive.expired > 0
            || !receive.gone.isEmpty || !receive.over.isEmpty || !receive.passed.isEmpty
            || receive.delayed != nil
            // Far ahead there is one that waits in line: the next receive goes on from here.
            || (receive.head != head
                && (streamed > delayed.count + fair.passedCount || !requeued.holes.isEmpty))
    }

    /// Returned and formerly delayed messages first, in the order in which they became visible;
    /// then the stream; poison messages that could not be put into it last.
    private func pickStandard<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage]
    ) throws {
        guard !fair.isActive else {
            return try pickFair(limit, now, &stream, &receive, &picked)
        }
        let due = due(at: now)
        pickReturned(.plain, limit, now, due, &receive, &picked)
        if delayed.hasDue(at: now) {
            try pickDelayed(stream, limit, now, &receive, &picked)
        }
        var scanned = 0
        while picked.count < limit, scanned < Self.scanLimit, streamed > delayed.count,
            let next = try stream.next()
        {
            scanned += 1
            receive.head = next.after
            guard next.waitsInLine, !steps(over: next, now, &receive) else { continue }
            take(next, &receive, &picked)
        }
        if picked.count < limit { pickReturned(.poison, limit, now, due, &receive, &picked) }
    }

    /// - Parameter isPutOff: whether a message has to stand back.
    func pickReturned(
        _ lane: HeldLane, _ limit: Int, _ now: Timestamp, _ due: [HeldMessage],
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage],
        isPutOff: (StreamEntry) -> Bool = { _ in false }
    ) {
        guard !index.lanes[lane.rawValue].isEmpty || !due.isEmpty else { return }
        var gone: Set<Place> = []
        var scanned = 0
        forEachReturned(lane, due) { message in
            guard picked.count < limit, scanned < Self.scanLimit else { return false }
            scanned += 1
            let place = message.entry.place
            if isExpired(message.entry, now) {
                gone.insert(place)
            } else if !picked.contains(where: { $0.isAgain && $0.entry.place == place }),
                !isPutOff(message.entry)
            {
                picked.append(PickedMessage(entry: message.entry, isAgain: true))
            }
            return true
        }
        receive.gone += gone.sorted()
    }
}
