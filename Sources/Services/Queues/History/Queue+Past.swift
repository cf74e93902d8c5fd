import JSON
import Journal
import QueueModel

extension Queue {
    /// What `statistics` would have answered at `time`, which is not in the future; but what the
    /// files were then is not known, and 0. Reads the journal from the last segment that had begun
    /// by then.
    ///
    /// - Throws: `QueueError.notRetained` if that is too long ago.
    package func statistics(at time: Timestamp) throws -> Statistics {
        let history = try QueueHistory(self)
        var start = history.journal.start
        for name in history.journal.segments.reversed() {
            guard let base = try history.journal.base(of: name), base.time <= time else { continue }
            start = base.location
            break
        }
        var records = history.journal.records(from: start)
        var state = QueueState()
        var isFirst = true
        while let line = try records.next() {
            guard line.time <= time else {
                guard !isFirst else {
                    throw QueueError.notRetained(name, oldest: line.time, n: line.n)
                }
                break
            }
            isFirst = false
            let place = RecordPlace(line.location)
            try line.bytes.withUnsafeBytes {
                try state.apply(line: $0, n: line.n, time: line.time, at: place)
            }
        }
        let isRetained = history.journal.segments.contains(state.streamStart.segment)
        let (counts, oldest) = try JournalSession.liveCounts(
            of: state, at: time, isRetained ? history.stream(from: state.head) : nil)
        return Statistics(
            counts: counts, counters: state.counters, settings: state.settings,
            oldestSent: oldest, created: state.created, journalBytes: 0, tornFiles: 0,
            leaving: Self.leaving(state))
    }

    /// One send, as it was.
    package struct SentRecord: Sendable {
        package var n: UInt64
        package var time: Timestamp
        package var messages: [QueueRecord.NewMessage]
    }

    /// Visits what was sent to this queue from one point of the journal to another, both included,
    /// and before this call. What other queues' redrives brought was not sent here.
    ///
    /// - Parameter visit: whether to go on.
    /// - Throws: `QueueError.notRetained` if `start` is too long ago.
    package func forEachSend(
        from start: JournalPoint, to end: JournalPoint?, _ visit: (SentRecord) throws -> Bool
    ) throws {
        let history = try QueueHistory(self)
        var records = history.journal.records(from: try history.location(of: start, in: name))
        while let line = try records.next(), end?.isBefore(line.n, line.time) != true {
            let record = try line.bytes.withUnsafeBytes { bytes in
                try QueueRecord.isArrival(bytes) ? QueueRecord(line: bytes) : nil
            }
            guard case .send(let messages) = record else { continue }
            let plain = try messages.map { try $0.unpacked() }
            guard try visit(SentRecord(n: line.n, time: line.time, messages: plain)) else { return }
        }
    }
}
