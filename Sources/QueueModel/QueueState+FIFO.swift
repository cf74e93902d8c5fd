import JSON

/// FIFO queues: group by group; behind one in flight its group waits. A group stands where its
/// first message came, or came back: behind those that nobody has received yet, as on AWS.
///
/// The head runs past the messages of groups that wait. The state holds the first of them, and of
/// those beyond it knows where they stand: as with noisy tenants, one cursor and one count a group.
extension QueueState {
    /// What one group offers to a receive.
    private struct Offer {
        private(set) var messages: [PickedMessage] = []
        /// Where it stands among the groups, and whether that is later than its first message.
        private(set) var since: DeadlineHeap.Entry?
        private(set) var hasReturned = false
        /// A member that is in flight, delayed or to be moved keeps back what follows it.
        var isHalted = false

        init(isHalted: Bool = false) { self.isHalted = isHalted }

        mutating func add(_ entry: StreamEntry) {
            if messages.isEmpty { since = entry.turn }
            messages.append(PickedMessage(entry: entry, isAgain: false))
        }

        mutating func add(_ message: HeldMessage) {
            if messages.isEmpty {
                since = message.turn
                hasReturned = message.lastReceived != nil
            }
            messages.append(PickedMessage(entry: message.entry, isAgain: true))
        }
    }

    /// A receive while it is decided.
    private struct Selection<Stream: MessageStream> {
        let limit: Int
        let now: Timestamp
        let stream: Stream
        /// Messages that were passed and may be looked at.
        var budget = QueueState.scanLimit
        var offers: [String: Offer] = [:]
        /// Groups that have something to give.
        private(set) var order: [(since: DeadlineHeap.Entry, group: String)] = []

        init(_ limit: Int, _ now: Timestamp, _ stream: Stream) {
            self.limit = limit
            self.now = now
            self.stream = stream
        }

        /// Adds a group that has something to give; where it stands is `sort`'s to find.
        mutating func append(_ group: String) {
            if let since = offers[group]?.since { order.append((since, group)) }
        }

        /// Adds a group where it stands.
        mutating func insert(_ group: String) {
            guard let since = offers[group]?.since else { return }
            let index = order.lastIndex { $0.since < since }.map { $0 + 1 } ?? 0
            order.insert((since, group), at: index)
        }

        /// Puts the groups in order, and leaves out those whose turn does not come.
        mutating func sort() {
            order.sort { $0.since < $1.since }
            if let last { order.removeSubrange((last + 1)...) }
        }

        /// The group with which there is enough to give; `nil` if there is not.
        var last: Int? {
            var count = 0
            return order.firstIndex { _, group in
                count += offers[group]?.messages.count ?? 0
                return count >= limit
            }
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
        try considerWaiting(&selection, &receive)
        let dueGroups = Set(due(at: now).compactMap(\.entry.group))
        for group in dueGroups { try consider(group, &selection, &receive) }
        var known = 0
        try index.readyGroups.inOrder { entry in
            guard isReady(entry), let group = held[entry.place]?.entry.group,
                selection.offers[group] == nil
            else { return true }
            try consider(group, &selection, &receive)
            known += selection.offers[group]?.messages.count ?? 0
            return known < limit
        }
        selection.sort()
        try lookAhead(&selection, heldWaiting, &stream, &receive)
        for (_, group) in selection.order {
            picked += (selection.offers[group]?.messages ?? []).prefix(limit - picked.count)
        }
    }

    /// Looks at groups of which the state holds no message, though the head has passed some: at
    /// those that stand first, and if all of a group has expired, at others.
    private func considerWaiting<Stream: MessageStream>(
        _ selection: inout Selection<Stream>, _ receive: inout QueueRecord.Receive
    ) throws {
        for group in firstWaiting(selection.limit) { try consider(group, &selection, &receive) }
        guard selection.last == nil, index.unheldGroups.count > selection.limit else { return }
        // All of them are put in order once: as many may have expired as there are.
        var rest = waitingGroups.sorted { $0.cursor < $1.cursor }.dropFirst(selection.limit)
        while selection.last == nil, selection.budget > 0, !rest.isEmpty {
            for (_, group) in rest.prefix(selection.limit) {
                try consider(group, &selection, &receive)
            }
            rest = rest.dropFirst(selection.limit)
        }
    }

    private func firstWaiting(_ limit: Int) -> [String] {
        var first: [(cursor: Head, group: String)] = []
        for (cursor, group) in waitingGroups {
            if first.count == limit, let last = first.last, last.cursor < cursor { continue }
            let place = first.firstIndex { cursor < $0.cursor } ?? first.count
            first.insert((cursor, group), at: place)
            if first.count > limit { first.removeLast() }
        }
        return first.map(\.group)
    }

    /// Groups of which the state holds no message, and where the first of each stands.
    private var waitingGroups: some Sequence<(cursor: Head, group: String)> {
        index.unheldGroups.lazy.compactMap { group in
            fair.passed[group].map { ($0.cursor, group) }
        }
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
            // One further: it stands there among other groups' from then on.
            while let entry = try walk.peek(
                group, selection.stream, upTo: head, &selection.budget),
                offer.messages.count < selection.limit
            {
                walk.advance()
                guard !steps(over: entry, selection.now, &receive) else { continue }
                receive.first.append(QueueRecord.FirstReceive(entry: entry, bits: nil))
                offer.add(entry)
            }
            if walk.messages != passed { receive.passed[group] = walk.messages }
        }
        selection.offers[group] = offer
        selection.append(group)
    }

    /// Goes on along the stream until there is enough to give.
    ///
    /// Where that stands behind what the stream still has, because it came back, no further than
    /// `heldAhead` messages.
    private func lookAhead<Stream: MessageStream>(
        _ selection: inout Selection<Stream>, _ heldWaiting: Int, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive
    ) throws {
        var passed = fair.passedCount
        var line = Line(
            streamed - min(streamed, delayed.count + passed), DelayedWalk(delayed, stream))
        var ahead = 0
        while let end = lookEnd(selection, heldWaiting, receive, ahead),
            UInt64(held.count + receive.first.count) + passed < QueueLimits.passedOver,
            let (entry, isDelayed) = try nextInLine(
                &line, before: end, selection.now, &stream, &receive)
        {
            if selection.last != nil { ahead += 1 }
            let group = entry.group ?? ""
            let others = receive.passed[group] ?? fair.passed[group]
            var offer = selection.offers[group] ?? Offer(isHalted: index.groups[group] != nil)
            let waits = offer.isHalted || offer.messages.count >= selection.limit
            let isFull = held.count + receive.first.count >= heldWaiting
            let hasOthers = (others?.count ?? 0) > 0
            if isDelayed { line.delays?.advance() }
            if hasOthers || (waits && isFull) {
                let cursor = others.flatMap { $0.count > 0 ? $0.cursor : nil }
                receive.passed[group] = PassedMessages(
                    cursor: cursor ?? entry.position, count: (others?.count ?? 0) + 1)
                passed += 1
                continue
            }
            receive.first.append(QueueRecord.FirstReceive(entry: entry, bits: nil))
            guard !waits else { continue }
            let isNew = offer.messages.isEmpty
            offer.add(entry)
            selection.offers[group] = offer
            if isNew { selection.insert(group) }
        }
        receive.delayed = line.delays?.step
    }

    /// Behind which place in line a receive looks no further; `nil` if it need not look at all.
    private func lookEnd<Stream: MessageStream>(
        _ selection: Selection<Stream>, _ heldWaiting: Int, _ receive: QueueRecord.Receive,
        _ ahead: Int
    ) -> DeadlineHeap.Entry? {
        guard let last = selection.last else { return .end }
        guard ahead < QueueLimits.heldAhead else { return nil }
        if seeksMore(selection, heldWaiting, receive) { return .end }
        let (since, group) = selection.order[last]
        return selection.offers[group]?.hasReturned == true ? since : nil
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
                offer.add(message)
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

    /// The next one that stands before `end`; the caller goes past it if it was delayed.
    private func nextInLine<Stream: MessageStream>(
        _ line: inout Line<Stream>, before end: DeadlineHeap.Entry, _ now: Timestamp,
        _ stream: inout Stream, _ receive: inout QueueRecord.Receive
    ) throws -> (entry: StreamEntry, isDelayed: Bool)? {
        while line.undelayed > 0, line.budget > 0 {
            line.budget -= 1
            guard let next = try stream.next() else {
                line.undelayed = 0
                break
            }
            guard !next.waitsInLine || next.turn < end else { return nil }
            receive.head = next.after
            guard next.waitsInLine else { continue }
            line.undelayed -= 1
            if isPassed(next, receive) || !steps(over: next, now, &receive) { return (next, false) }
        }
        guard line.undelayed == 0 else { return nil }
        let entry = try nextDelayed(&line.delays, visibleAt: now, now, &receive, &line.budget)
        return entry.flatMap { $0.turn < end ? ($0.undelayed, true) : nil }
    }
}
