import JSON
import Journal
import QueueModel
import TestSupport
import Testing

@testable import Services

/// Bodies that the journal keeps compressed, and how much of what is consumed it keeps.
@Suite struct StoredBodyTests {
    private static let body = Array(String(repeating: "{\"line\": \"ñ\"}\n", count: 500).utf8)

    private func entry(_ body: [UInt8]) throws -> SendEntry {
        SendEntry(
            body: body, attributes: try MessageAttributes(nil), group: nil, deduplicationID: nil)
    }

    private var small: JournalOptions {
        var options = JournalOptions()
        options.segmentBytes = 4096
        options.historyBytes = 0
        options.checkpointBytes = 1024
        return options
    }

    private func packing(_ floor: Int64?) -> QueueSettings {
        var settings = QueueSettings()
        settings.compressionBytes = floor
        return settings
    }

    @Test("what is packed is unpacked by every reader, and counted the same after reopening")
    func readers() throws {
        let folder = try TemporaryFolder("packed")
        let queues = QueueDirectory(stateDirectory: folder.path, options: small)
        try queues.create("Q", packing(1000))
        let queue = try queues.queue("Q")
        for _ in 0..<30 { _ = try queue.send([entry(Self.body), entry(Array("tiny".utf8))]) }
        let expected = queue.state.counters.compression
        #expect(expected.messages == 30)
        #expect(expected.bytesBefore == UInt64(30 * Self.body.count))
        #expect(expected.bytesAfter < expected.bytesBefore / 10)

        let again = QueueDirectory(stateDirectory: folder.path, options: small)
        let reopened = try again.queue("Q")
        #expect(try reopened.statistics().counters.compression == expected)
        #expect(try again.verify("Q").problems.isEmpty)
        #expect(
            try reopened.peek(upTo: 1).map { JSONText.unescape($0.message.escapedBody) }
                == [Self.body])
        var seen = 0
        try reopened.forEachMessage { _, message in
            seen += JSONText.unescape(message.escapedBody) == Self.body ? 1 : 0
        }
        #expect(seen == 30)
        let received = try reopened.receive(upTo: 10, wait: .zero)
        #expect(received.count { $0.body == Self.body } == 5)
    }

    @Test("the setting of another process is learnt, and taken back")
    func changed() throws {
        let folder = try TemporaryFolder("learnt")
        let mine = QueueDirectory(stateDirectory: folder.path)
        try mine.create("Q", packing(nil))
        let other = try QueueDirectory(stateDirectory: folder.path).queue("Q")
        for (floor, packed) in [(nil, 0), (Int64(0), 1), (1_048_576, 1)] {
            try other.set(packing(floor))
            let queue = try mine.queue("Q")
            _ = try queue.send([entry(Array("learns the setting".utf8))])
            _ = try queue.send([entry(Self.body)])
            #expect(queue.state.counters.compression.messages == UInt64(packed), "\(floor ?? -1)")
        }
    }

    @Test("a packed body that lies about its size is refused, not believed")
    func harmed() throws {
        let good = try entry(Self.body).packed(from: 0)
        let packed = try #require(good.packed)
        var message = QueueRecord.NewMessage(messageID: "id", escapedBody: [])
        func unpacked(_ base64: [UInt8], _ size: Int64) throws -> [UInt8] {
            message.packed = PackedBody(base64: base64, size: size)
            return JSONText.unescape(try message.unpacked().escapedBody)
        }
        #expect(try unpacked(packed.base64, packed.size) == Self.body)
        for size in [packed.size - 1, packed.size + 1, 0, -1, .min, .max] {
            #expect(throws: QueueRecordError.self) { try unpacked(packed.base64, size) }
        }
        #expect(throws: QueueRecordError.self) { try unpacked(Array("no".utf8), 2) }
        #expect(throws: QueueRecordError.self) {
            try unpacked(Array(packed.base64.dropLast(4)), packed.size)
        }
        // Through its line, and in a state's counts.
        message.packed = packed
        let line = Array("{\"n\":1,\"t\":1,\"d\":0,".utf8) + QueueRecord.send([message]).members
        let read = try (line + Array("}".utf8)).withUnsafeBytes { try QueueRecord(line: $0) }
        #expect(read == .send([message]))
    }

    @Test("ten of the largest messages, twice as large with their escapes, are sent in bulk")
    func bulk() throws {
        let folder = try TemporaryFolder("bulk")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        let entry = try entry([UInt8](repeating: UInt8(ascii: "\""), count: 1_048_576))
        try queue.sendBulk(Array(repeating: entry, count: 10)) { outcome in
            _ = try outcome.get()
        }
        #expect(try queue.statistics().counts.visible == 10)
    }

    @Test("consumed segments are kept as far as the queue's setting says", arguments: [0, 50_000])
    func history(bytes: Int64) throws {
        let folder = try TemporaryFolder("history")
        let queues = QueueDirectory(stateDirectory: folder.path, options: small)
        var settings = QueueSettings()
        settings.historyBytes = bytes
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        for _ in 0..<600 {
            _ = try queue.send([entry(Array(repeating: 0x61, count: 100))])
            let handles = try queue.receive(upTo: 10, wait: .zero).map(\.received.handle.text)
            for outcome in try queue.delete(handles) { try outcome.get() }
        }
        let kept = try queue.statistics().journalBytes
        #expect(kept >= UInt64(bytes) / 2 && kept < UInt64(bytes) + 20_000, "\(kept)")
    }
}

extension Queue {
    /// As this process sees it now.
    fileprivate var state: QueueState {
        (try? journal.read { $0.state.queue }) ?? QueueState()
    }
}
