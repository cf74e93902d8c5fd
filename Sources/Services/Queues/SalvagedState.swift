import JSON
import Journal
import QueueModel

/// What the good records of a damaged journal make.
struct SalvagedState {
    private(set) var state = QueueState()
    private let places: FormerPlaces
    private var gap: Gap?
    /// What good records have ended since the first one that was missing; kept as long as somebody
    /// asks.
    private var ended: Set<Place> = []
    /// The last purge's number: of what came before it, there is what has left.
    private var purge: UInt64 = 0
    /// The number that the next record should have.
    private var next: UInt64 = 0

    /// Missing records since the last one that told of everything. A later receive's head, and what
    /// follows from how many messages wait, may have gone past messages that only they spoke of.
    private struct Gap {
        /// As it was before the first of them, which has the number `n` or a higher one.
        var before: QueueState
        var n: UInt64
        /// What left by transfers and the state did not hold: until it has arrived, it is here.
        var left: Set<Place> = []
        /// The same, by their numbers, of what has not arrived.
        var leaving: [UInt64: [Place]] = [:]
    }

    init(of lines: SalvagedLines) throws {
        places = try FormerPlaces(of: lines)
        try lines.forEach { apply($0) }
    }

    /// Every good record, oldest first.
    private mutating func apply(_ line: RecordLine) {
        // What cannot be applied is a damage that the check has told of.
        guard let record = try? line.bytes.withUnsafeBytes({ try QueueRecord(line: $0) }) else {
            return noteGap()
        }
        if line.n != next { noteGap() }
        switch record {
        case .base:
            gap = nil
            if !places.areUnknown { ended = [] }
        case .purge(_, let keepsLeaving):
            purge = line.n
            guard !keepsLeaving else { break }
            gap = nil
            ended = []
        case .transferred(let number):
            ended.formUnion(gap?.leaving.removeValue(forKey: number) ?? [])
        case .transfer(let number, _, _, let places):
            let unheld = places.filter { state.held[$0] == nil }
            if !unheld.isEmpty {
                gap?.left.formUnion(unheld)
                gap?.leaving[number] = unheld
            }
            end(by: record)
        default: end(by: record)
        }
        state.apply(record, n: line.n, time: line.time, at: places[line])
        next = line.n + 1
    }

    private mutating func end(by record: QueueRecord) {
        guard gap != nil || places.areUnknown else { return }
        ended.formUnion(state.ended(by: record))
    }

    private mutating func noteGap() {
        if gap == nil { gap = Gap(before: state, n: next) }
    }

    /// A message of a record, as the state knows it.
    func entry(
        _ message: QueueRecord.NewMessage, at place: Place, in line: RecordLine
    ) -> StreamEntry {
        StreamEntry(message, place: place, time: line.time, record: places[line])
    }

    /// Whether a message that came, and is not held, is there to be received: a good record brought
    /// it, and none ended it.
    func isWaiting(_ entry: StreamEntry, at now: Timestamp) -> Bool {
        guard !state.isExpired(entry, now), !ended.contains(entry.place) else { return false }
        guard entry.place.n > purge || gap?.left.contains(entry.place) ?? false else {
            return false
        }
        guard let gap else { return state.isInStream(entry) }
        return entry.place.n >= gap.n || gap.before.isInStream(entry)
    }
}
