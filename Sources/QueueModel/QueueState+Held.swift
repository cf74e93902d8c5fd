import JSON

/// What follows from the held messages: kept along, never written.
struct HeldIndex: Sendable {
    /// The time of the last record: what was due by then has been sorted into its lane.
    var settled = Timestamp(milliseconds: 0)
    /// When those in flight and delayed become visible.
    var hidden = DeadlineHeap()
    var inFlight: UInt64 = 0
    var delayed: UInt64 = 0
    /// Visible ones by lane, each in the order in which they came back.
    var lanes = [ReturnedLane](repeating: ReturnedLane(), count: HeldLane.allCases.count)
    /// FIFO: held messages by group, and the groups that may go on, in their order.
    var groups: [String: MessageGroup] = [:]
    var readyGroups = DeadlineHeap()
    /// FIFO: groups without a held message of which the head has passed some.
    var unheldGroups: Set<String> = []
    /// FIFO: when they were sent, the first to expire first.
    var expiry = DeadlineHeap()
    /// When they were sent.
    var sentTimes = SentTimes(retentionSeconds: QueueSettings().retentionSeconds)
}

extension StreamEntry {
    /// Where a group stands among others while this is its first message.
    var turn: DeadlineHeap.Entry { DeadlineHeap.Entry(time: arrived, place: place) }
}

extension HeldMessage {
    /// The same: one that was received waits since it came back.
    var turn: DeadlineHeap.Entry {
        lastReceived == nil
            ? entry.turn : DeadlineHeap.Entry(time: visibleAt, place: entry.place)
    }
}

extension DeadlineHeap.Entry {
    /// Behind all others.
    static let end = DeadlineHeap.Entry(
        time: Timestamp(milliseconds: .max), place: Place(n: Place.nLimit - 1, index: 15))
}

/// Where a visible held message waits.
enum HeldLane: Int, CaseIterable {
    case plain
    /// Those of a standard queue that came back too often, and go to the back.
    case poison
    /// Those that have used up their receives and wait for their transfer.
    case doomed
}

extension QueueState {
    /// Counts as SQS shows them.
    package struct Counts: Equatable, Sendable {
        package var visible: UInt64
        package var inFlight: UInt64
        package var delayed: UInt64
    }

    /// - Parameter expiredSeen: messages of the stream, from the head on, that the caller saw to
    ///   have expired.
    package func counts(at now: Timestamp, expiredSeen: UInt64 = 0) -> Counts {
        // A reader may have looked at its clock before others wrote, or its clock went back.
        let now = max(now, index.settled)
        var counts = placeCounts(at: now)
        let expired = expiredHeld(at: now)
        counts.visible -= expired.visible
        counts.inFlight -= expired.inFlight
        counts.delayed -= expired.delayed
        let streamed = expiredInStream(at: now, seen: expiredSeen)
        let visible = min(streamed, counts.visible)
        counts.visible -= visible
        // A delay may be longer than the retention period.
        counts.delayed -= min(streamed - visible, counts.delayed)
        return counts
    }

    /// As they lie, expired or not.
    private func placeCounts(at now: Timestamp) -> Counts {
        var counts = Counts(
            visible: 0, inFlight: index.inFlight, delayed: index.delayed + delayed.undue(at: now))
        for entry in dueEntries(at: now) {
            guard let position = held.position(of: entry.place) else { continue }
            if held[at: position].lastReceived == nil {
                counts.delayed -= 1
            } else {
                counts.inFlight -= 1
            }
        }
        counts.visible = streamed + UInt64(held.count) - counts.inFlight - counts.delayed
        return counts
    }

    /// When the oldest held message arrived, poison and expired ones left out; the stream is the
    /// caller's to look at.
    package func oldestHeld(at now: Timestamp) -> Timestamp? {
        held.values.lazy.filter { self.lane(of: $0) != .poison && !isExpired($0.entry, now) }
            .map(\.entry.arrived).min()
    }

    /// When the next held message becomes visible, if later than `now`: no need to look before,
    /// unless something is sent.
    package func nextWake(after now: Timestamp) -> Timestamp? {
        let held = index.hidden.first(after: now) { isTrue($0) }?.time
        return [held, delayed.nextDue(after: now)].compactMap { $0 }.min()
    }

    private func hasDue(at now: Timestamp) -> Bool {
        index.hidden.first.map { $0.time <= now } ?? false
    }

    /// Whether messages may wait in a lane.
    func hasReturned(_ lane: HeldLane, at now: Timestamp) -> Bool {
        !index.lanes[lane.rawValue].isEmpty || hasDue(at: now)
    }

    /// Hidden messages that have become visible since the last record, in that order.
    func due(at now: Timestamp) -> [HeldMessage] {
        dueEntries(at: now).compactMap { held[$0.place] }
    }

    private func dueEntries(at now: Timestamp) -> [DeadlineHeap.Entry] {
        guard hasDue(at: now) else { return [] }
        var due: [DeadlineHeap.Entry] = []
        index.hidden.forEach(upTo: now) { entry in
            if isTrue(entry) { due.append(entry) }
        }
        due.sort()
        // Two speak of a message that was given another time, and then that one again.
        var last: DeadlineHeap.Entry?
        due.removeAll { entry in
            defer { last = entry }
            return entry == last
        }
        return due
    }

    /// Visible messages of a lane, in the order in which they became visible, until `visit` says
    /// stop.
    func forEachReturned(
        _ lane: HeldLane, _ due: [HeldMessage], _ visit: (HeldMessage) -> Bool
    ) {
        for entry in index.lanes[lane.rawValue].live {
            guard isTrue(entry, in: lane), let message = held[entry.place] else { continue }
            guard visit(message) else { return }
        }
        for message in due where self.lane(of: message) == lane {
            guard visit(message) else { return }
        }
    }

    /// Whether a message has used up its receives and waits for its transfer: one that came with
    /// more than there may be, from another queue, is given out once.
    func mustMove(_ message: HeldMessage) -> Bool {
        guard message.lastReceived != nil, let policy = settings.redrivePolicy else { return false }
        return message.receiveCount >= policy.maxReceiveCount
    }

    func lane(of message: HeldMessage) -> HeldLane {
        if mustMove(message) { return .doomed }
        return message.isPoison && !settings.isFIFO ? .poison : .plain
    }

    /// Whether an entry of `hidden` still speaks of its message.
    private func isTrue(_ entry: DeadlineHeap.Entry) -> Bool {
        guard let position = held.position(of: entry.place) else { return false }
        return held[at: position].isHidden && held[at: position].visibleAt == entry.time
    }

    private func isTrue(_ entry: DeadlineHeap.Entry, in lane: HeldLane) -> Bool {
        guard let position = held.position(of: entry.place), !held[at: position].isHidden,
            held[at: position].visibleAt == entry.time
        else { return false }
        return self.lane(of: held[at: position]) == lane
    }

    // MARK: changes, used by `apply` alone

    /// Sorts what has become visible by `time` into its lane.
    mutating func settle(at time: Timestamp) {
        guard time > index.settled else { return }
        index.settled = time
        while let entry = index.hidden.first, entry.time <= time {
            index.hidden.removeFirst()
            guard isTrue(entry), var message = held[entry.place] else { continue }
            count(message, -1)
            message.isHidden = false
            held[entry.place] = message
            count(message, 1)
            line(up: message)
            ready(message.entry.group)
        }
    }

    mutating func hold(_ message: consuming HeldMessage) {
        message.isHidden = message.visibleAt > index.settled
        if let position = held.position(of: message.entry.place) {
            count(held[at: position], -1)
            held[at: position] = message
            count(message, 1)
            if message.isHidden { hide(message) }
        } else {
            enter(message)
            held.update(message)
        }
        if !message.isHidden { line(up: message) }
        ready(message.entry.group)
        dropStale()
    }

    private mutating func hide(_ message: HeldMessage) {
        index.hidden.insert(
            DeadlineHeap.Entry(time: message.visibleAt, place: message.entry.place))
    }

    @discardableResult
    mutating func release(_ place: Place) -> HeldMessage? {
        guard let message = held.remove(place) else { return nil }
        count(message, -1)
        index.sentTimes.remove(message.entry.sent)
        if settings.isFIFO, let group = message.entry.group {
            index.groups[group]?.remove(place)
            if index.groups[group]?.isEmpty == true {
                index.groups[group] = nil
                noteUnheld(group)
            }
            ready(group)
        }
        dropStale()
        return message
    }

    /// Whether the head has passed messages of a group that has no held ones.
    mutating func noteUnheld(_ group: String) {
        guard settings.isFIFO else { return }
        if index.groups[group] == nil, fair.passed[group] != nil {
            index.unheldGroups.insert(group)
        } else {
            index.unheldGroups.remove(group)
        }
    }

    mutating func releaseAll() {
        held = HeldMessages()
        let settled = index.settled
        index = HeldIndex()
        index.settled = settled
        index.sentTimes = SentTimes(retentionSeconds: settings.retentionSeconds)
    }

    /// Sorts everything anew, when the redrive policy changes.
    mutating func rebuildIndex(at time: Timestamp) { hold(all: held.values, at: time) }

    /// Holds these messages and no others.
    mutating func hold(all messages: consuming [HeldMessage], at time: Timestamp) {
        let share = fair
        index = HeldIndex()
        index.settled = time
        index.sentTimes = SentTimes(retentionSeconds: settings.retentionSeconds)
        var messages = consume messages  // copied, 120,000 would be there twice
        index.hidden.reserve(messages.count)
        let isSorted = zip(messages, messages.dropFirst()).allSatisfy {
            $0.entry.place < $1.entry.place
        }
        if !isSorted { messages.sort { $0.entry.place < $1.entry.place } }
        held = HeldMessages(consume messages)
        var visible: [DeadlineHeap.Entry] = []
        for position in 0..<held.count {
            held[at: position].isHidden = held[at: position].visibleAt > time
            let message = held[at: position]
            enter(message)
            if !message.isHidden {
                visible.append(
                    DeadlineHeap.Entry(time: message.visibleAt, place: message.entry.place))
            }
        }
        if settings.isFIFO { for group in index.groups.keys { ready(group) } }
        fair = share
        for group in fair.passed.keys { noteUnheld(group) }
        for lane in HeldLane.allCases { index.lanes[lane.rawValue] = ReturnedLane() }
        visible.sort()
        for entry in visible {
            if let position = held.position(of: entry.place) { line(up: held[at: position]) }
        }
    }

    /// Enters a message into the index that is not in there yet; not into its lane.
    private mutating func enter(_ message: HeldMessage) {
        index.sentTimes.add(message.entry.sent)
        if settings.isFIFO, let group = message.entry.group {
            let place = message.entry.place
            index.expiry.insert(DeadlineHeap.Entry(time: message.entry.sent, place: place))
            index.groups[group, default: MessageGroup()].insert(place)
            index.unheldGroups.remove(group)
        }
        count(message, 1)
        if message.isHidden { hide(message) }
    }

    private mutating func count(_ message: HeldMessage, _ sign: Int) {
        let step = UInt64(bitPattern: Int64(sign))
        if message.isHidden {
            if message.lastReceived == nil {
                index.delayed &+= step
            } else {
                if !settings.isFIFO, message.entry.group != nil || fair.isActive {
                    fair.change(
                        message.entry.group, by: sign, all: index.inFlight, at: index.settled)
                }
                index.inFlight &+= step
            }
        }
    }

    private mutating func line(up message: HeldMessage) {
        let lane = lane(of: message)
        guard lane == .doomed || !settings.isFIFO else { return }
        index.lanes[lane.rawValue].append(
            DeadlineHeap.Entry(time: message.visibleAt, place: message.entry.place))
    }

    /// Notes that a group may go on, if so.
    private mutating func ready(_ group: String?) {
        guard settings.isFIFO, let group else { return }
        let turn = readyTurn(of: group)
        guard index.groups[group]?.announced != turn else { return }
        index.groups[group]?.announced = turn
        if let turn { index.readyGroups.insert(turn) }
    }

    /// Where a group stands that may go on.
    private func readyTurn(of group: String) -> DeadlineHeap.Entry? {
        guard let first = index.groups[group]?.first, let message = held[first],
            !message.isHidden, !mustMove(message)
        else { return nil }
        return message.turn
    }

    func isReady(_ entry: DeadlineHeap.Entry) -> Bool {
        guard let group = held[entry.place]?.entry.group else { return false }
        return readyTurn(of: group) == entry
    }

    /// Drops entries that no longer speak of their message: those in front, and all of them once
    /// they outnumber the true ones.
    private mutating func dropStale() {
        while let first = index.hidden.first, !isTrue(first) { index.hidden.removeFirst() }
        if index.hidden.count > 2 * held.count + 64 {
            var fresh = DeadlineHeap()
            for message in held.values where message.isHidden {
                fresh.insert(
                    DeadlineHeap.Entry(time: message.visibleAt, place: message.entry.place))
            }
            index.hidden = fresh
        }
        for lane in HeldLane.allCases where !index.lanes[lane.rawValue].isEmpty {
            var entries = ReturnedLane()
            swap(&entries, &index.lanes[lane.rawValue])
            entries.dropStale(atMost: held.count) { !isTrue($0, in: lane) }
            swap(&entries, &index.lanes[lane.rawValue])
        }
        guard settings.isFIFO else { return }
        while let first = index.expiry.first, held[first.place] == nil {
            index.expiry.removeFirst()
        }
        if index.expiry.count > 2 * held.count + 64 {
            var fresh = DeadlineHeap()
            for message in held.values {
                fresh.insert(
                    DeadlineHeap.Entry(time: message.entry.sent, place: message.entry.place))
            }
            index.expiry = fresh
        }
        while let first = index.readyGroups.first, !isReady(first) {
            index.readyGroups.removeFirst()
        }
        if index.readyGroups.count > 2 * held.count + 64 {
            var fresh = DeadlineHeap()
            for group in index.groups.keys {
                if let turn = readyTurn(of: group) { fresh.insert(turn) }
            }
            index.readyGroups = fresh
        }
    }
}
