import JSON
import Journal
import Posix
import TestSupport
import Testing

@testable import QueueModel
@testable import Services

/// A state that is read and written in several pieces.
@Suite struct LongCheckpointTests {
    private typealias QueueJournal = Journal<QueueJournalState>

    private static let start = Timestamp(milliseconds: 1_000_000)
    private static let inFlight = 1_000

    private func open(
        _ folder: String, _ options: JournalOptions = JournalOptions()
    ) throws -> QueueJournal {
        try QueueJournal(folder: folder, at: Self.start, options: options)
    }

    /// A queue with so many in flight that its state takes 200 KB.
    private func make(_ folder: String, _ options: JournalOptions) throws {
        let journal = try open(folder, options)
        for step in 0..<Self.inFlight / 10 {
            _ = try journal.transact(now: Self.start) { session in
                let place = session.endLocation
                let messages = (0..<10).map { _ in
                    QueueRecord.NewMessage(
                        messageID: "fb666b89-26e6-4c09-9b09-1c7814d51a4f", escapedBody: [65])
                }
                try session.append(.send(messages))
                let n = session.lastN
                let record = RecordPlace(
                    segment: place.segment, offset: place.offset,
                    length: UInt32(session.endLocation.offset - place.offset))
                let first = messages.indices.map { index in
                    QueueRecord.FirstReceive(
                        entry: StreamEntry(
                            place: Place(n: n, index: UInt8(index)), record: record,
                            id: messages[index].id, sent: Self.start),
                        bits: UInt64(step * 10 + index))
                }
                let end = session.endLocation
                try session.append(
                    .receive(
                        QueueRecord.Receive(
                            visibleAt: Self.start + .seconds(30),
                            head: Head(segment: end.segment, offset: end.offset, index: 0),
                            first: first, again: [], expired: 0, gone: [])))
            }
        }
    }

    private func put(_ bytes: [UInt8], _ path: String) throws {
        let file = try DiskStorage().open(path, creating: true)
        try file.writeAll(bytes, at: 0)
        try file.truncate(to: UInt64(bytes.count))
    }

    @Test("a checkpoint of many pieces is believed as it was written, and never when harmed or cut")
    func harmed() throws {
        let folder = try TemporaryFolder("long")
        var options = JournalOptions()
        try make(folder.path, options)
        _ = try open(folder.path, options)
        let path = "\(folder.path)/checkpoint.json"
        let good = try FileSystem.read(path)
        #expect(good.count > 2 * 64 * 1024)
        // Opening must not write another.
        options.openingBytes = .max
        let expected = try open(folder.path, options).read { $0.state }
        #expect(expected.queue.heldCount == Self.inFlight)
        #expect(try QueueJournal.verify(folder: folder.path).ignored.isEmpty)
        for offset in stride(from: 0, to: good.count, by: 4_099) {
            var flipped = good
            flipped[offset] ^= 1 << UInt8(offset % 8)
            for harmed in [flipped, Array(good.prefix(offset))] {
                try put(harmed, path)
                #expect(try open(folder.path, options).read { $0.state } == expected)
                #expect(try !QueueJournal.verify(folder: folder.path).ignored.isEmpty)
            }
        }
    }

    @Test("the checkpoint alone is read: what stands before its place is not")
    func believed() throws {
        let folder = try TemporaryFolder("believed")
        try make(folder.path, JournalOptions())
        let expected = try open(folder.path).read { $0.state }
        let path = "\(folder.path)/\(SegmentName.file(1))"
        var bytes = try FileSystem.read(path)
        bytes[100] ^= 1
        try put(bytes, path)
        #expect(try open(folder.path).read { $0.state } == expected)
    }

    @Test("a long base record is read in pieces; a harmed one is damage at its place")
    func base() throws {
        let folder = try TemporaryFolder("base")
        var options = JournalOptions()
        options.segmentBytes = 180_000
        options.openingBytes = .max
        try make(folder.path, options)
        #expect(try open(folder.path, options).read { $0.state.queue.heldCount } == Self.inFlight)
        let name = try #require(
            try FileSystem.list(folder.path).filter { $0.hasSuffix(".jsonl") }.max())
        let path = "\(folder.path)/\(name)"
        let good = try FileSystem.read(path)
        let length = try #require(good.firstIndex(of: 0x0A))
        #expect(name != SegmentName.file(1) && length > 64 * 1024)
        for offset in stride(from: 0, to: length, by: 10_007) {
            var harmed = good
            harmed[offset] ^= 1
            try put(harmed, path)
            do {
                _ = try open(folder.path, options)
                Issue.record("a harmed base record was believed")
            } catch JournalError.damaged(let file, let at, _) {
                #expect(file == path && at == 0)
            }
        }
    }
}
