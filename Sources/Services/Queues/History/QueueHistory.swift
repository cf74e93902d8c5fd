import JSON
import Journal
import Posix
import QueueModel

/// What one queue's journal still tells, as it stood at one moment; read without the lock.
struct QueueHistory {
    let journal: JournalHistory
    private let session: JournalSession<QueueJournalState>
    /// Messages of records that were looked up last: a receive and a delete follow each other.
    private var known: [UInt64: [QueueRecord.NewMessage]] = [:]
    private static let knownLimit = 64

    init(_ queue: Queue) throws { self.init(try queue.journal.read { $0 }) }

    init(_ session: JournalSession<QueueJournalState>) {
        self.session = session
        journal = JournalHistory(session)
    }

    var state: QueueState { session.state.queue }
    /// The queue as the takers of its transfers name it.
    func origin(_ name: String) -> String { "\(name)@\(state.created?.milliseconds ?? 0)" }
    /// Where the never-received messages begin in a state that this journal had once.
    func stream(from head: Head) -> JournalStream { JournalStream(session, from: head) }

    /// The message at a place, if its record is retained.
    mutating func message(at place: Place) throws -> QueueRecord.NewMessage? {
        if known[place.n] == nil {
            if known.count >= Self.knownLimit { known.removeAll() }
            known[place.n] = try messages(of: place)
        }
        let messages = known[place.n] ?? []
        if Int(place.index) < messages.count { return messages[Int(place.index)] }
        // Its segment may be gone, and compaction has carried it on; once more since, it may be.
        guard let held = state.held[place] else { return nil }
        do {
            return try Queue.messages([held.entry], session)[0]
        } catch JournalError.storage(let error) where error.isNotFound {
            return nil
        }
    }

    private func messages(of place: Place) throws -> [QueueRecord.NewMessage] {
        guard let line = try journal.record(place.n) else { return [] }
        return try line.bytes.withUnsafeBytes { try QueueRecord.messages(in: $0) }
    }

    /// The record where `point` is reached.
    ///
    /// - Throws: `QueueError.notRetained` if records from there on are gone, `damaged` if they are
    ///   missing.
    func location(of point: JournalPoint, in queue: String) throws -> RecordLocation {
        if point == .oldest { return try journal.oldest()?.location ?? journal.end }
        let location = try journal.first { n, time in point.isReached(n, time) }
        var records = journal.records(from: location)
        guard let line = try records.next() else { return journal.end }
        let isRetained =
            switch point {
            case .oldest: true
            case .record(let n): line.n == n
            case .time(let time):
                // A repair begins the journal of a queue that there was before.
                try line.n == 1
                    ? time >= line.time || (state.created ?? line.time) >= line.time
                    : line.time == time || journal.record(line.n - 1) != nil
            }
        guard isRetained else { throw try absence(before: line, in: queue) }
        return location
    }

    /// Why there is nothing before `line`.
    private func absence(before line: RecordLine, in queue: String) throws -> any Error {
        try journal.gap(before: line)
            ?? QueueError.notRetained(queue, oldest: line.time, n: line.n)
    }

    /// The last record that is not behind `end`.
    func lastRecord(upTo end: JournalPoint?) throws -> UInt64 {
        guard let end else { return session.lastN }
        var records = journal.records(
            from: try journal.first { n, time in end.isBefore(n, time) })
        return try records.next().map { $0.n - 1 } ?? session.lastN
    }

    /// Visits every record from `location` on.
    ///
    /// - Parameter visit: whether to go on.
    /// - Throws: `QueueError.notRetained` at the first one behind records that were deleted
    ///   meanwhile, `damaged` at one behind records that are missing.
    func forEachRecord(
        from location: RecordLocation, in queue: String, _ visit: (RecordLine) throws -> Bool
    ) throws {
        var records = journal.records(from: location)
        var next: UInt64?
        while let line = try records.next() {
            guard next.map({ line.n == $0 }) ?? (line.location.segment == location.segment) else {
                throw try absence(before: line, in: queue)
            }
            next = line.n + 1
            guard try visit(line) else { return }
        }
    }
}

/// A place in a journal, as people name it.
package enum JournalPoint: Equatable, Sendable {
    /// The first record that is retained.
    case oldest
    /// The record of that number.
    case record(UInt64)
    /// The first record of that moment or later.
    case time(Timestamp)

    /// Whether a record stands behind it.
    func isBefore(_ n: UInt64, _ time: Timestamp) -> Bool {
        switch self {
        case .oldest: false
        case .record(let wanted): n > wanted
        case .time(let wanted): time > wanted
        }
    }

    /// Whether a record is the point or stands behind it.
    func isReached(_ n: UInt64, _ time: Timestamp) -> Bool {
        switch self {
        case .oldest: true
        case .record(let wanted): n >= wanted
        case .time(let wanted): time >= wanted
        }
    }
}
