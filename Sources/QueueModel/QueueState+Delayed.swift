import JSON

/// Delayed messages: the state holds some, and of all others it knows where they stand.
extension QueueState {
    /// When a message that is about to be sent becomes visible, if the state is not to hold it.
    ///
    /// Such a delay ends with a second, and so may be up to a second longer than asked for. While
    /// there are such messages all delayed ones become some; in a FIFO queue, all that come.
    ///
    /// - Parameter others: those before it in the same record.
    func due(
        of message: QueueRecord.NewMessage, behind others: [QueueRecord.NewMessage],
        at now: Timestamp, _ heldDelayed: Int
    ) -> Timestamp? {
        let previous = others.last?.due ?? delayed.last
        guard message.delaySeconds > 0 || (settings.isFIFO && previous != nil) else { return nil }
        if previous == nil, held.count + others.count < heldDelayed { return nil }
        let last = settings.isFIFO ? previous : nil
        guard message.delaySeconds > 0 else { return last.map { max($0, now) } }
        let seconds = (now.milliseconds + message.delaySeconds * 1000 + 999) / 1000
        let due = Timestamp(milliseconds: seconds * 1000)
        return last.map { max($0, due) } ?? due
    }

    /// The next delayed message that is visible at `moment`; steps over what has expired before it.
    func nextDelayed<Stream: MessageStream>(
        _ walk: inout DelayedWalk<Stream>?, visibleAt moment: Timestamp, _ now: Timestamp,
        _ receive: inout QueueRecord.Receive, _ budget: inout Int
    ) throws -> StreamEntry? {
        while let entry = try walk?.peek(upTo: moment, &budget) {
            guard isExpired(entry, now) else { return entry }
            walk?.advance()
            receive.expired += 1
            receive.over.append(entry.place)
        }
        return nil
    }

    /// Those that have become visible, in that order, up to one that has to stand back.
    func pickDelayed<Stream: MessageStream>(
        _ walk: inout DelayedWalk<Stream>?, _ limit: Int, _ now: Timestamp,
        _ receive: inout QueueRecord.Receive,
        _ picked: inout [(entry: StreamEntry, isAgain: Bool)],
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

    /// Ends expired messages in front of those that are or were delayed.
    func sweepDelayed<Stream: MessageStream>(
        at now: Timestamp, _ stream: Stream, _ receive: inout QueueRecord.Receive
    ) throws {
        var walk = DelayedWalk(delayed, stream)
        var budget = Self.sweepLimit
        let end = Timestamp(milliseconds: .max)
        _ = try nextDelayed(&walk, visibleAt: end, now, &receive, &budget)
        receive.delayed = walk?.step
    }

    /// Where nothing is left that waits in line, the head needs not look at what lies ahead.
    func goOnBehindLine<Stream: MessageStream>(
        _ receive: inout QueueRecord.Receive, _ stream: Stream
    ) {
        let gone = receive.expired + UInt64(receive.first.count)
        if streamed - min(streamed, gone) == delayed.count(after: receive.delayed) {
            receive.head = stream.end
        }
    }

    /// FIFO: what a receive still has before it.
    struct Line<Stream: MessageStream> {
        /// Messages that were not delayed: all stand before those that were.
        var undelayed: UInt64
        var delays: DelayedWalk<Stream>?
        var budget = QueueState.scanLimit

        init(_ undelayed: UInt64, _ delays: DelayedWalk<Stream>?) {
            self.undelayed = undelayed
            self.delays = delays
        }
    }

    func nextInLine<Stream: MessageStream>(
        _ line: inout Line<Stream>, _ now: Timestamp, _ stream: inout Stream,
        _ receive: inout QueueRecord.Receive
    ) throws -> StreamEntry? {
        while line.undelayed > 0, line.budget > 0 {
            line.budget -= 1
            guard let next = try stream.next() else {
                line.undelayed = 0
                break
            }
            receive.head = next.after
            guard next.entry.waitsInLine else { continue }
            line.undelayed -= 1
            if !steps(over: next.entry, now, &receive) { return next.entry }
        }
        let entry = try nextDelayed(&line.delays, visibleAt: now, now, &receive, &line.budget)
        if entry != nil { line.delays?.advance() }
        return entry?.undelayed
    }
}
