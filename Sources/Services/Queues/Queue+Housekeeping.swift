import JSON
import Journal
import Posix
import QueueModel

extension JournalSession where State == QueueJournalState {
    /// Ends some of what has expired: part of every operation that writes.
    mutating func sweepExpired() throws {
        guard state.queue.needsSweep(at: now) else { return }
        try flush()
        let view = self
        let record = try state.queue.sweep(at: now) { JournalStream(view) }
        if let record { try append(record) }
    }

    /// What is there, and the oldest of it, without what has expired. Looks at a bounded part of
    /// the stream.
    func liveCounts(at time: Timestamp) throws -> (counts: QueueState.Counts, oldest: Timestamp?) {
        try Self.liveCounts(of: state.queue, at: time, JournalStream(self))
    }

    /// As above, of a state that the journal has or had.
    ///
    /// - Parameters:
    ///   - last: the last record that it knows of; `nil` if that is the stream's last, too.
    ///   - stream: what lies ahead of that state's head; `nil` if it is not retained.
    static func liveCounts(
        of queue: QueueState, at time: Timestamp, upTo last: UInt64? = nil,
        _ stream: JournalStream?
    ) throws -> (counts: QueueState.Counts, oldest: Timestamp?) {
        var expired: UInt64 = 0
        var oldest: Timestamp?
        for part in queue.streamed > 0 ? queue.streamParts : [] {
            guard var stream = stream?.from(part.from) else {
                let times = [queue.oldestInStream(at: time), queue.oldestHeld(at: time)]
                return (queue.counts(at: time), times.compactMap { $0 }.min())
            }
            var scanned = 0
            var left = part.count ?? .max
            var found: Timestamp?
            while found == nil, left > 0, scanned < Self.lookLimit, let entry = try stream.next() {
                if let last, entry.place.n > last { break }
                scanned += 1
                guard part.holds(entry) else { continue }
                left -= 1
                if queue.isWaiting(entry, at: time) {
                    if !entry.isRequeued { found = entry.arrived }
                } else if queue.hasExpired(entry, at: time) {
                    expired += 1
                }
            }
            if found == nil, scanned == Self.lookLimit { found = queue.oldestInStream(at: time) }
            oldest = [oldest, found].compactMap { $0 }.min()
        }
        let held = queue.oldestHeld(at: time)
        return (
            queue.counts(at: time, expiredSeen: expired),
            [oldest, held].compactMap { $0 }.min()
        )
    }

    /// Messages of the stream that `liveCounts` looks at, at most.
    private static var lookLimit: Int { 1000 }
}

/// What a receive does before it looks for messages: a bounded share of the queue's own work.
extension JournalSession where State == QueueJournalState {
    /// Puts messages that came back too often behind the others. They need room for that: where the
    /// disk is full they stay where they are, and come last.
    mutating func putPoisonBack() throws {
        var count = 0
        while count < QueueLimits.requeuedByReceive {
            let messages = state.queue.poison(at: now)
            guard !messages.isEmpty else { return }
            try flush()
            let bodies = try Queue.messages(messages.map(\.entry), self)
            do {
                try append(QueueState.requeue(messages, bodies))
            } catch {
                guard case .storage(let reason) = error, reason.isNoSpace else { throw error }
                return
            }
            count += messages.count
        }
    }
}

extension Queue {
    /// Puts dead letters on their way to their queue.
    func sendDeadLettersAway(_ session: inout JournalSession<QueueJournalState>) throws {
        guard session.state.queue.mayHaveDeadLetters(at: session.now) else { return }
        var count = 0
        while count < QueueLimits.deadLettersByReceive,
            let record = session.state.queue.deadLetters(at: session.now)
        {
            if case .transfer(_, _, _, let places) = record { count += places.count }
            try sendAway(record, &session)
        }
    }
}
