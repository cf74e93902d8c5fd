import JSON
import Journal
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// Repairs in company, and of what is seldom harmed.
@Suite struct RepairTests {
    private func entry(_ body: String, group: String? = nil) -> SendEntry {
        var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
        entry.group = group
        entry.deduplicationID = group == nil ? nil : body
        return entry
    }

    /// Harms the first record of a kind.
    private func harm(_ operation: String, in folder: String, _ queue: String) throws {
        let path = "\(folder)/queues/\(queue)/\(SegmentName.file(1))"
        var bytes = try FileSystem.read(path)
        let place = try #require(bytes.firstRange(of: Array("\"op\":\"\(operation)\"".utf8)))
        bytes[place.lowerBound + 7] ^= 0x20
        try FileSystem.replace(path, with: bytes)
    }

    @Test("a repair beside processes that look: the repaired queue is there")
    func beside() throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        for number in 0..<50 { _ = try queues.queue("Q").send([entry("m\(number)")]) }
        try harm("send", in: folder.path, "Q")
        let isOver = Atomic(false)
        let threads = try (0..<4).map { index in
            try Thread(name: "looks-\(index)") {
                while !isOver.load(ordering: .relaxed) {
                    // Each look as a process of its own: nothing is open before.
                    let other = QueueDirectory(stateDirectory: folder.path)
                    _ = try? other.queue("Q").statistics()
                }
            }
        }
        let report = try QueueDirectory(stateDirectory: folder.path).repair("Q")
        isOver.store(true, ordering: .relaxed)
        for thread in threads { thread.join() }
        #expect(report.kept == 49)
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(try later.names() == ["Q"])
        #expect(try later.queue("Q").statistics().counts.visible == 49)
    }

    @Test("a FIFO queue keeps each group's order, whatever of it is held, passed or waits")
    func groups() throws {
        let folder = try TemporaryFolder("repair")
        var environment = QueueEnvironment()
        environment.heldWaiting = 4
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        var settings = QueueSettings()
        settings.isFIFO = true
        try queues.create("Q.fifo", settings)
        let queue = try queues.queue("Q.fifo")
        for number in 0..<60 {
            _ = try queue.send([entry("\(number)", group: "g\(number % 3)")])[0].get()
        }
        // Two groups wait for their first messages; the third one's are received and deleted.
        let first = try queue.receive(upTo: 2, timeoutSeconds: 600, wait: .zero)
        var gone: Set<String> = []
        for _ in 0..<4 {
            for delivery in try queue.receive(upTo: 3, timeoutSeconds: 600, wait: .zero) {
                gone.insert(String(decoding: delivery.body, as: UTF8.self))
                _ = try queue.delete([delivery.received.handle.text])[0].get()
            }
        }
        #expect(!gone.isEmpty && !first.isEmpty)
        try harm("send", in: folder.path, "Q.fifo")
        let later = QueueDirectory(stateDirectory: folder.path)
        let report = try later.repair("Q.fifo")
        #expect(report.kept == 60 - 1 - gone.count)
        let repaired = try later.queue("Q.fifo")
        var last: [String: Int] = [:]
        var seen: Set<String> = []
        while case let deliveries = try repaired.receive(upTo: 10, wait: .zero), !deliveries.isEmpty
        {
            for delivery in deliveries {
                let body = String(decoding: delivery.body, as: UTF8.self)
                let number = try #require(Int(body))
                let group = try #require(delivery.message.group)
                #expect(group == "g\(number % 3)")
                #expect(last[group].map { $0 < number } ?? true, "\(group): \(number)")
                last[group] = number
                seen.insert(body)
                _ = try repaired.delete([delivery.received.handle.text])[0].get()
            }
        }
        #expect(seen.count == report.kept && seen.isDisjoint(with: gone))
        #expect(try repaired.messageCount == 0)
    }

    @Test("a FIFO queue whose settings are harmed stays one")
    func settings() throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.isFIFO = true
        settings.visibilityTimeoutSeconds = 77
        try queues.create("Q.fifo", settings)
        _ = try queues.queue("Q.fifo").send([entry("a", group: "g")])
        try harm("set", in: folder.path, "Q.fifo")
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(try later.repair("Q.fifo").kept == 1)
        #expect(try later.queue("Q.fifo").settings.isFIFO)
        _ = try later.queue("Q.fifo").send([entry("b", group: "g")])[0].get()
    }

    @Test("hundreds of messages that were carried on are repaired, in order")
    func carried() throws {
        let folder = try TemporaryFolder("repair")
        var options = JournalOptions()
        options.segmentBytes = 40_000
        options.historyBytes = 1000
        options.checkpointBytes = 4000
        let queues = QueueDirectory(stateDirectory: folder.path, options: options)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        // Three hundred stay in flight while others come and go.
        for number in 0..<300 { _ = try queue.send([entry("held\(number)")])[0].get() }
        for _ in 0..<30 {
            #expect(
                try queue.receive(upTo: 10, timeoutSeconds: 43_200, wait: .zero).count == 10)
        }
        for _ in 0..<60 {
            try queue.sendBulk(
                (0..<50).map { entry("passing\($0)" + String(repeating: "x", count: 200)) }
            ) {
                _ = try $0.get()
            }
            for _ in 0..<5 {
                let received = try queue.receive(upTo: 10, wait: .zero)
                _ = try queue.delete(received.map(\.received.handle.text))
            }
        }
        let journal = "\(folder.path)/queues/Q"
        let names = try FileSystem.list(journal).compactMap(SegmentName.parse)
        let texts = try names.map {
            String(
                decoding: try FileSystem.read("\(journal)/\(SegmentName.file($0))"), as: UTF8.self)
        }
        #expect(texts.contains { $0.contains("\"op\":\"carry\"") }, "nothing was carried")
        // One more, and harmed.
        _ = try queue.send([entry("sacrifice")])
        let path = "\(journal)/\(SegmentName.file(try #require(names.max())))"
        var bytes = try FileSystem.read(path)
        bytes[bytes.count - 30] ^= 1
        try FileSystem.replace(path, with: bytes)
        let later = QueueDirectory(stateDirectory: folder.path, options: options)
        let report = try later.repair("Q")
        #expect(report.kept >= 300)
        var bodies: [String] = []
        while true {
            let received = try later.queue("Q").receive(
                upTo: 10, timeoutSeconds: 43_200, wait: .zero)
            if received.isEmpty { break }
            bodies += received.map { String(decoding: $0.body, as: UTF8.self) }
        }
        let held = bodies.filter { $0.hasPrefix("held") }
        #expect(held == (0..<300).map { "held\($0)" })
    }
}
