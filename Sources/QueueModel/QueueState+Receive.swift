import JSON

/// A message as a receive hands it out. Its body lies in the record at `entry.record`.
package struct ReceivedMessage: Equatable, Sendable {
    package var entry: StreamEntry
    package var handle: ReceiptHandle
    package var receiveCount: Int64
    package var firstReceived: Timestamp
}

extension QueueState {
    /// How many messages of the stream one receive steps over at most, expired or of blocked
    /// groups.
    static let scanLimit = 10_000

    /// Held messages that were received too often and would be received once more: they go to the
    /// dead-letter queue instead. `nil` if there are none or there is no such queue.
    package func deadLetters(at now: Timestamp, limit: Int = QueueLimits.batchEntries)
        -> QueueRecord?
    {
        guard let policy = settings.redrivePolicy else { return nil }
        var places: [Place] = []
        deadlines.forEach(upTo: now) { entry in
            guard let message = held[entry.place], message.visibleAt == entry.time,
                message.receiveCount >= policy.maxReceiveCount, !places.contains(entry.place)
            else { return true }
            places.append(entry.place)
            return places.count < limit
        }
        guard !places.isEmpty else { return nil }
        return .transfer(
            number: lastTransfer + 1, target: policy.deadLetterQueue, places.sorted())
    }

    /// What receiving at `now` would do. An empty receive has no record.
    ///
    /// - Parameters:
    ///   - limit: 1 to 10.
    ///   - timeoutSeconds: 0 to 43,200; `nil` is the queue's.
    ///   - bits: `limit` random numbers.
    /// - Throws: `overLimit` when a standard queue has 120,000 messages in flight.
    package func receive<Stream: MessageStream>(
        upTo limit: Int, timeoutSeconds: Int64?, at now: Timestamp, bits: [UInt64],
        stream: inout Stream
    ) throws -> (record: QueueRecord?, messages: [ReceivedMessage]) {
        if held.count >= QueueLimits.inFlight, counts(at: now).inFlight >= QueueLimits.inFlight {
            if settings.isFIFO { return (nil, []) }
            throw SQSError.overLimit
        }
        let until = now + .seconds(timeoutSeconds ?? settings.visibilityTimeoutSeconds)
        var receive = QueueRecord.Receive(
            visibleAt: until, head: head, first: [], again: [], expired: 0, gone: [])
        var picked: [(entry: StreamEntry, isAgain: Bool)] = []
        if settings.isFIFO {
            try pickFIFO(limit, now, &stream, &receive, &picked)
        } else {
            try pickStandard(limit, now, &stream, &receive, &picked)
        }
        var messages: [ReceivedMessage] = []
        for (index, pick) in picked.enumerated() {
            let place = pick.entry.place
            if pick.isAgain {
                receive.again.append(QueueRecord.Again(place: place, bits: bits[index]))
            } else if let first = receive.first.firstIndex(where: { $0.entry.place == place }) {
                receive.first[first].bits = bits[index]
            }
            let before = held[place]
            messages.append(
                ReceivedMessage(
                    entry: pick.entry, handle: ReceiptHandle(place: place, bits: bits[index]),
                    receiveCount: (before?.receiveCount ?? pick.entry.receiveCount) + 1,
                    firstReceived: before?.firstReceived ?? now))
        }
        let changes =
            !messages.isEmpty || !receive.first.isEmpty || receive.expired > 0
            || !receive.gone.isEmpty
        return (changes ? .receive(receive) : nil, messages)
    }

    private func isExpired(_ entry: StreamEntry, _ now: Timestamp) -> Bool {
        now - entry.sent >= .seconds(settings.retentionSeconds)
    }

    /// Returned and formerly delayed messages first, in the order in which they became visible;
    /// then the stream.
    private func pickStandard<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [(entry: StreamEntry, isAgain: Bool)]
    ) throws {
        var gone: [Place] = []
        var seen: Set<Place> = []
        deadlines.forEach(upTo: now) { entry in
            guard picked.count < limit, gone.count < Self.scanLimit else { return false }
            guard let message = held[entry.place], message.visibleAt == entry.time,
                !mustMove(message), seen.insert(entry.place).inserted
            else { return true }
            if isExpired(message.entry, now) {
                gone.append(entry.place)
            } else {
                picked.append((message.entry, true))
            }
            return true
        }
        receive.gone = gone
        var scanned = 0
        while picked.count < limit, scanned < Self.scanLimit, let next = try stream.next() {
            scanned += 1
            receive.head = next.after
            guard next.entry.delaySeconds == 0 else { continue }
            if isExpired(next.entry, now) {
                receive.expired += 1
            } else {
                receive.first.append(QueueRecord.FirstReceive(entry: next.entry, bits: nil))
                picked.append((next.entry, false))
            }
        }
        if streamed == receive.expired + UInt64(receive.first.count) { receive.head = stream.end }
    }

    /// Group by group in order of their first messages; a group with one in flight waits.
    private func pickFIFO<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [(entry: StreamEntry, isAgain: Bool)]
    ) throws {
        // What the groups hold once expired ones are gone; in order of their first message.
        var waiting: [String: [(entry: StreamEntry, isAgain: Bool)]] = [:]
        var order: [String] = []
        var blocked: Set<String> = []
        for (group, places) in groups.sorted(by: { ($0.value[0], $0.key) < ($1.value[0], $1.key) })
        {
            for place in places {
                guard let message = held[place] else { continue }
                if message.isInFlight(at: now) || mustMove(message) {
                    blocked.insert(group)
                    break
                }
                if isExpired(message.entry, now) {
                    receive.gone.append(place)
                } else if message.isDelayed(at: now) {
                    break  // what stands before it may go; it and what follows may not
                } else {
                    waiting[group, default: []].append((message.entry, true))
                }
            }
            let halts = places.contains { held[$0]?.isDelayed(at: now) == true }
            if halts, waiting[group] == nil { blocked.insert(group) }
            if !blocked.contains(group), waiting[group] != nil { order.append(group) }
        }
        func ready() -> Int { order.reduce(0) { $0 + (waiting[$1]?.count ?? 0) } }
        let halted = Set(
            groups.filter { $0.value.contains { held[$0]?.isDelayed(at: now) == true } }.keys)
        var scanned = 0
        while ready() < limit, scanned < Self.scanLimit,
            held.count + receive.first.count < QueueLimits.passedOver, let next = try stream.next()
        {
            scanned += 1
            receive.head = next.after
            guard next.entry.delaySeconds == 0 else { continue }
            guard !isExpired(next.entry, now) else {
                receive.expired += 1
                continue
            }
            let group = next.entry.group ?? ""
            receive.first.append(QueueRecord.FirstReceive(entry: next.entry, bits: nil))
            guard !blocked.contains(group), !halted.contains(group) else { continue }
            if waiting[group] == nil { order.append(group) }
            waiting[group, default: []].append((next.entry, false))
        }
        for group in order {
            for message in waiting[group] ?? [] where picked.count < limit {
                picked.append(message)
            }
        }
    }

    /// Whether a message has used up its receives and waits for its transfer.
    private func mustMove(_ message: HeldMessage) -> Bool {
        guard let policy = settings.redrivePolicy else { return false }
        return message.receiveCount >= policy.maxReceiveCount
    }
}
