import JSON
import Journal
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
        // Its segment may be gone, and compaction has carried it on.
        return try state.held[place].map { try Queue.messages([$0.entry], session)[0] }
    }

    private func messages(of place: Place) throws -> [QueueRecord.NewMessage] {
        guard let line = try journal.record(place.n) else { return [] }
        return try line.bytes.withUnsafeBytes { try QueueRecord.messages(in: $0) }
    }

    /// The record where `point` is reached.
    ///
    /// - Throws: `QueueError.notRetained` if records from there on are gone.
    func location(of point: JournalPoint, in queue: String) throws -> RecordLocation {
        guard let oldest = try journal.oldest() else { return journal.end }
        let isRetained =
            switch point {
            case .record(let n): n >= oldest.n
            case .time(let time): oldest.n == 1 || time >= oldest.time
            }
        guard isRetained else {
            throw QueueError.notRetained(queue, oldest: oldest.time, n: oldest.n)
        }
        return try journal.first { n, time in point.isReached(n, time) }
    }
}

/// A place in a journal, as people name it.
package enum JournalPoint: Equatable, Sendable {
    /// The record of that number.
    case record(UInt64)
    /// The first record of that moment or later.
    case time(Timestamp)

    /// Whether a record stands behind it.
    func isBefore(_ n: UInt64, _ time: Timestamp) -> Bool {
        switch self {
        case .record(let wanted): n > wanted
        case .time(let wanted): time > wanted
        }
    }

    /// Whether a record is the point or stands behind it.
    func isReached(_ n: UInt64, _ time: Timestamp) -> Bool {
        switch self {
        case .record(let wanted): n >= wanted
        case .time(let wanted): time >= wanted
        }
    }
}
