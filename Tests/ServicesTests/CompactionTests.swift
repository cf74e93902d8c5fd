import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// Disk space is given back, whatever few messages stay.
@Suite struct CompactionTests {
    private static var smallSegments: JournalOptions {
        var options = JournalOptions()
        options.segmentBytes = 20_000
        options.historyBytes = 40_000
        options.checkpointBytes = 4000
        options.emptyBytes = 4000
        options.carryBytes = 2000
        return options
    }

    private let folder: TemporaryFolder
    private let directory: QueueDirectory
    private let queue: Queue

    init() throws {
        folder = try TemporaryFolder("compaction")
        directory = QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments)
        try directory.create("Q", Self.settings)
        queue = try directory.queue("Q")
    }

    private static var settings: QueueSettings {
        var settings = QueueSettings()
        settings.durability = .os
        return settings
    }

    private func entry(_ body: String, delay: Int64? = nil) -> SendEntry {
        var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
        entry.delaySeconds = delay
        return entry
    }

    private func send(_ bodies: [String], delay: Int64? = nil) throws {
        try queue.sendBulk(bodies.map { entry($0, delay: delay) }) { outcome in
            _ = try outcome.get()
        }
    }

    /// Sends, receives and deletes.
    private func work(messages: Int) throws {
        for batch in 0..<(messages / 10) {
            try send((0..<10).map { "\(batch)-\($0) " + String(repeating: "x", count: 100) })
            let received = try queue.receive(upTo: 10, wait: .zero)
            for outcome in try queue.delete(received.map(\.received.handle.text)) {
                try outcome.get()
            }
        }
    }

    /// As another process sees it.
    private func anew() throws -> Queue {
        try QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments).queue("Q")
    }

    private func carries() throws -> Int {
        let path = "\(folder.path)/queues/Q"
        return try FileSystem.list(path).filter { $0.hasSuffix(".jsonl") }.reduce(0) { sum, name in
            let lines = try FileSystem.read("\(path)/\(name)").split(separator: 0x0A)
            return sum
                + lines.count { String(decoding: $0, as: UTF8.self).contains("\"op\":\"carry\"") }
        }
    }

    @Test("a list that is read while its messages are carried on has them all")
    func listed() throws {
        try send((0..<20).map { "late \($0)" }, delay: 900)
        var seen: [String] = []
        let other = try QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments)
            .queue("Q")
        try other.forEachMessage { _, message in
            if seen.isEmpty { try work(messages: 2000) }
            seen.append(String(decoding: message.escapedBody, as: UTF8.self))
        }
        #expect(seen == (0..<20).map { "late \($0)" })
    }

    @Test("once a backlog is used up the disk has its room back, though no checkpoint is due")
    func usedUp() throws {
        var options = Self.smallSegments
        options.checkpointBytes = 10_000_000
        let queue = try QueueDirectory(stateDirectory: folder.path, options: options).queue("Q")
        // More than are carried on at once.
        try send((0..<40).map { "long \($0) " + String(repeating: "x", count: 100) })
        for _ in 0..<4 { _ = try queue.receive(upTo: 10, timeoutSeconds: 43_200, wait: .zero) }
        for batch in 0..<200 {
            try send((0..<10).map { "\(batch)-\($0) " + String(repeating: "x", count: 100) })
        }
        while true {
            let received = try queue.receive(upTo: 10, wait: .zero)
            guard !received.isEmpty else { break }
            for outcome in try queue.delete(received.map(\.received.handle.text)) {
                try outcome.get()
            }
        }
        let statistics = try queue.statistics()
        #expect(statistics.counts.inFlight == 40)
        #expect(statistics.journalBytes < 80_000, "\(statistics.journalBytes)")
        #expect(try directory.verify("Q").problems.isEmpty)
    }

    @Test("messages that stay in flight for long pin no segment, and keep what they were")
    func stragglers() throws {
        let bodies = (0..<40).map { "long \($0)" }
        try send(bodies)
        var handles: [String: ReceivedMessage] = [:]
        while handles.count < 40 {
            for one in try queue.receive(upTo: 10, timeoutSeconds: 43_200, wait: .zero) {
                handles[String(decoding: one.body, as: UTF8.self)] = one.received
            }
        }
        try work(messages: 3000)
        let statistics = try queue.statistics()
        #expect(statistics.counts.inFlight == 40)
        #expect(statistics.journalBytes < 120_000, "\(statistics.journalBytes)")
        #expect(try carries() > 0)
        let verification = try directory.verify("Q")
        #expect(verification.problems.isEmpty, "\(verification.problems)")
        let other = try anew()
        #expect(try other.statistics().counts == statistics.counts)
        // Receipt handles of before count still; identity, count and sent time are the same.
        let first = try #require(handles["long 0"])
        #expect(try other.delete([first.handle.text]).allSatisfy { (try? $0.get()) != nil })
        for body in bodies.dropFirst() {
            let handle = try #require(handles[body]).handle.text
            try other.changeVisibility(of: handle, toSeconds: 0)
        }
        var seen: Set<String> = []
        while case let back = try queue.receive(upTo: 10, wait: .zero), !back.isEmpty {
            for one in back {
                let body = String(decoding: one.body, as: UTF8.self)
                let before = try #require(handles[body])
                #expect(seen.insert(body).inserted)
                #expect(one.received.entry.messageID == before.entry.messageID)
                #expect(one.received.entry.place == before.entry.place)
                #expect(one.received.entry.sent == before.entry.sent)
                #expect(one.received.receiveCount == 2)
                #expect(one.received.firstReceived == before.firstReceived)
            }
        }
        #expect(seen == Set(bodies.dropFirst()))
    }

    @Test("delayed messages and transfers that nobody finishes are carried on too")
    func delayedAndTransfers() throws {
        var settings = Self.settings
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queue.set(settings)
        try send(["dead"])
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 0, wait: .zero).count == 1)
        #expect(try queue.receive(upTo: 1, wait: .zero).isEmpty)  // decided, not carried out
        try send(["later"], delay: 900)
        try work(messages: 3000)
        #expect(try queue.statistics().journalBytes < 120_000)
        try directory.create("D", QueueSettings())
        try directory.finishTransfers(of: try anew())
        let dead = try directory.queue("D").receive(upTo: 1, wait: .zero)
        #expect(dead.map(\.body) == [Array("dead".utf8)])
        var waiting: [[UInt8]] = []
        try anew().forEachMessage { _, message in waiting.append(message.escapedBody) }
        #expect(waiting == [Array("later".utf8)])
        #expect(try directory.verify("Q").problems.isEmpty)
    }

    @Test("a backlog is the journal: it is never carried")
    func backlog() throws {
        try send((0..<2000).map { "\($0) " + String(repeating: "x", count: 100) })
        #expect(try queue.receive(upTo: 10, timeoutSeconds: 43_200, wait: .zero).count == 10)
        try send((0..<500).map { "\($0) " + String(repeating: "x", count: 100) })
        #expect(try carries() == 0)
        #expect(try queue.statistics().counts.visible == 2490)
    }

    @Test("a purge, or a deletion of the last message, gives the space back at once")
    func emptied() throws {
        let body = String(repeating: "x", count: 100)
        try send((0..<3000).map { "\($0) \(body)" })
        #expect(try queue.statistics().journalBytes > 300_000)
        try queue.purge()
        #expect(try queue.statistics().journalBytes < 70_000)
        #expect(try queue.statistics().counters.purged == 3000)
        try send((0..<3000).map { "\($0) \(body)" })
        while case let some = try queue.receive(upTo: 10, wait: .zero), !some.isEmpty {
            _ = try queue.delete(some.map(\.received.handle.text))
        }
        #expect(try anew().statistics().journalBytes < 70_000)
        #expect(try directory.verify("Q").problems.isEmpty)
        try send(["after"])
        #expect(try anew().receive(upTo: 1, wait: .zero).map(\.body) == [Array("after".utf8)])
    }

    @Test("a repair finds messages where they were carried to")
    func repaired() throws {
        try send(["stays"])
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 43_200, wait: .zero).count == 1)
        try work(messages: 2000)
        // The oldest segment is mere history: what is harmed there, no message needs.
        let path = "\(folder.path)/queues/Q"
        let oldest = try #require(try FileSystem.list(path).compactMap(SegmentName.parse).min())
        var bytes = try FileSystem.read("\(path)/\(SegmentName.file(oldest))")
        bytes[bytes.count / 2] ^= 1
        try FileSystem.replace("\(path)/\(SegmentName.file(oldest))", with: bytes)
        #expect(try directory.repair("Q").original != nil)
        let back = try directory.queue("Q").receive(upTo: 10, wait: .zero)
        #expect(back.map(\.body) == [Array("stays".utf8)])
        #expect(back.first?.received.receiveCount == 2)
    }
}
