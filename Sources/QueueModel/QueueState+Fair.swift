import JSON

/// Fair queues: messages of quiet tenants first (SQS Developer Guide, *sqs-fair-queues-detailed*).
///
/// The head runs past the messages of noisy tenants and leaves them where they are. What it passed
/// is known by one cursor a tenant, never by message, and a receive looks at a bounded number.
extension QueueState {

    func isNoisy(_ group: String, at now: Timestamp) -> Bool {
        fair.isNoisy(group, all: index.inFlight, at: now)
    }

    /// What the metrics of queues with message groups tell.
    package enum GroupCounts: Equatable, Sendable {
        /// A FIFO queue's groups that have a message in flight.
        case fifo(inFlight: Int)
        case fair(noisy: Int, visibleInQuiet: UInt64, inFlightInQuiet: UInt64)
    }

    /// `nil` for a standard queue none of whose messages has a group.
    package func groupCounts(at now: Timestamp) -> GroupCounts? {
        if settings.isFIFO {
            let inFlight = held.values.lazy.filter { $0.isInFlight(at: now) }
            return .fifo(inFlight: Set(inFlight.compactMap(\.entry.group)).count)
        }
        guard fair.isActive else { return nil }
        let groups = Set(fair.tenants.keys).union(fair.passed.keys)
        let noisy = groups.filter { isNoisy($0, at: now) }
        let passed = noisy.reduce(UInt64(0)) { $0 + (fair.passed[$1]?.count ?? 0) }
        let noisyInFlight = noisy.reduce(UInt64(0)) {
            $0 + UInt64(max(0, fair.tenants[$1]?.inFlight ?? 0))
        }
        let counts = counts(at: now)
        return .fair(
            noisy: noisy.count, visibleInQuiet: counts.visible - min(counts.visible, passed),
            inFlightInQuiet: counts.inFlight - min(counts.inFlight, noisyInFlight))
    }

    /// After a base record: who has what in flight follows from the held messages.
    mutating func restoreFairShare(_ saved: FairShare) {
        fair = saved
        guard !settings.isFIFO else {
            for group in fair.passed.keys { noteUnheld(group) }
            return
        }
        for message in held.values where message.isHidden && message.lastReceived != nil {
            if let group = message.entry.group { fair.count(group, at: index.settled) }
        }
    }

    /// Where the oldest message of the stream stands.
    package var streamStart: Head {
        fair.passed.values.reduce(min(head, delayed.start ?? head)) { min($0, $1.cursor) }
    }

    /// Where the oldest message of the stream stands that may be visible.
    package func visibleStart(at now: Timestamp) -> Head {
        let first = min(head, delayed.visibleStart(at: now) ?? head)
        return fair.passed.values.reduce(first) { min($0, $1.cursor) }
    }

    /// Some of the stream's messages: where they begin, and which they are.
    package struct StreamPart {
        package var from: Head
        /// Those of one tenant that the head has passed; `nil`: of all.
        var group: String?
        /// Those that were delayed, and the others.
        var isDelayed = false
        /// Whether it makes no difference if they were.
        var isMixed = false
        /// How many they are; `nil`: all to the end.
        package var count: UInt64?

        package func holds(_ entry: StreamEntry) -> Bool {
            guard isMixed || entry.waitsInLine != isDelayed else { return false }
            return group == nil || group == entry.group
        }
    }

    /// Where the messages of the stream begin; of many FIFO groups, those that stand first.
    package var streamParts: [StreamPart] {
        var parts = [StreamPart(from: head)]
        let first = fair.passed.sorted { $0.value.cursor < $1.value.cursor }
        for (group, messages) in first.prefix(QueueLimits.passedTenants) {
            parts.append(
                StreamPart(
                    from: messages.cursor, group: group, isMixed: settings.isFIFO,
                    count: messages.count))
        }
        if let start = delayed.start { parts.append(StreamPart(from: start, isDelayed: true)) }
        return parts
    }

    /// Whether a message that came to the stream is still in there.
    package func isInStream(_ entry: StreamEntry) -> Bool {
        if let due = entry.past?.due {
            if delayed.holds(due, at: entry.position) { return true }
            guard settings.isFIFO, let group = entry.group else { return false }
            return fair.passed[group].map { $0.cursor <= entry.position } ?? false
        }
        guard entry.waitsInLine, !requeued.holes.contains(entry.place) else { return false }
        guard entry.position < head else { return true }
        guard let group = entry.group, let passed = fair.passed[group] else { return false }
        return passed.cursor <= entry.position
    }

    /// Quiet tenants first: what came back, what the head passed when they were noisy, and the
    /// stream from the head on. Then noisy ones, those with the fewest in flight first.
    func pickFair<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage]
    ) throws {
        let due = due(at: now)
        var returned: [String: ArraySlice<StreamEntry>] = [:]
        pickReturned(.plain, limit, now, due, &receive, &picked) { entry in
            guard let group = entry.group, isNoisy(group, at: now) else { return false }
            let known = returned[group] ?? []
            if known.count < limit, !known.contains(where: { $0.place == entry.place }) {
                returned[group] = known + [entry]
            }
            return true
        }
        var walks = fair.passed.mapValues { PassedWalk<Stream>(messages: $0) }
        var budget = Self.scanLimit
        for group in walks.keys.sorted() where !isNoisy(group, at: now) {
            while picked.count < limit,
                let entry = try step(&walks, group, stream, now, &receive, &budget)
            {
                take(entry, &receive, &picked)
            }
        }
        walks = walks.filter { $0.value.messages.count > 0 }
        // Strictly in order: one of a noisy tenant keeps back what became visible after it.
        var delays = DelayedWalk(delayed, stream)
        try pickDelayed(&delays, limit, now, &receive, &picked) { entry in
            entry.group.map { isNoisy($0, at: now) } ?? false
        }
        budget = Self.scanLimit
        while picked.count < limit, budget > 0, streamed > delayed.count,
            let next = try stream.next()
        {
            budget -= 1
            receive.head = next.after
            guard next.waitsInLine else { continue }
            // Whatever became of it, its tenant's walk comes to it later.
            if let group = next.group, walks[group] != nil {
                walks[group]?.messages.count += 1
                continue
            }
            guard !steps(over: next, now, &receive) else { continue }
            if let group = next.group {
                if walks.count < QueueLimits.passedTenants, isNoisy(group, at: now) {
                    let messages = PassedMessages(cursor: next.position, count: 1)
                    walks[group] = PassedWalk(messages: messages)
                    continue
                }
            }
            take(next, &receive, &picked)
        }
        try pickNoisy(limit, now, stream, returned, &walks, &receive, &picked)
        try pickDelayed(&delays, limit, now, &receive, &picked)
        for group in fair.passed.keys where walks[group] == nil {
            receive.passed[group] = PassedMessages(cursor: receive.head, count: 0)
        }
        for (group, walk) in walks where fair.passed[group] != walk.messages {
            if walk.messages.count > 0 || fair.passed[group] != nil {
                receive.passed[group] = walk.messages
            }
        }
        if picked.count < limit { pickReturned(.poison, limit, now, due, &receive, &picked) }
    }

    private func pickNoisy<Stream: MessageStream>(
        _ limit: Int, _ now: Timestamp, _ stream: Stream,
        _ returned: [String: ArraySlice<StreamEntry>],
        _ walks: inout [String: PassedWalk<Stream>], _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage]
    ) throws {
        var returned = returned
        var budget = Self.scanLimit
        var loads: [String: Int] = [:]
        for group in returned.keys { loads[group] = fair.tenants[group]?.inFlight ?? 0 }
        for group in walks.keys { loads[group] = fair.tenants[group]?.inFlight ?? 0 }
        while picked.count < limit,
            let group = loads.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })?.key
        {
            if let entry = returned[group]?.popFirst() {
                picked.append(PickedMessage(entry: entry, isAgain: true))
            } else if walks[group] != nil,
                let entry = try step(&walks, group, stream, now, &receive, &budget)
            {
                take(entry, &receive, &picked)
            } else {
                loads[group] = nil
                continue
            }
            loads[group, default: 0] += 1
        }
    }

    func take(
        _ entry: StreamEntry, _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage]
    ) {
        receive.first.append(QueueRecord.FirstReceive(entry: entry, bits: nil))
        picked.append(PickedMessage(entry: entry, isAgain: false))
    }

    /// The next message of a tenant among those that the head passed.
    private func step<Stream: MessageStream>(
        _ walks: inout [String: PassedWalk<Stream>], _ group: String, _ stream: Stream,
        _ now: Timestamp, _ receive: inout QueueRecord.Receive, _ budget: inout Int
    ) throws -> StreamEntry? {
        guard var walk = walks[group] else { return nil }
        walks[group] = nil
        defer { walks[group] = walk }
        while budget > 0, let entry = try walk.peek(group, stream, upTo: receive.head, &budget) {
            walk.advance()
            if !steps(over: entry, now, &receive) { return entry }
        }
        return nil
    }

    /// Ends expired messages among those that the head passed.
    func sweepPassed<Stream: MessageStream>(
        at now: Timestamp, _ stream: Stream, _ receive: inout QueueRecord.Receive
    ) throws {
        var budget = Self.sweepLimit
        for (group, messages) in fair.passed.sorted(by: { $0.value.cursor < $1.value.cursor })
        where budget > 0 {
            var walk = PassedWalk<Stream>(
                messages: messages, takesDelayed: settings.isFIFO)
            while budget > 0, let entry = try walk.peek(group, stream, upTo: head, &budget),
                steps(over: entry, now, &receive)
            {
                walk.advance()
            }
            if walk.messages != messages { receive.passed[group] = walk.messages }
        }
    }
}

/// Walks along the messages of one tenant that the head has passed.
struct PassedWalk<Stream: MessageStream> {
    var messages: PassedMessages
    /// FIFO: those that were delayed stand among the others, in order.
    var takesDelayed = false
    private var stream: Stream?
    private var ahead: StreamEntry?

    init(messages: PassedMessages, takesDelayed: Bool = false) {
        self.messages = messages
        self.takesDelayed = takesDelayed
    }

    /// The next one, without going past it; `nil` at the end, or when the budget is used up.
    mutating func peek(
        _ group: String, _ other: Stream, upTo head: Head, _ budget: inout Int
    ) throws -> StreamEntry? {
        if let ahead { return ahead }
        guard messages.count > 0 else { return nil }
        var stream = self.stream ?? other.from(messages.cursor)
        defer { self.stream = stream }
        while budget > 0 {
            budget -= 1
            guard let next = try stream.next(), takesDelayed || next.position < head else {
                messages.count = 0
                return nil
            }
            if next.group == group {
                if next.waitsInLine || (takesDelayed && next.past?.due != nil) {
                    ahead = next.undelayed
                    return ahead
                }
            }
            messages.cursor = next.after
        }
        return nil
    }

    mutating func advance() {
        guard let next = ahead else { return }
        ahead = nil
        messages.cursor = next.after
        messages.count -= 1
    }
}
