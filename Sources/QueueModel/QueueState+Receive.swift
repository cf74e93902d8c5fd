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

    /// What receiving at `now` would do. An empty receive has no record.
    ///
    /// - Parameters:
    ///   - limit: 1 to 10.
    ///   - timeoutSeconds: 0 to 43,200; `nil` is the queue's.
    ///   - bits: `limit` random numbers.
    ///   - attempt: FIFO only: the name for `retry`.
    /// - Throws: `overLimit` when a standard queue has 120,000 messages in flight.
    package func receive<Stream: MessageStream>(
        upTo limit: Int, timeoutSeconds: Int64?, at now: Timestamp, bits: [UInt64],
        attempt: String? = nil, stream: inout Stream
    ) throws -> (record: QueueRecord?, messages: [ReceivedMessage]) {
        if index.inFlight >= QueueLimits.inFlight, counts(at: now).inFlight >= QueueLimits.inFlight
        {
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
        if settings.isFIFO { receive.attempt = attempt }
        // Nothing is left: what lies ahead needs no look.
        goOnBehindLine(&receive, stream)
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
                    firstReceived: before?.firstReceived ?? pick.entry.past?.firstReceived ?? now))
        }
        let changes =
            !messages.isEmpty || !receive.first.isEmpty || receive.expired > 0
            || !receive.gone.isEmpty || !receive.over.isEmpty || !receive.passed.isEmpty
            || receive.delayed != nil
            // Far ahead there is one that waits in line: the next receive goes on from here.
            || (streamed > delayed.count && receive.head != head)
        return (changes ? .receive(receive) : nil, messages)
    }

    /// Returned and formerly delayed messages first, in the order in which they became visible;
    /// then the stream; poison messages that could not be put into it last.
    private func pickStandard<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [(entry: StreamEntry, isAgain: Bool)]
    ) throws {
        guard !fair.isActive else {
            return try pickFair(limit, now, &stream, &receive, &picked)
        }
        let due = due(at: now)
        pickReturned(.plain, limit, now, due, &receive, &picked)
        var delays = DelayedWalk(delayed, stream)
        try pickDelayed(&delays, limit, now, &receive, &picked)
        var scanned = 0
        while picked.count < limit, scanned < Self.scanLimit, streamed > delayed.count,
            let next = try stream.next()
        {
            scanned += 1
            receive.head = next.after
            guard next.entry.waitsInLine, !steps(over: next.entry, now, &receive) else {
                continue
            }
            receive.first.append(QueueRecord.FirstReceive(entry: next.entry, bits: nil))
            picked.append((next.entry, false))
        }
        if picked.count < limit { pickReturned(.poison, limit, now, due, &receive, &picked) }
    }

    /// - Parameter isPutOff: whether a message has to stand back.
    func pickReturned(
        _ lane: HeldLane, _ limit: Int, _ now: Timestamp, _ due: [HeldMessage],
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [(entry: StreamEntry, isAgain: Bool)],
        isPutOff: (StreamEntry) -> Bool = { _ in false }
    ) {
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
                picked.append((message.entry, true))
            }
            return true
        }
        receive.gone += gone.sorted()
    }

    /// What one group offers to a FIFO receive.
    private struct Offer {
        var messages: [(entry: StreamEntry, isAgain: Bool)] = []
        /// A delayed member keeps back what follows it.
        var isHalted = false
    }

    /// Group by group in order of their first messages; a group with one in flight waits.
    private func pickFIFO<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [(entry: StreamEntry, isAgain: Bool)]
    ) throws {
        let due = due(at: now)
        let dueGroups = Set(due.compactMap(\.entry.group))
        var order: [(first: Place, group: String)] = []
        var offers: [String: Offer] = [:]
        func consider(_ group: String) {
            guard offers[group] == nil, let offer = offer(of: group, limit, now, &receive) else {
                return
            }
            offers[group] = offer
            if let first = offer.messages.first { order.append((first.entry.place, group)) }
        }
        for group in dueGroups { consider(group) }
        var known = 0
        index.readyGroups.inOrder { entry in
            guard isReady(entry), let group = held[entry.place]?.entry.group else { return true }
            guard !dueGroups.contains(group) else { return true }
            consider(group)
            known += offers[group]?.messages.count ?? 0
            return known < limit
        }
        order.sort { $0.first < $1.first }
        var ready = offers.values.reduce(0) { $0 + $1.messages.count }
        var line = Line(streamed - delayed.count, DelayedWalk(delayed, stream))
        while ready < limit, held.count + receive.first.count < QueueLimits.passedOver,
            let entry = try nextInLine(&line, now, &stream, &receive)
        {
            receive.first.append(QueueRecord.FirstReceive(entry: entry, bits: nil))
            let group = entry.group ?? ""
            var offer = offers[group] ?? Offer(isHalted: index.groups[group] != nil)
            guard !offer.isHalted else { continue }
            if offer.messages.isEmpty { order.append((entry.place, group)) }
            offer.messages.append((entry, false))
            offers[group] = offer
            ready += 1
        }
        receive.delayed = line.delays?.step
        for (_, group) in order {
            picked += (offers[group]?.messages ?? []).prefix(limit - picked.count)
        }
    }

    /// What a group has to give at `now`; `nil` if it waits.
    private func offer(
        of group: String, _ limit: Int, _ now: Timestamp, _ receive: inout QueueRecord.Receive
    ) -> Offer? {
        guard let members = index.groups[group] else { return nil }
        // With none in flight and none to move there is no need to look at them all.
        if members.blocking > 0 || members.hidden > 0 {
            for place in members.live {
                guard let message = held[place] else { continue }
                if message.isInFlight(at: now) || (message.visibleAt <= now && mustMove(message)) {
                    return nil
                }
            }
        }
        var offer = Offer()
        for place in members.live where offer.messages.count < limit {
            guard let message = held[place] else { continue }
            if isExpired(message.entry, now) {
                receive.gone.append(place)
            } else if message.isDelayed(at: now) {
                offer.isHalted = true
                break
            } else {
                offer.messages.append((message.entry, true))
            }
        }
        return offer
    }
}
