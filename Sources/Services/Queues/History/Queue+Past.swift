import JSON
import Journal
import Posix
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
        var state = QueueState()
        var last: UInt64?
        try history.forEachRecord(from: start, in: name) { line in
            guard line.time <= time else {
                guard last != nil else {
                    throw QueueError.notRetained(name, oldest: line.time, n: line.n)
                }
                return false
            }
            last = line.n
            let place = RecordPlace(line.location)
            try line.bytes.withUnsafeBytes {
                try state.apply(line: $0, n: line.n, time: line.time, at: place)
            }
            return true
        }
        let (counts, oldest) = try Self.liveCounts(of: state, at: time, upTo: last, history)
        return Statistics(
            counts: counts, counters: state.counters, settings: state.settings,
            oldestSent: oldest, created: state.created, journalBytes: 0, tornFiles: 0,
            leaving: Self.leaving(state))
    }

    private static func liveCounts(
        of state: QueueState, at time: Timestamp, upTo last: UInt64?, _ history: QueueHistory
    ) throws -> (counts: QueueState.Counts, oldest: Timestamp?) {
        let isRetained = history.journal.segments.contains(state.streamStart.segment)
        do {
            return try JournalSession.liveCounts(
                of: state, at: time, upTo: last,
                isRetained ? history.stream(from: state.head) : nil)
        } catch JournalError.storage(let error) where error.isNotFound {
            // Deleted meanwhile.
            return try JournalSession.liveCounts(of: state, at: time, upTo: last, nil)
        }
    }

    /// One send, as it was.
    package struct SentRecord: Sendable {
        package var n: UInt64
        package var time: Timestamp
        package var messages: [QueueRecord.NewMessage]
    }

    /// The last record of now that is not behind `end`.
    package func lastRecord(upTo end: JournalPoint?) throws -> UInt64 {
        try QueueHistory(self).lastRecord(upTo: end)
    }

    /// Visits what was sent to this queue from one point of the journal to another, both included,
    /// and before this call. What other queues' redrives brought was not sent here.
    ///
    /// - Parameter visit: whether to go on.
    /// - Throws: `QueueError.notRetained` if `start` is too long ago, or where records were deleted
    ///   meanwhile.
    package func forEachSend(
        from start: JournalPoint, to end: JournalPoint?, _ visit: (SentRecord) throws -> Bool
    ) throws {
        let history = try QueueHistory(self)
        let location = try history.location(of: start, in: name)
        try history.forEachRecord(from: location, in: name) { line in
            guard end?.isBefore(line.n, line.time) != true else { return false }
            let record = try line.bytes.withUnsafeBytes { bytes in
                try QueueRecord.isArrival(bytes) ? QueueRecord(line: bytes) : nil
            }
            guard case .send(let messages) = record else { return true }
            // A repair writes what it keeps of those as sent.
            let plain = try messages.filter { $0.source == nil }.map { try $0.unpacked() }
            guard !plain.isEmpty else { return true }
            return try visit(SentRecord(n: line.n, time: line.time, messages: plain))
        }
    }
}
