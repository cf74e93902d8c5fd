import JSON
import Journal
import Posix
import QueueModel

/// The journal, and its folder, as an index of deduplication ids sees them.
struct DeduplicationSource {
    private let session: JournalSession<QueueJournalState>

    /// What `session` appended must be in the file.
    init(_ session: JournalSession<QueueJournalState>) { self.session = session }

    var folder: String { session.folderPath }
    var storage: any JournalStorage { session.storage }
    var lastTime: Timestamp { session.lastTime }
    var oldestSegment: UInt64 { session.segmentNames.first ?? 1 }
    /// Ids of up to this time count no more.
    var horizon: Timestamp { session.now - QueueLimits.deduplicationInterval }

    func fileNames() throws(SystemError) -> [String] { try storage.list(folder) }

    func holds(_ anchor: JournalAnchor) throws -> Bool { try session.holds(anchor) }

    func remove(_ name: String) throws(SystemError) { try storage.remove("\(folder)/\(name)") }

    func write(
        _ entries: [DeduplicationEntry], _ header: DeduplicationRun.Header
    ) throws(SystemError) -> DeduplicationRun {
        try DeduplicationRun.write(entries, header, in: folder, storage)
    }

    /// Reads the ids of the records `from` to `to` from the journal, as far back as they count,
    /// and makes files of them.
    func rebuild(from: UInt64, to: UInt64) throws -> [DeduplicationRun] {
        let segments = session.segmentNames.filter { $0 <= to }
        guard let oldest = segments.first else { return [] }
        var start = segments.last { $0 <= from } ?? oldest
        var floor = start == oldest ? start : 1
        for segment in segments.reversed() where segment >= start {
            guard try session.time(ofSegment: segment) <= horizon else { continue }
            start = segment
            floor = segment
            break
        }
        var runs: [DeduplicationRun] = []
        var entries: [DeduplicationEntry] = []
        var first = max(from, start)
        var cursor = session.records(
            from: RecordLocation(segment: start, offset: 0, length: 0))
        while let line = try cursor.next(), line.n <= to {
            guard line.n >= first else { continue }
            if line.time > horizon { try note(line, &entries) }
            guard line.n == to || entries.count >= DeduplicationIndex.runLimit else { continue }
            let header = DeduplicationRun.Header(
                from: first, floor: floor, time: line.time, anchor: JournalAnchor(line))
            runs.append(try write(entries.sorted { $0.hash < $1.hash }, header))
            entries = []
            first = line.n + 1
        }
        return runs
    }

    private func note(_ line: RecordLine, _ entries: inout [DeduplicationEntry]) throws {
        let messages = try line.bytes.withUnsafeBytes { try QueueRecord.messages(in: $0) }
        for (index, message) in messages.enumerated() {
            guard let key = session.state.queue.deduplicationKey(of: message) else { continue }
            entries.append(
                DeduplicationEntry(
                    hash: DeduplicationIndex.hash(key), record: line.location,
                    index: UInt8(index)))
        }
    }
}
