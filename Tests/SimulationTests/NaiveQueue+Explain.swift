import JSON
import QueueModel

extension NaiveQueue {
    /// The queue that `view` shows, if it is this one before or after `operation`.
    ///
    /// - Parameters:
    ///   - isElsewhere: whether a message is under way to the peer, or there.
    ///   - departures: how often a message can have left the peer for here.
    /// - Throws: `Violation` if nothing that is allowed leads there.
    func explain(
        _ view: QueueView, by operation: Operation?, isElsewhere: (String) -> Bool,
        departures: (String) -> Int
    ) throws(Violation) -> (next: NaiveQueue, isChanged: Bool) {
        let own = operation?.queue == name ? operation : nil
        guard isThere, view.isThere else { return try explainLife(view, by: own) }
        // Who opens it for another queue's sake may begin a segment, and with it a later time.
        let time = max(own?.clock ?? view.lastTime, lastTime)
        var change = Change(time: time, operation: own)
        change.deliverable = Dictionary(
            uniqueKeysWithValues: deliverable(at: time).map { ($0.token, $0) })
        var next = self
        next.messages = view.messages
        next.lastTime = view.lastTime
        next.taken = view.taken
        next.isGiving = !view.transfers.isEmpty
        var seen: [String: Message] = [:]
        for message in view.messages
        where seen.updateValue(message, forKey: message.token) != nil {
            throw Violation("\(message.token) is in \(name) twice")
        }
        for message in messages {
            if let now = seen.removeValue(forKey: message.token) {
                try explain(message, now, &change)
            } else {
                try explainLoss(of: message, isElsewhere, &change, &next)
            }
        }
        for message in view.messages where seen[message.token] != nil {
            try explainArrival(of: message, departures(message.token), &change, &next)
        }
        if view.state.settings != settings {
            guard case .set(view.state.settings)? = own?.kind else {
                throw Violation("the settings of \(name) changed by themselves")
            }
            next.settings = view.state.settings
            change.isChanged = true
        }
        if view.state.lastPurge != lastPurge {
            guard case .purge? = own?.kind, view.state.lastPurge == time else {
                throw Violation("\(name) was purged by itself")
            }
            next.lastPurge = time
            next.deduplications = []
            change.hasPurged = true
        }
        try checkWhole(change, &next)
        return (next, change.isChanged || change.hasPurged)
    }

    /// It was not there, or is not.
    private func explainLife(
        _ view: QueueView, by own: Operation?
    ) throws(Violation) -> (next: NaiveQueue, isChanged: Bool) {
        var next = self
        switch (isThere, view.isThere, own?.kind) {
        case (false, false, _): return (self, false)
        case (true, _, .remove(let force)?):
            guard force || messages.isEmpty else {
                throw Violation("\(name) was removed with \(messages.count) messages")
            }
            next.isThere = false
            next.messages = []
            next.deduplications = []
            next.lastPurge = nil
            next.cancelled.formUnion(underWay)
            next.underWay = []
            next.isGiving = false
        case (false, _, .create(let settings)?):
            guard view.messages.isEmpty, view.transfers.isEmpty, view.state.lastPurge == nil else {
                throw Violation("\(name) is new, and holds \(view.messages)")
            }
            guard view.state.settings == settings else {
                throw Violation("\(name) was made with other settings: \(view.state.settings)")
            }
            next.isThere = true
            next.settings = settings
            next.lastTime = view.lastTime
            next.taken = view.taken
        default: throw Violation("\(name) is \(view.isThere ? "there" : "gone") by itself")
        }
        return (next, true)
    }

    /// What was seen so far.
    private struct Change {
        var time: Timestamp
        var operation: Operation?
        var deliverable: [String: Message] = [:]
        var isChanged = false
        var sent: [String] = []
        var received: [Message] = []
        var deleted = 0
        var purged = 0
        var hasPurged = false
    }

    /// It was there and is there.
    private func explain(
        _ message: Message, _ now: Message, _ change: inout Change
    ) throws(Violation) {
        guard message.group == now.group, message.sent == now.sent else {
            throw Violation("\(message) became \(now)")
        }
        let time = change.time
        if now.receiveCount == message.receiveCount, now.handle == message.handle {
            if isHidden(message, at: time) == isHidden(now, at: time),
                now.visibleAt == message.visibleAt || !isHidden(now, at: time)
            {
                return
            }
            switch change.operation?.kind {
            case .changeVisibility(message.handle, let seconds)
            where isHidden(message, at: time) && now.visibleAt == time + .seconds(seconds): break
            // FIFO: another delay counts for what is delayed.
            case .set(let other)
            where settings.isFIFO && message.handle == nil && isHidden(message, at: time):
                let longer = Duration.seconds(other.delaySeconds - settings.delaySeconds)
                let visibleAt = (message.visibleAt ?? time) + longer
                guard now.visibleAt == visibleAt || (visibleAt <= time && !isHidden(now, at: time))
                else { throw Violation("the delay of \(message) became \(now)") }
            // The receive that gave it out is repeated.
            case .receive(_, let seconds, .some)
            where now.visibleAt == time + .seconds(seconds) && message.handle != nil: break
            default: throw Violation("the visibility of \(message) became \(now)")
            }
            change.isChanged = true
            return
        }
        guard now.receiveCount == message.receiveCount + 1 else {
            throw Violation("the receive count of \(message) became \(now.receiveCount)")
        }
        guard change.deliverable[message.token] != nil else {
            throw Violation("\(message) was received, and must not be")
        }
        switch change.operation?.kind {
        case .receive(_, let seconds, _) where now.visibleAt == time + .seconds(seconds): break
        case .redrive where now.visibleAt == time + .seconds(30): break
        // The queue that it was to go to has been removed meanwhile.
        case .redrive where now.visibleAt == time: break
        default: throw Violation("\(message) became \(now)")
        }
        change.received.append(message)
        change.isChanged = true
    }

    /// It was there and is not.
    private func explainLoss(
        of message: Message, _ isElsewhere: (String) -> Bool, _ change: inout Change,
        _ next: inout NaiveQueue
    ) throws(Violation) {
        change.isChanged = true
        switch change.operation?.kind {
        case .delete(let handles)
        where handles.contains { deletes($0, at: change.time)?.token == message.token }:
            change.deleted += 1
            return
        case .purge:
            change.purged += 1
            return
        case .receive where mustMove(message, at: change.time) && isElsewhere(message.token):
            next.departed[message.token, default: 0] += 1
            return
        case .redrive
        where change.deliverable[message.token] != nil && isElsewhere(message.token):
            next.departed[message.token, default: 0] += 1
            return
        default: break
        }
        guard isExpired(message, at: change.time) else { throw Violation("\(message) is lost") }
    }

    /// It was not there and is.
    private func explainArrival(
        of message: Message, _ departures: Int, _ change: inout Change, _ next: inout NaiveQueue
    ) throws(Violation) {
        change.isChanged = true
        guard case .send(let entries)? = change.operation?.kind,
            let entry = entries.first(where: { $0.token == message.token })
        else {
            next.arrived[message.token, default: 0] += 1
            guard next.arrived[message.token] ?? 0 <= departures else {
                throw Violation("\(message) came from nowhere")
            }
            let isDead = settings.redrivePolicy == nil
            var count = message.receiveCount
            if message.handle != nil {
                // Left on its way by a dead process, found there by who received it at once.
                switch change.operation?.kind {
                case .receive(_, let seconds, _)
                where message.visibleAt == change.time + .seconds(seconds): break
                case .redrive where message.visibleAt == change.time + .seconds(30): break
                case .redrive where message.visibleAt == change.time: break
                default: throw Violation("\(message) came, and was received by nobody")
                }
                count -= 1
            }
            guard (count > 0) == isDead else {
                throw Violation("\(message) came from the peer with that receive count")
            }
            return
        }
        let delay = entry.delaySeconds > 0 ? entry.delaySeconds : settings.delaySeconds
        let hidden = delay > 0 ? change.time + .seconds(delay) : nil
        guard message.sent == change.time, message.receiveCount == 0,
            message.visibleAt == hidden || message.visibleAt == hidden?.nextSecond
                || standsBehindDelayed(message, next, at: change.time),
            message.group == entry.group
        else { throw Violation("\(entry) was sent at \(change.time), and is \(message)") }
        change.sent.append(message.token)
        if let id = entry.deduplicationID {
            next.deduplications.append(
                Deduplication(
                    id: deduplicationKey(id, entry.group), token: message.token, time: change.time))
        }
    }

    /// FIFO: whether it waits for one that is or was delayed before it.
    private func standsBehindDelayed(
        _ message: Message, _ next: NaiveQueue, at time: Timestamp
    ) -> Bool {
        guard settings.isFIFO else { return false }
        let before = messages + next.messages.prefix { $0.token != message.token }
        return (message.visibleAt ?? time) >= time
            && before.contains { $0.handle == nil && $0.visibleAt != nil }
    }

    /// What is one record happens wholly or not at all.
    private func checkWhole(_ change: Change, _ next: inout NaiveQueue) throws(Violation) {
        switch change.operation?.kind {
        case .send(let entries) where !change.sent.isEmpty:
            let expected = fresh(entries, at: change.time).map(\.token)
            // Ten a record; the later ones may have failed, or may be what is seen now.
            let isPart =
                entries.count > QueueLimits.batchEntries
                && change.sent == expected.filter(change.sent.contains)
            guard change.sent == expected || isPart else {
                throw Violation("of \(expected), \(change.sent) were sent")
            }
        case .delete(let handles) where change.deleted > 0:
            let expected = Set(handles.compactMap { deletes($0, at: change.time)?.token })
            guard change.deleted == expected.count else {
                throw Violation("of \(expected.sorted()), only \(change.deleted) were deleted")
            }
        case .purge:
            guard change.hasPurged == (change.purged > 0 || change.hasPurged),
                !change.hasPurged || change.purged == messages.count
            else { throw Violation("\(change.purged) of \(messages.count) were purged") }
        case .receive(let limit, _, _) where !change.received.isEmpty:
            let expected = min(limit, change.deliverable.count)
            guard change.received.count == expected else {
                throw Violation(
                    "\(change.received.count) were received where \(expected) could be")
            }
            if settings.isFIFO { try checkOrder(change) }
        default: break
        }
    }

    /// A group's messages come from its front, and from the groups that stand first.
    private func checkOrder(_ change: Change) throws(Violation) {
        var skipped: Set<String> = []
        let received = Set(change.received.map(\.token))
        for message in deliverable(at: change.time) {
            if !received.contains(message.token) {
                skipped.insert(message.group ?? "")
            } else if skipped.contains(message.group ?? "") {
                throw Violation("\(message) was received before one that stands before it")
            }
        }
        // A shorter retention period leaves some that have expired in line: groups stand where
        // those do until a receive has gone past them.
        guard !messages.contains(where: { isExpired($0, at: change.time) }) else { return }
        let groups = groupsInTurn(at: change.time)
        let taken = Set(change.received.map { $0.group ?? "" })
        guard taken == Set(groups.prefix(taken.count)) else {
            throw Violation("of \(groups), \(taken.sorted()) were received")
        }
    }
}

extension Timestamp {
    /// A delay that the state does not hold ends with a second.
    fileprivate var nextSecond: Timestamp {
        Timestamp(milliseconds: (milliseconds + 999) / 1000 * 1000)
    }
}
