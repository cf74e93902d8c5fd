import JSON
import Journal
import QueueModel

/// What the good records of a damaged journal make.
struct SalvagedState {
    private(set) var state = QueueState()
    private var gap: Gap?
    /// The number that the next record should have.
    private var next: UInt64 = 0

    /// Missing records since the last one that told of everything. A later receive's head, and what
    /// follows from how many messages wait, may have gone past messages that only they spoke of.
    private struct Gap {
        /// As it was before the first of them, which has the number `n` or a higher one.
        var before: QueueState
        var n: UInt64
        /// What good records since have ended.
        var ended: Set<Place> = []
        /// What left by transfers, by their numbers, and the state did not hold: until it has
        /// arrived, it is here.
        var leaving: [UInt64: [Place]] = [:]
    }

    /// Every piece of the journal, oldest first.
    mutating func apply(_ piece: Salvage.Piece) {
        // What cannot be applied is a damage that the check has told of.
        guard case .record(let line) = piece,
            let record = try? line.bytes.withUnsafeBytes({ try QueueRecord(line: $0) })
        else { return noteGap() }
        if line.n != next { noteGap() }
        switch record {
        case .base, .purge: gap = nil
        case .transferred(let number):
            let arrived = gap?.leaving[number] ?? []
            gap?.ended.formUnion(arrived)
        case .transfer(let number, _, _, let places):
            gap?.leaving[number] = places.filter { state.held[$0] == nil }
            gap?.ended.formUnion(state.ended(by: record))
        default: gap?.ended.formUnion(state.ended(by: record))
        }
        state.apply(record, n: line.n, time: line.time, at: RecordPlace(line.location))
        next = line.n + 1
    }

    private mutating func noteGap() {
        if gap == nil { gap = Gap(before: state, n: next) }
    }

    /// Whether a message that came, and is not held, is there to be received: a good record brought
    /// it, and none ended it.
    func isWaiting(_ entry: StreamEntry, at now: Timestamp) -> Bool {
        guard let gap else { return state.isWaiting(entry, at: now) }
        return !gap.ended.contains(entry.place) && !state.isExpired(entry, now)
            && (entry.place.n >= gap.n || gap.before.isInStream(entry))
    }
}
