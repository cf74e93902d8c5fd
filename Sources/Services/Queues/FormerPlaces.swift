import Journal
import QueueModel

/// Where the records of a damaged journal were written: what the journal's records know places by.
/// Bytes that were cut out since, or came between, have moved what stands behind them.
struct FormerPlaces {
    /// Records without damage between, which have moved together.
    private struct Run {
        var segment: UInt64
        /// Where it begins now.
        var offset: UInt64
        /// What takes that back to where it began; `nil` if no record tells.
        var shift: UInt64?
    }

    /// As they lie.
    private var runs: [Run] = []
    /// Whether some records' are not known.
    private(set) var areUnknown = false
    /// Where records lie now, by their number; of runs of which no record has told yet.
    private var unknown: [UInt64: (run: Int, offset: UInt64)] = [:]

    init(of folder: String, _ storage: any JournalStorage) throws {
        var next: UInt64?
        try Salvage.read(folder: folder, storage: storage) { piece in
            guard case .record(let line) = piece else {
                next = nil
                return
            }
            if line.n != next || line.n == line.location.segment { begin(with: line) }
            next = line.n + 1
            note(line)
        }
        areUnknown = runs.contains { $0.shift == nil }
        unknown = [:]
    }

    private mutating func begin(with line: RecordLine) {
        let location = line.location
        let isInPlace = location.offset == 0 && line.n == location.segment
        runs.append(
            Run(segment: location.segment, offset: location.offset, shift: isInPlace ? 0 : nil))
    }

    /// Receives, and whole states, tell where messages were written.
    private mutating func note(_ line: RecordLine) {
        let last = runs.count - 1
        if runs[last].shift == nil { unknown[line.n] = (last, line.location.offset) }
        guard !unknown.isEmpty else { return }
        let entries: [StreamEntry]
        switch try? line.bytes.withUnsafeBytes({ try QueueRecord(line: $0) }) {
        case .receive(let receive): entries = receive.first.map(\.entry)
        case .base(_, let held): entries = held.map(\.entry)
        default: return
        }
        for entry in entries {
            // In another segment it was carried on.
            guard let (run, offset) = unknown[entry.place.n],
                runs[run].segment == entry.record.segment
            else { continue }
            runs[run].shift = entry.record.offset &- offset
            unknown = unknown.filter { $0.value.run != run }
        }
    }

    /// The place that the record which lies at `location` was written to; `nil` if that is not
    /// known, as no good record tells of a receive of what stands around it.
    subscript(location: RecordLocation) -> RecordPlace? {
        // The last run that begins there, or before.
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            let run = runs[middle]
            if (run.segment, run.offset) <= (location.segment, location.offset) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low > 0, let shift = runs[low - 1].shift else { return nil }
        var place = RecordPlace(location)
        place.offset &+= shift
        return place
    }
}
