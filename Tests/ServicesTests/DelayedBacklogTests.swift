import Journal
import Posix
import TestSupport
import Testing

@testable import QueueModel
@testable import Services

/// Delayed messages that a queue's state does not hold, through the journal's files.
@Suite struct DelayedBacklogTests {
    private let folder: TemporaryFolder
    private let clock = SteppedClock()
    private let directory: QueueDirectory

    init() throws {
        folder = try TemporaryFolder("delayed")
        directory = try Self.open(folder, clock)
        var settings = QueueSettings()
        settings.durability = .os
        try directory.create("Q", settings)
    }

    private static func open(
        _ folder: TemporaryFolder, _ clock: SteppedClock
    ) throws -> QueueDirectory {
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        environment.heldWaiting = 5
        var options = JournalOptions()
        options.segmentBytes = 20_000
        options.historyBytes = 0
        options.checkpointBytes = 4000
        return QueueDirectory(
            stateDirectory: folder.path, environment: environment, options: options)
    }

    private func send(_ range: Range<Int>, delay: Int64?) throws {
        let entries = range.map { number in
            var entry = SendEntry(escapedBody: Array("\(number)".utf8), size: 5)
            entry.delaySeconds = delay
            return entry
        }
        try directory.queue("Q").sendBulk(entries) { _ = try $0.get() }
    }

    private func receiveAll(_ queue: Queue) throws -> [Int] {
        var bodies: [Int] = []
        while case let messages = try queue.receive(upTo: 10, wait: .zero), !messages.isEmpty {
            bodies += messages.compactMap { Int(String(decoding: $0.body, as: UTF8.self)) }
            for outcome in try queue.delete(messages.map(\.received.handle.text)) {
                try outcome.get()
            }
        }
        return bodies
    }

    @Test("over many segments and processes: counted, listed, looked at, received once")
    func through() throws {
        try send(0..<500, delay: 10)
        try send(500..<1000, delay: 20)
        try send(1000..<1010, delay: nil)
        let other = try Self.open(folder, clock).queue("Q")
        #expect(
            try other.statistics().counts
                == QueueState.Counts(visible: 10, inFlight: 0, delayed: 1000))
        #expect(try other.peek(upTo: 20).count == 10)
        var listed = 0
        try other.forEachMessage { _, _ in listed += 1 }
        #expect(listed == 1010)
        #expect(try receiveAll(other).sorted() == Array(1000..<1010))
        clock.step(.seconds(11))
        #expect(try other.peek(upTo: 1000).count == 500)
        #expect(try receiveAll(other).sorted() == Array(0..<500))
        clock.step(.seconds(10))
        #expect(try receiveAll(try directory.queue("Q")).sorted() == Array(500..<1000))
        #expect(try directory.queue("Q").messageCount == 0)
        #expect(try directory.verify("Q").problems.isEmpty)
    }

    @Test("a repaired queue still keeps them back")
    func repaired() throws {
        try send(0..<300, delay: 60)
        let path = "\(folder.path)/queues/Q"
        let segment = try FileSystem.list(path).filter { $0.hasSuffix("jsonl") }.sorted()[0]
        var bytes = try FileSystem.read("\(path)/\(segment)")
        let place = try #require(bytes.firstRange(of: Array("\"op\":\"send\"".utf8)))
        bytes[place.lowerBound + 7] ^= 0x20
        try FileSystem.replace("\(path)/\(segment)", with: bytes)
        let report = try directory.repair("Q")
        #expect(report.kept > 200 && report.kept < 300)
        let queue = try directory.queue("Q")
        #expect(try queue.statistics().counts.delayed == UInt64(report.kept))
        #expect(try queue.journal.read { $0.state.queue.heldCount } <= 5)
        clock.step(.seconds(62))
        #expect(try receiveAll(queue).count == report.kept)
    }
}
