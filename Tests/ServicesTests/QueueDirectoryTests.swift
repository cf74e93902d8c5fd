import JSON
import Journal
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

@Suite struct QueueDirectoryTests {
    private func entry(_ body: String) -> SendEntry {
        SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
    }

    @Test("a move to the dead-letter queue that was cut is finished once, whoever comes next")
    func interruptedTransfer() throws {
        let folder = try TemporaryFolder()
        let first = QueueDirectory(stateDirectory: folder.path)
        try first.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try first.create("Q", settings)
        let queue = try first.queue("Q")
        let sent = try queue.send([entry("a")])[0].get()
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 0).count == 1)
        // Decided, and nobody carried it out: as if the process had died here.
        #expect(try queue.receive(upTo: 1).isEmpty)
        #expect(try first.queue("D").statistics().counts.visible == 0)

        let second = QueueDirectory(stateDirectory: folder.path)
        for directory in [second, first, second] {
            try directory.finishTransfers(of: try directory.queue("Q"))
        }
        let dead = try second.queue("D")
        #expect(try dead.statistics().counts.visible == 1)
        let moved = try #require(try dead.receive(upTo: 1).first)
        #expect(moved.received.entry.messageID == sent.messageID)
        #expect(moved.received.receiveCount == 2)
        #expect(try queue.statistics().counters.deadLettered == 1)
    }

    @Test("who receives knows until when the messages are its own")
    func hiddenUntil() throws {
        let fixture = try HostFixture("hidden")
        var settings = QueueSettings()
        settings.visibilityTimeoutSeconds = 7
        try fixture.queues.create("Q", settings)
        let queue = try fixture.queues.queue("Q")
        _ = try queue.send([entry("a"), entry("b")])
        let now = fixture.clock.clock.now()
        #expect(try queue.receive(upTo: 1).map(\.hiddenUntil) == [now + .seconds(7)])
        let own = try queue.receive(upTo: 1, timeoutSeconds: 9)
        #expect(own.map(\.hiddenUntil) == [now + .seconds(9)])
    }

    @Test("who closes its queues leaves no prepared room behind their records")
    func closed() throws {
        let folder = try TemporaryFolder("closed")
        var options = JournalOptions()
        options.preparedBytes = 4096
        options.preparingSyncs = 1
        let directory = QueueDirectory(stateDirectory: folder.path, options: options)
        func haveRoom() throws -> [Bool] {
            try ["Q", "R"].map { name in
                let path = "\(folder.path)/queues/\(name)/\(SegmentName.file(1))"
                return try FileSystem.read(path).suffix(2) == [0x0A, 0x0A]
            }
        }
        for name in ["Q", "R"] { try directory.create(name, QueueSettings()) }
        #expect(try haveRoom() == [false, false], "a queue is made without")
        for _ in 0..<4 {
            for name in ["Q", "R"] { _ = try directory.queue(name).send([entry("a")]) }
        }
        #expect(try haveRoom() == [true, true])
        directory.close()
        #expect(try haveRoom() == [false, false])
    }

    @Test("a receipt handle of another queue does nothing, though its message has the same place")
    func foreignHandle() throws {
        let folder = try TemporaryFolder()
        let directory = QueueDirectory(stateDirectory: folder.path)
        var handles: [String] = []
        for name in ["A", "B"] {
            try directory.create(name, QueueSettings())
            let queue = try directory.queue(name)
            _ = try queue.send([entry("a")])
            handles.append(try #require(try queue.receive(upTo: 1).first).received.handle.text)
        }
        #expect(handles[0].prefix(18) == handles[1].prefix(18))
        let other = try directory.queue("B")
        #expect(throws: SQSError.self) {
            try other.changeVisibility(of: handles[0], toSeconds: 0)
        }
        _ = try other.delete([handles[0]])
        #expect(try other.statistics().counts.inFlight == 1)
        _ = try other.delete([handles[1]])
        #expect(try other.statistics().counts.inFlight == 0)
    }

    @Test("among handles a text that is none has its own error, and the others are deleted")
    func mixedHandles() throws {
        let folder = try TemporaryFolder()
        let directory = QueueDirectory(stateDirectory: folder.path)
        try directory.create("Q", QueueSettings())
        let queue = try directory.queue("Q")
        _ = try queue.send([entry("a"), entry("b")])
        let handles = try queue.receive(upTo: 2).map(\.received.handle)
        let outcomes = try queue.delete(["none", handles[0].text, "", handles[1].text])
        #expect(throws: SQSError.receiptHandleIsInvalid("none")) { try outcomes[0].get() }
        #expect(throws: Never.self) { try outcomes[1].get() }
        #expect(throws: SQSError.receiptHandleIsInvalid("")) { try outcomes[2].get() }
        #expect(throws: Never.self) { try outcomes[3].get() }
        #expect(try queue.statistics().counts.inFlight == 0)
    }

    @Test("a queue that was made anew may count its transfers from one again")
    func remadeGiver() throws {
        let folder = try TemporaryFolder()
        let directory = QueueDirectory(stateDirectory: folder.path)
        try directory.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        for round in UInt64(1)...3 {
            try directory.create("Q", settings)
            let queue = try directory.queue("Q")
            _ = try queue.send([entry("a")])
            #expect(try queue.receive(upTo: 1, timeoutSeconds: 0).count == 1)
            #expect(try queue.receive(upTo: 1, movingTo: directory).isEmpty)
            #expect(try directory.queue("D").statistics().counts.visible == round)
            try directory.remove("Q", force: false)
        }
    }

    @Test("a waiting receiver is woken by a send from elsewhere")
    func longPolling() async throws {
        let folder = try TemporaryFolder()
        let directory = QueueDirectory(stateDirectory: folder.path)
        try directory.create("Q", QueueSettings())
        let other = QueueDirectory(stateDirectory: folder.path)
        let queue = try directory.queue("Q")
        async let received = queue.receive(upTo: 1, wait: .seconds(20))
        _ = try other.queue("Q").send([entry("hello")])
        #expect(try await received.first?.body == Array("hello".utf8))
    }

    @Test(
        "bodies come back as they were sent",
        arguments: [
            "plain", "\"quoted\" \\ back", "line\nbreak\ttab", "é€😀", "{\"n\":1,\"op\":\"send\"}",
            String(repeating: "x", count: 1_048_576),
        ])
    func bodies(body: String) throws {
        let folder = try TemporaryFolder()
        let directory = QueueDirectory(stateDirectory: folder.path)
        try directory.create("Q", QueueSettings())
        let queue = try directory.queue("Q")
        var escaped: [UInt8] = []
        JSONWriter.appendEscaped(body.utf8, to: &escaped)
        _ = try queue.send([SendEntry(escapedBody: escaped, size: body.utf8.count)])[0].get()
        let again = try QueueDirectory(stateDirectory: folder.path).queue("Q")
        #expect(try again.receive(upTo: 1).first?.body == Array(body.utf8))
    }

    @Test("the example in docs/journal.md is a queue that opens")
    func documentedExample() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = String(decoding: try FileSystem.read("/\(root)/docs/journal.md"), as: UTF8.self)
        let lines = page.split(separator: "\n")
            .filter { $0.hasPrefix("{\"n\":") && !$0.contains("…") }
        #expect(lines.count == 4)
        let folder = try TemporaryFolder()
        try FileSystem.makeDirectory("\(folder.path)/queues/OrderQueue")
        try FileSystem.replace(
            "\(folder.path)/queues/OrderQueue/00000000000000000001.jsonl",
            with: Array((lines.joined(separator: "\n") + "\n").utf8))
        let statistics = try QueueDirectory(stateDirectory: folder.path).queue("OrderQueue")
            .statistics()
        #expect(statistics.counters.sent == 1)
        #expect(statistics.counters.received == 1)
        #expect(statistics.counters.deleted == 1)
        #expect(statistics.counts.visible == 0)
    }

    @Test("who has a removed queue open cannot send into its grave; a new one begins anew")
    func removed() throws {
        let folder = try TemporaryFolder("removed")
        let mine = QueueDirectory(stateDirectory: folder.path)
        try mine.create("Q", QueueSettings())
        let open = try mine.queue("Q")
        let other = QueueDirectory(stateDirectory: folder.path)
        try other.remove("Q", force: false)
        let entry = SendEntry(escapedBody: Array("x".utf8), size: 1)
        #expect(throws: JournalError.removed) { try open.send([entry]) }
        #expect(try other.names().isEmpty)
        try other.create("Q", QueueSettings())
        #expect(try other.queue("Q").send([entry]).count == 1)
        #expect(throws: JournalError.removed) { try open.send([entry]) }
        mine.forget("Q")
        #expect(try mine.queue("Q").messageCount == 1)
    }

    @Test("queues are made and removed while a large one is being deleted")
    func slowDeletion() throws {
        let folder = try TemporaryFolder("slow")
        var options = JournalOptions()
        options.lockTimeout = .milliseconds(10)
        let other = QueueDirectory(stateDirectory: folder.path, options: options)
        let deletions = Mutex<[String]>([])
        let outcomes = Mutex<[Result<Void, any Error>]>([])
        var environment = QueueEnvironment()
        environment.storage = ToldStorage { path in
            deletions.withLock { $0.append(path) }
            let outcome = Result {
                try other.create("Q", QueueSettings())
                try other.remove("Q", force: false)
                try other.create("R", QueueSettings())
            }
            outcomes.withLock { $0.append(outcome) }
        }
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        try queues.create("Q", QueueSettings())
        try queues.remove("Q", force: false)
        #expect(deletions.withLock { $0.count } == 1)
        for outcome in outcomes.withLock({ $0 }) { try outcome.get() }
        #expect(try other.names() == ["R"])
        let hidden = try FileSystem.list(folder.path + "/queues").filter {
            $0.hasPrefix(".removed")
        }
        #expect(hidden.isEmpty, "\(hidden)")
    }

    @Test("statistics of a queue that was removed meanwhile say so, and name no folder")
    func removedStatistics() throws {
        let folder = try TemporaryFolder("removed-statistics")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        try QueueDirectory(stateDirectory: folder.path).remove("Q", force: true)
        #expect(throws: JournalError.removed) { try queue.statistics() }
    }

    @Test("a removal that was cut after its first step is finished by whoever comes next")
    func cutRemoval() throws {
        let folder = try TemporaryFolder("cut")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        struct Cut: Error {}
        let queue = try queues.queue("Q")
        #expect(throws: Cut.self) {
            try queue.journal.end(check: { _ in }, bury: { throw Cut() })
        }
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(throws: QueueError.self) { try later.queue("Q") }
        #expect(try later.names().isEmpty)
        try later.create("Q", QueueSettings())
    }

    /// Small segments, so that a test rolls many.
    private static var smallSegments: JournalOptions {
        var options = JournalOptions()
        options.segmentBytes = 20_000
        options.historyBytes = 30_000
        options.checkpointBytes = 4_000
        return options
    }

    private func work(_ queue: Queue, messages: Int) throws {
        for batch in 0..<(messages / 10) {
            let entries = (0..<10).map {
                entry("message \(batch * 10 + $0) " + String(repeating: "x", count: 100))
            }
            for outcome in try queue.send(entries) { _ = try outcome.get() }
            let received = try queue.receive(upTo: 10, wait: .zero)
            for outcome in try queue.delete(received.map(\.received.handle.text)) {
                try outcome.get()
            }
        }
    }

    @Test("what went through gives its space back, and the journal that is left is whole")
    func reclaimed() throws {
        let folder = try TemporaryFolder("reclaimed")
        let queues = QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        try work(queue, messages: 3000)
        let statistics = try queue.statistics()
        #expect(statistics.counters.deleted == 3000)
        #expect(statistics.journalBytes < 100_000, "\(statistics.journalBytes)")
        #expect(try queues.verify("Q").problems.isEmpty)
        let again = QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments)
        #expect(try again.queue("Q").statistics().counters == statistics.counters)
        _ = try again.queue("Q").send([entry("last")])
        #expect(try queue.receive(upTo: 10, wait: .zero).map(\.body) == [Array("last".utf8)])
    }

    @Test("a message that stays keeps its segment, and is there when its time comes")
    func straggler() throws {
        let folder = try TemporaryFolder("straggler")
        let queues = QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        _ = try queue.send([entry("first")])
        let first = try #require(try queue.receive(upTo: 1, timeoutSeconds: 43_200).first)
        try work(queue, messages: 1000)
        try queue.changeVisibility(of: first.received.handle.text, toSeconds: 0)
        #expect(try queue.receive(upTo: 1, wait: .zero).map(\.body) == [Array("first".utf8)])
        #expect(try queues.verify("Q").problems.isEmpty)
    }

    @Test("two processes' views of one journal survive each other's deletions")
    func reclaimedBeside() throws {
        let folder = try TemporaryFolder("beside")
        let mine = QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments)
        try mine.create("Q", QueueSettings())
        let other = QueueDirectory(stateDirectory: folder.path, options: Self.smallSegments)
        let idle = try other.queue("Q")
        try work(try mine.queue("Q"), messages: 1000)
        #expect(try idle.receive(upTo: 1, wait: .zero).isEmpty)
        try work(idle, messages: 1000)
        try work(try mine.queue("Q"), messages: 100)
        #expect(try idle.statistics().counters.deleted == 2100)
    }

    /// Sends ten messages one by one, receives three, deletes one of those.
    private func harmed(_ folder: TemporaryFolder, at offset: Int?) throws -> (Int, [UInt8]) {
        do {
            let queues = QueueDirectory(stateDirectory: folder.path)
            try queues.create("Q", QueueSettings())
            let queue = try queues.queue("Q")
            for number in 0..<10 { _ = try queue.send([entry("m\(number)")]) }
            let received = try queue.receive(upTo: 3, wait: .zero)
            _ = try queue.delete([received[0].received.handle.text])
            _ = try queue.send([entry("last")])
            queues.close()
        }
        let path = folder.path + "/queues/Q/00000000000000000001.jsonl"
        var bytes = try FileSystem.read(path)
        if let offset {
            bytes[offset] ^= 1
            try FileSystem.replace(path, with: bytes)
        }
        return (bytes.count, bytes)
    }

    @Test("whatever byte is harmed, a repair keeps every message of the other records")
    func repair() throws {
        let (count, _) = try harmed(try TemporaryFolder("whole"), at: nil)
        for offset in stride(from: 0, to: count, by: 37) {
            let folder = try TemporaryFolder("harmed")
            let (_, before) = try harmed(folder, at: offset)
            let queues = QueueDirectory(stateDirectory: folder.path)
            guard try !queues.verify("Q").problems.isEmpty else {
                Issue.record("the harm at \(offset) was not found")
                continue
            }
            let report = try queues.repair("Q")
            #expect(report.losses.count == 1, "\(offset)")
            #expect(
                try FileSystem.read((report.original ?? "") + "/00000000000000000001.jsonl")
                    == before)
            let after = QueueDirectory(stateDirectory: folder.path)
            #expect(try after.verify("Q").problems.isEmpty)
            let queue = try after.queue("Q")
            var bodies: [String] = []
            while case let batch = try queue.receive(upTo: 10, wait: .zero), !batch.isEmpty {
                bodies += batch.map { String(decoding: $0.body, as: UTF8.self) }
            }
            // At most two records share a harmed newline; a lost delete brings "m0" back.
            let expected = Set((1..<10).map { "m\($0)" } + ["last"])
            #expect(expected.subtracting(bodies).count <= 2, "\(offset): \(bodies)")
            #expect(bodies.count == Set(bodies).count)
            #expect(report.kept == bodies.count)
        }
    }
}
