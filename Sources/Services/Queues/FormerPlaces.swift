import Journal
import QueueModel

/// Where the records of a damaged journal were written: what the journal's records know places by.
/// Bytes that were cut out since, or came between, have moved what stands behind them.
struct FormerPlaces {
    /// Records of one segment without damage between, which have moved together.
    private struct Run {
        var segment: UInt64
        var numbers: ClosedRange<UInt64>
        /// Where it lies now: the file, and the bytes in there.
        var file: UInt64
        var offset: UInt64
        var end: UInt64
        /// Where it began; `nil` if nothing tells.
        var former: UInt64?

        var length: UInt64 { end - offset }
    }

    /// By their numbers.
    private var runs: [Run] = []
    /// Whether some are known as the latest places only that they can have been written to.
    private(set) var areUnknown = false
    /// Where records lie now, by their number; of runs of which nothing had told yet.
    private var unknown: [UInt64: (run: Int, offset: UInt64)] = [:]

    init(of lines: SalvagedLines) throws {
        var ahead = lines.segments[...]
        var segment: UInt64 = 0
        var told: (n: UInt64, offset: UInt64)?
        try lines.forEach { line in
            // A checkpoint tells where the record ended that it stands behind.
            guard line.location.length > 0 else {
                told = (line.n &+ 1, line.location.offset)
                if let last = runs.last, last.numbers.upperBound == line.n, last.former == nil {
                    tell(runs.count - 1, line.location.offset, last.length)
                }
                return note(line)
            }
            while let next = ahead.first, next <= line.n {
                segment = next
                ahead = ahead.dropFirst()
            }
            if line.n == segment { told = (line.n, 0) }
            if !extend(with: line, in: segment) {
                begin(with: line, in: segment)
                if let told, told.n == line.n { runs[runs.count - 1].former = told.offset }
            }
            note(line)
        }
        unknown = [:]
        settle()
    }

    private mutating func extend(with line: RecordLine, in segment: UInt64) -> Bool {
        guard let last = runs.last, last.segment == segment,
            (last.file, last.end) == (line.location.segment, line.location.offset),
            last.numbers.upperBound &+ 1 == line.n
        else { return false }
        runs[runs.count - 1].numbers = last.numbers.lowerBound...line.n
        runs[runs.count - 1].end = line.location.next.offset
        return true
    }

    private mutating func begin(with line: RecordLine, in segment: UInt64) {
        var run = Run(
            segment: segment, numbers: line.n...line.n, file: line.location.segment,
            offset: line.location.offset, end: line.location.next.offset)
        if let last = runs.last, let former = last.former, Self.adjoin(last, run) {
            run.former = former + last.length
        }
        runs.append(run)
    }

    /// Whether nothing was written between.
    private static func adjoin(_ run: Run, _ next: Run) -> Bool {
        run.segment == next.segment && run.numbers.upperBound &+ 1 == next.numbers.lowerBound
    }

    /// Notes that what stands `distance` behind a run's beginning was written to `offset`.
    private mutating func tell(_ run: Int, _ offset: UInt64, _ distance: UInt64) {
        if offset >= distance { runs[run].former = offset - distance }
    }

    /// Receives, and whole states, tell where messages were written.
    private mutating func note(_ line: RecordLine) {
        if line.location.length > 0, let last = runs.last, last.former == nil {
            unknown[line.n] = (runs.count - 1, line.location.offset)
        }
        guard !unknown.isEmpty else { return }
        let entries: [StreamEntry]
        switch try? line.bytes.withUnsafeBytes({ try QueueRecord(line: $0) }) {
        case .receive(let receive): entries = receive.first.map(\.entry)
        case .base(_, let held): entries = held.map(\.entry)
        default: return
        }
        for entry in entries {
            // In another segment it was carried on.
            guard let (run, offset) = unknown[entry.place.n], runs[run].former == nil,
                runs[run].segment == entry.record.segment
            else { continue }
            tell(run, entry.record.offset, offset - runs[run].offset)
        }
    }

    /// What adjoins what is known is known as well; all else may have stood right before that.
    private mutating func settle() {
        for index in runs.indices.dropFirst() where runs[index].former == nil {
            let last = runs[index - 1]
            guard let former = last.former, Self.adjoin(last, runs[index]) else { continue }
            runs[index].former = former + last.length
        }
        var isExact = false
        for index in runs.indices.reversed() {
            if runs[index].former != nil {
                isExact = true
                continue
            }
            var limit = Self.farthest
            if index + 1 < runs.count, runs[index + 1].segment == runs[index].segment {
                isExact = isExact && Self.adjoin(runs[index], runs[index + 1])
                limit = runs[index + 1].former ?? limit
            } else {
                isExact = false
            }
            if !isExact { areUnknown = true }
            runs[index].former = limit - min(limit, runs[index].length)
        }
    }

    /// Behind all places of a segment.
    private static let farthest = UInt64(1) << 62

    /// The place that a good record was written to; the latest that it can have been if that is not
    /// known, as no other tells of it or of what stands around it.
    subscript(line: RecordLine) -> RecordPlace {
        // The last run that begins with it, or before.
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].numbers.lowerBound <= line.n { low = middle + 1 } else { high = middle }
        }
        guard low > 0, line.location.length > 0, let former = runs[low - 1].former else {
            return RecordPlace(line.location)
        }
        return RecordPlace(
            segment: runs[low - 1].segment,
            offset: former + (line.location.offset - runs[low - 1].offset),
            length: line.location.length)
    }
}
