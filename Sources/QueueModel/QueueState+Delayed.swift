import JSON

/// Delayed messages: the state holds some, and of all others it knows where they stand.
extension QueueState {
    /// When a message that is about to be sent becomes visible, if the state is not to hold it.
    ///
    /// Such a delay ends with a second, and so may be up to a second longer than asked for. While
    /// there are such messages all delayed ones become some; in a FIFO queue, all that come.
    ///
    /// - Parameters:
    ///   - seconds: its delay.
    ///   - others: those before it in the same record.
    func due(
        delaySeconds seconds: Int64, behind others: [QueueRecord.NewMessage],
        at now: Timestamp, _ heldWaiting: Int
    ) -> Timestamp? {
        let previous = others.last?.due ?? delayed.last
        guard seconds > 0 || (settings.isFIFO && previous != nil) else { return nil }
        // In a FIFO queue one that the state held would overtake what waits in the stream.
        let mayBeHeld = !settings.isFIFO || streamed == 0
        if previous == nil, mayBeHeld, held.count + others.count < heldWaiting { return nil }
        let last = settings.isFIFO ? previous : nil
        guard seconds > 0 else { return last.map { max($0, unshifted(now)) } }
        let second = (now.milliseconds + seconds * 1000 + 999) / 1000
        let due = unshifted(Timestamp(milliseconds: second * 1000))
        return last.map { max($0, due) } ?? due
    }

    /// The `due` of a message that is to become visible at `time`.
    private func unshifted(_ time: Timestamp) -> Timestamp {
        Timestamp(milliseconds: time.milliseconds - delayed.shift)
    }

    /// When a message of the stream becomes visible that was delayed; `nil` if it was not.
    package func visibleAt(_ entry: StreamEntry) -> Timestamp? {
        guard let due = entry.past?.due else { return nil }
        // What the head has passed is visible, whatever was to be.
        return delayed.visible(due, at: entry.position)
            ?? (isInStream(entry) ? entry.arrived : due)
    }

    /// The record of other attributes. In a FIFO queue another delay counts for what is delayed
    /// already (Developer Guide, *sqs-delay-queues*).
    package func change(to settings: QueueSettings) -> QueueRecord {
        let longer = settings.delaySeconds - self.settings.delaySeconds
        return .set(settings, moved: settings.isFIFO && messageCount > 0 ? longer * 1000 : 0)
    }

    /// Moves what is delayed. Used by `apply` alone.
    mutating func delay(by milliseconds: Int64, at time: Timestamp) {
        delayed.shift(by: milliseconds, at: time)
        for var message in held.values.filter({ $0.isDelayed(at: time) }) {
            message.visibleAt = message.visibleAt + .milliseconds(milliseconds)
            hold(message)
        }
    }

    /// Messages from another queue, as they are to stand in this one: in a FIFO queue behind those
    /// that are delayed.
    package func arriving(
        _ messages: [QueueRecord.NewMessage], at now: Timestamp
    ) -> [QueueRecord.NewMessage] {
        guard settings.isFIFO, let last = delayed.last else { return messages }
        return messages.map { message in
            var message = message
            message.due = max(last, unshifted(now))
            return message
        }
    }

    /// The next delayed message that is visible at `moment`; steps over what has expired before it.
    func nextDelayed<Stream: MessageStream>(
        _ walk: inout DelayedWalk<Stream>?, visibleAt moment: Timestamp, _ now: Timestamp,
        _ receive: inout QueueRecord.Receive, _ budget: inout Int
    ) throws -> StreamEntry? {
        while let entry = try walk?.peek(upTo: moment, &budget) {
            guard isExpired(entry, now), !isPassed(entry, receive) else { return entry }
            walk?.advance()
            receive.expired += 1
            receive.over.append(entry.place)
        }
        return nil
    }

    /// FIFO: whether others of its group stand before it that the head has passed: then it becomes
    /// one of those, whatever became of it.
    func isPassed(_ entry: StreamEntry, _ receive: QueueRecord.Receive) -> Bool {
        guard settings.isFIFO, let group = entry.group else { return false }
        return (receive.passed[group] ?? fair.passed[group]).map { $0.count > 0 } ?? false
    }

    /// Those that have become visible, in that order, up to one that has to stand back.
    func pickDelayed<Stream: MessageStream>(
        _ walk: inout DelayedWalk<Stream>?, _ limit: Int, _ now: Timestamp,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage],
        isPutOff: (StreamEntry) -> Bool = { _ in false }
    ) throws {
        guard walk != nil, delayed.hasDue(at: now) else { return }
        var budget = Self.scanLimit
        while picked.count < limit,
            let entry = try nextDelayed(&walk, visibleAt: now, now, &receive, &budget),
            !isPutOff(entry)
        {
            walk?.advance()
            take(entry.undelayed, &receive, &picked)
        }
        receive.delayed = walk?.step
    }

    /// As above, for a queue where none has to stand back.
    func pickDelayed<Stream: MessageStream>(
        _ stream: Stream, _ limit: Int, _ now: Timestamp, _ receive: inout QueueRecord.Receive,
        _ picked: inout [PickedMessage]
    ) throws {
        var walk = DelayedWalk(delayed, stream)
        try pickDelayed(&walk, limit, now, &receive, &picked)
    }

    /// Ends expired messages in front of those that are or were delayed.
    func sweepDelayed<Stream: MessageStream>(
        at now: Timestamp, _ stream: Stream, _ receive: inout QueueRecord.Receive
    ) throws {
        // A FIFO queue's come after all that stands in line.
        guard !settings.isFIFO || streamed <= delayed.count + fair.passedCount else { return }
        var walk = DelayedWalk(delayed, stream)
        var budget = Self.sweepLimit
        let end = Timestamp(milliseconds: .max)
        while let entry = try nextDelayed(&walk, visibleAt: end, now, &receive, &budget),
            isExpired(entry, now), let group = entry.group,
            var messages = receive.passed[group] ?? fair.passed[group]
        {
            messages.count += 1
            receive.passed[group] = messages
            walk?.advance()
        }
        receive.delayed = walk?.step
    }

    /// Where nothing is left that waits in line, the head needs not look at what lies ahead.
    func goOnBehindLine<Stream: MessageStream>(
        _ receive: inout QueueRecord.Receive, _ stream: Stream
    ) {
        let gone = receive.expired + UInt64(receive.first.count)
        var passed = fair.passedCount
        for (group, messages) in receive.passed {
            passed = passed - (fair.passed[group]?.count ?? 0) + messages.count
        }
        let left = streamed - min(streamed, gone)
        let later = delayed.count(after: receive.delayed)
        // A hole may still count among those that the head has passed.
        if left == later || (left == later + passed && requeued.holes.isEmpty) {
            receive.head = stream.end
        }
    }
}
