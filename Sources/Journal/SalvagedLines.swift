import Posix

/// The good lines of a damaged journal's segments, each number once and in the order in which they
/// were written, wherever they lie by now. A checkpoint that fits is one, behind its record's.
package struct SalvagedLines {
    /// Lines that lie together, and follow each other.
    private struct Run {
        /// The file in which they lie.
        var segment: UInt64
        var offset: UInt64
        /// Behind the last.
        var end: UInt64
        var numbers: ClosedRange<UInt64>
    }

    private let folder: String
    private let storage: any JournalStorage
    /// By their numbers, of which none is in two.
    private var runs: [Run] = []
    /// The journal's segments, lowest first.
    package let segments: [UInt64]
    private let checkpoint: CheckpointFile
    /// Whether it is this journal's.
    private var isCheckpointOurs = false

    package init(folder: String, storage: any JournalStorage = DiskStorage()) throws {
        self.folder = folder
        self.storage = storage
        checkpoint = CheckpointFile(folder: folder, storage: storage)
        segments = try storage.list(folder).compactMap(SegmentName.parse)
        for segment in segments { try find(in: segment) }
        runs.sort { ($0.numbers.lowerBound, $1.end) < ($1.numbers.lowerBound, $0.end) }
        var met: UInt64?
        runs = runs.compactMap { run in
            guard let last = met, last >= run.numbers.lowerBound else {
                met = run.numbers.upperBound
                return run
            }
            guard last < run.numbers.upperBound else { return nil }
            met = run.numbers.upperBound
            var rest = run
            rest.numbers = (last + 1)...run.numbers.upperBound
            return rest
        }
    }

    private mutating func find(in segment: UInt64) throws {
        let file = try storage.open("\(folder)/\(SegmentName.file(segment))", creating: false)
        if checkpoint.place?.segment == segment, checkpoint.fits(file) { isCheckpointOurs = true }
        var lines = LineReader(file, at: 0)
        while case .line(let bytes) = try lines.peek() {
            let offset = lines.offset
            lines.advance(over: bytes)
            guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) else { continue }
            if checkpoint.stands(behind: frame) { isCheckpointOurs = true }
            if let last = runs.last, (last.segment, last.end) == (segment, offset),
                last.numbers.upperBound &+ 1 == frame.n
            {
                runs[runs.count - 1].end = lines.offset
                runs[runs.count - 1].numbers = last.numbers.lowerBound...frame.n
            } else {
                runs.append(
                    Run(
                        segment: segment, offset: offset, end: lines.offset,
                        numbers: frame.n...frame.n))
            }
        }
    }

    package func forEach(_ visit: (RecordLine) throws -> Void) throws {
        var state = isCheckpointOurs ? checkpoint.line : nil
        for run in runs {
            let file = try storage.open(
                "\(folder)/\(SegmentName.file(run.segment))", creating: false)
            var lines = LineReader(file, at: run.offset)
            while lines.offset < run.end, case .line(let bytes) = try lines.peek(),
                let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) })
            {
                if run.numbers.contains(frame.n) {
                    if let line = state, line.n < frame.n {
                        state = nil
                        try visit(line)
                    }
                    let location = RecordLocation(
                        segment: run.segment, offset: lines.offset,
                        length: UInt32(bytes.count + 1))
                    try visit(
                        RecordLine(n: frame.n, time: frame.time, location: location, bytes: bytes))
                }
                lines.advance(over: bytes)
            }
        }
        if let state { try visit(state) }
    }
}
