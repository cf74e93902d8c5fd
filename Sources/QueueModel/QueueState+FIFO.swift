import JSON

/// FIFO queues: group by group in order of their first messages; behind one in flight its group
/// waits.
///
/// The head runs past the messages of groups that wait. The state holds the first of them, and of
/// those beyond it knows where they stand: as with noisy tenants, one cursor and one count a group.
extension QueueState {
    /// What one group offers to a receive.
    private struct Offer {
        var messages: [PickedMessage] = []
        /// A member that is in flight, delayed or to be moved keeps back what follows it.
        var isHalted = false
    }

    /// A receive while it is decided.
    private struct Selection<Stream: MessageStream> {
        let limit: Int
        let now: Timestamp
        let stream: Stream
        /// Messages that were passed and may be looked at.
        var budget = QueueState.scanLimit
        var offers: [String: Offer] = [:]
        var order: [(first: Place, group: String)] = []

        var ready: Int { offers.values.reduce(0) { $0 + $1.messages.count } }

        init(_ limit: Int, _ now: Timestamp, _ stream: Stream) {
            self.limit = limit
            self.now = now
            self.stream = stream
        }
    }

    /// - Parameter heldWaiting: how many messages the state may hold before it only notes where
    ///   those stand that were passed over.
    func pickFIFO<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ heldWaiting: Int, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage]
    ) throws {
        var selection = Selection(limit, now, stream)
        for group in waitingGroups(limit) { try consider(group, &selection, &receive) }
        let dueGroups = Set(due(at: now).compactMap(\.entry.group))
        for group in dueGroups { try consider(group, &selection, &receive) }
        var known = 0
        try index.readyGroups.inOrder { entry in
            guard isReady(entry), let group = held[entry.place]?.entry.group else { return true }
            guard !dueGroups.contains(group) else { return true }
            try consider(group, &selection, &receive)
            known += selection.offers[group]?.messages.count ?? 0
            return known < limit
        }
        selection.order.sort { $0.first < $1.first }
        try lookAhead(&selection, heldWaiting, &stream, &receive)
        for (_, group) in selection.order {
            picked += (selection.offers[group]?.messages ?? []).prefix(limit - picked.count)
        }
    }

    /// Groups of which the state holds no message, though the head has passed some: those that
    /// stand first.
    private func waitingGroups(_ limit: Int) -> [String] {
        var first: [(cursor: Head, group: String)] = []
        for group in index.unheldGroups {
            guard let cursor = fair.passed[group]?.cursor else { continue }
            if first.count == limit, let last = first.last, last.cursor < cursor { continue }
            let place = first.firstIndex { cursor < $0.cursor } ?? first.count
            first.insert((cursor, group), at: place)
            if first.count > limit { first.removeLast() }
        }
        return first.map(\.group)
    }

    private func consider<Stream: MessageStream>(
        _ group: String, _ selection: inout Selection<Stream>, _ receive: inout QueueRecord.Receive
    ) throws {
        guard selection.offers[group] == nil,
            var offer = offer(of: group, selection.limit, selection.now, &receive)
        else { return }
        if !offer.isHalted, offer.messages.count < selection.limit,
            let passed = fair.passed[group]
        {
            var walk = PassedWalk<Stream>(messages: passed, takesDelayed: true)
            while offer.messages.count < selection.limit,
                let entry = try walk.peek(group, selection.stream, upTo: head, &selection.budget)
            {
                walk.advance()
                guard !steps(over: entry, selection.now, &receive) else { continue }
                receive.first.append(QueueRecord.FirstReceive(entry: entry, bits: nil))
                offer.messages.append(PickedMessage(entry: entry, isAgain: false))
            }
            if walk.messages != passed { receive.passed[group] = walk.messages }
        }
        selection.offers[group] = offer
        if let first = offer.messages.first {
            selection.order.append((first.entry.place, group))
        }
    }

    /// Goes on along the stream until there is enough to give.
    private func lookAhead<Stream: MessageStream>(
        _ selection: inout Selection<Stream>, _ heldWaiting: Int, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive
    ) throws {
        var ready = selection.ready
        var passed = fair.passedCount
        var line = Line(
            streamed - min(streamed, delayed.count + passed), DelayedWalk(delayed, stream))
        var ahead = 0
        while ready < selection.limit
            || (ahead < QueueLimits.heldAhead && seeksMore(selection, heldWaiting, receive)),
            UInt64(held.count + receive.first.count) + passed < QueueLimits.passedOver,
            let (entry, isDelayed) = try nextInLine(&line, selection.now, &stream, &receive)
        {
            if ready >= selection.limit { ahead += 1 }
            let group = entry.group ?? ""
            let others = receive.passed[group] ?? fair.passed[group]
            var offer = selection.offers[group] ?? Offer(isHalted: index.groups[group] != nil)
            let isFull = held.count + receive.first.count >= heldWaiting
            let hasOthers = (others?.count ?? 0) > 0
            if isDelayed { line.delays?.advance() }
            if hasOthers || (offer.isHalted && isFull) {
                let cursor = others.flatMap { $0.count > 0 ? $0.cursor : nil }
                receive.passed[group] = PassedMessages(
                    cursor: cursor ?? entry.position, count: (others?.count ?? 0) + 1)
                passed += 1
                continue
            }
            receive.first.append(QueueRecord.FirstReceive(entry: entry, bits: nil))
            guard !offer.isHalted else { continue }
            if offer.messages.isEmpty { selection.order.append((entry.place, group)) }
            offer.messages.append(PickedMessage(entry: entry, isAgain: false))
            selection.offers[group] = offer
            ready += 1
        }
        receive.delayed = line.delays?.step
    }

    /// Whether more of the first message's group may lie ahead: SQS returns as many of one group as
    /// it can before it takes others (Developer Guide, *FIFO-queues-understanding-logic*).
    private func seeksMore<Stream: MessageStream>(
        _ selection: Selection<Stream>, _ heldWaiting: Int, _ receive: QueueRecord.Receive
    ) -> Bool {
        guard let group = selection.order.first?.group, let offer = selection.offers[group],
            !offer.isHalted, offer.messages.count < selection.limit,
            // What comes behind those that were passed is passed, too.
            ((receive.passed[group] ?? fair.passed[group])?.count ?? 0) == 0
        else { return false }
        let known = held.count + receive.first.count
        return known < heldWaiting
            && known - Int(clamping: index.inFlight) < QueueLimits.heldAhead
    }

    /// What a group has to give at `now`; `nil` if nothing is known of it.
    private func offer(
        of group: String, _ limit: Int, _ now: Timestamp, _ receive: inout QueueRecord.Receive
    ) -> Offer? {
        guard let members = index.groups[group] else {
            return fair.passed[group] == nil ? nil : Offer()
        }
        var offer = Offer()
        for place in members.live where offer.messages.count < limit {
            guard let message = held[place] else { continue }
            if message.visibleAt > now || mustMove(message) {
                offer.isHalted = true
                break
            }
            if isExpired(message.entry, now) {
                receive.gone.append(place)
            } else {
                offer.messages.append(PickedMessage(entry: message.entry, isAgain: true))
            }
        }
        return offer
    }

    /// What a receive still has before it.
    private struct Line<Stream: MessageStream> {
        /// Messages that were not delayed: all stand before those that were.
        var undelayed: UInt64
        var delays: DelayedWalk<Stream>?
        var budget = QueueState.scanLimit

        init(_ undelayed: UInt64, _ delays: DelayedWalk<Stream>?) {
            self.undelayed = undelayed
            self.delays = delays
        }
    }

    /// The next one; the caller goes past it if it was delayed.
    private func nextInLine<Stream: MessageStream>(
        _ line: inout Line<Stream>, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive
    ) throws -> (entry: StreamEntry, isDelayed: Bool)? {
        while line.undelayed > 0, line.budget > 0 {
            line.budget -= 1
            guard let next = try stream.next() else {
                line.undelayed = 0
                break
            }
            receive.head = next.after
            guard next.waitsInLine else { continue }
            line.undelayed -= 1
            if isPassed(next, receive) || !steps(over: next, now, &receive) { return (next, false) }
        }
        guard line.undelayed == 0 else { return nil }
        let entry = try nextDelayed(&line.delays, visibleAt: now, now, &receive, &line.budget)
        return entry.map { ($0.undelayed, true) }
    }
}
