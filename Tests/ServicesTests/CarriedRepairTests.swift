import JSON
import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// What a repair makes of messages that were carried on.
@Suite struct CarriedRepairTests {
    private let folder: TemporaryFolder
    private var journal: String { "\(folder.path)/queues" }

    init() throws { folder = try TemporaryFolder("repair") }

    private static var options: JournalOptions {
        var options = JournalOptions()
        options.segmentBytes = 40_000
        options.historyBytes = 1000
        options.checkpointBytes = 4000
        return options
    }

    /// - Parameter durability: with `os` a harmed end may be taken for one that a crash has torn.
    private func make(
        _ name: String, _ options: JournalOptions, _ durability: QueueSettings.Durability
    ) throws -> Queue {
        var settings = QueueSettings()
        settings.durability = durability
        let queues = QueueDirectory(stateDirectory: folder.path, options: options)
        try queues.create(name, settings)
        return try queues.queue(name)
    }

    private func entry(_ body: String) -> SendEntry {
        SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
    }

    /// Every record, oldest first.
    private func lines(_ name: String) throws -> [String] {
        try FileSystem.list("\(journal)/\(name)").compactMap(SegmentName.parse).flatMap {
            String(
                decoding: try FileSystem.read("\(journal)/\(name)/\(SegmentName.file($0))"),
                as: UTF8.self
            ).split(separator: "\n").map(String.init)
        }
    }

    /// Sends one more, and harms it.
    private func harm(_ queue: Queue) throws {
        _ = try queue.send([entry("sacrifice")])[0].get()
        let folder = "\(journal)/\(queue.name)"
        // It may have been the last one of its segment.
        for name in try FileSystem.list(folder).compactMap(SegmentName.parse).reversed() {
            let path = "\(folder)/\(SegmentName.file(name))"
            var bytes = try FileSystem.read(path)
            guard let place = bytes.firstRange(of: Array("\"body\":\"sacrifice".utf8)) else {
                continue
            }
            bytes[place.lowerBound + 9] ^= 1
            return try FileSystem.replace(path, with: bytes)
        }
        Issue.record("it is not there")
    }

    @Test("hundreds of messages that were carried on are repaired, in order")
    func carried() throws {
        // A thousand calls: none waits for the disk.
        let queue = try make("Q", Self.options, .os)
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
        #expect(
            try lines("Q").contains { $0.contains("\"op\":\"carry\"") }, "nothing was carried")
        try harm(queue)
        let later = QueueDirectory(stateDirectory: folder.path, options: Self.options)
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

    @Test("a message that was carried on twice comes before a younger one that was once")
    func twice() throws {
        var options = Self.options
        options.segmentBytes = 4000
        options.historyBytes = 12_000
        let queue = try make("Q", options, .fsync)
        var turn = 0
        /// Others come and go.
        func pass() throws {
            turn += 1
            let body = "\(turn) " + String(repeating: "x", count: 400)
            _ = try queue.send([entry(body)])[0].get()
            let received = try queue.receive(upTo: 10, wait: .zero)
            _ = try queue.delete(received.map(\.received.handle.text))
        }
        /// Where a message lies now, if it was carried on.
        func carried(_ body: String) throws -> Int? {
            try lines("Q").lastIndex {
                $0.contains("\"op\":\"carry\"") && $0.contains("\"body\":\"\(body)\"")
            }
        }
        func hold(_ body: String) throws {
            _ = try queue.send([entry(body)])[0].get()
            #expect(try queue.receive(upTo: 1, timeoutSeconds: 43_200, wait: .zero).count == 1)
        }
        try hold("first")
        while try carried("first") == nil, turn < 400 { try pass() }
        // Into a later segment.
        for _ in 0..<5 { try pass() }
        try hold("second")
        func isTurned() throws -> Bool {
            guard let first = try carried("first"), let second = try carried("second") else {
                return false
            }
            return second < first
        }
        while try !isTurned(), turn < 800 { try pass() }
        try #require(try isTurned(), "the older one never lay behind the younger one")
        var sent: [String: Timestamp] = [:]
        try queue.forEachMessage { entry, _ in sent[entry.messageID] = entry.sent }
        try harm(queue)
        let later = QueueDirectory(stateDirectory: folder.path, options: options)
        #expect(try later.repair("Q").kept == 2)
        let received = try later.queue("Q").receive(upTo: 10, wait: .zero)
        #expect(received.map { String(decoding: $0.body, as: UTF8.self) } == ["first", "second"])
        try later.queue("Q").forEachMessage { entry, _ in
            #expect(sent[entry.messageID] == entry.sent)
        }
    }
}
