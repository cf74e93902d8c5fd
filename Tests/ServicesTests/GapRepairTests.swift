import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// What a repair makes of messages whose own records are whole, and others' are not.
@Suite struct GapRepairTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("gaps") }

    private func make(_ name: String) throws -> Queue {
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.isFIFO = name.hasSuffix(".fifo")
        try queues.create(name, settings)
        return try queues.queue(name)
    }

    private func send(_ queue: Queue, _ bodies: String..., group: String? = nil) throws {
        let entries = bodies.map { body in
            var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
            entry.group = group
            entry.deduplicationID = queue.name.hasSuffix(".fifo") ? body : nil
            return entry
        }
        for outcome in try queue.send(entries) { _ = try outcome.get() }
    }

    @discardableResult
    private func receive(_ queue: Queue, _ limit: Int = 1) throws -> [Queue.Delivery] {
        let deliveries = try queue.receive(upTo: limit, timeoutSeconds: 600, wait: .zero)
        #expect(deliveries.count == limit)
        return deliveries
    }

    /// Harms the record that holds `text`, and repairs the queue.
    /// - Returns: the bodies that it then has, in order.
    private func repair(
        _ queue: Queue, harming text: String, _ directory: QueueDirectory? = nil
    ) throws -> [String] {
        try queue.settle()
        let path = "\(folder.path)/queues/\(queue.name)/\(SegmentName.file(1))"
        var bytes = try FileSystem.read(path)
        let place = try #require(bytes.firstRange(of: Array(text.utf8)))
        bytes[place.lowerBound] ^= 1
        try FileSystem.replace(path, with: bytes)
        let later = directory ?? QueueDirectory(stateDirectory: folder.path)
        let report = try later.repair(queue.name)
        var bodies: [String] = []
        try later.queue(queue.name).forEachMessage { _, message in
            bodies.append(String(decoding: message.escapedBody, as: UTF8.self))
        }
        #expect(report.kept == bodies.count && report.losses.count == 1)
        return bodies
    }

    @Test(
        "where a send is missing, what waited behind it is kept",
        arguments: ["Q", "Q.fifo"])
    func sends(name: String) throws {
        let queue = try make(name)
        try send(queue, "a", group: "g")
        try send(queue, "b", group: "h")
        // By the records that are left, nothing waits any more: 'c' would begin the line anew.
        try receive(queue)
        try send(queue, "c", group: "g")
        #expect(try repair(queue, harming: #""body":"a""#) == ["b", "c"])
    }

    @Test("so is what a receive passed over, as its tenant was noisy")
    func passed() throws {
        let queue = try make("Q")
        try send(queue, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", group: "noisy")
        for batch in 0..<2 {
            for number in 0..<10 { try send(queue, "\(batch).\(number)", group: "noisy") }
        }
        try send(queue, "p", "q", "r", group: "noisy")
        for _ in 0..<3 { try receive(queue, 10) }
        try send(queue, "quiet", group: "other")
        let quiet = try #require(try receive(queue).first)
        #expect(String(decoding: quiet.body, as: UTF8.self) == "quiet", "none was passed over")
        let bodies = try repair(queue, harming: #""body":"1""#)
        #expect(bodies.count == 24 && bodies.suffix(4) == ["p", "q", "r", "quiet"])
    }

    @Test("where a receive is missing, its message comes back, though a later one went past it")
    func receives() throws {
        let queue = try make("Q")
        try send(queue, "a", "b")
        let first = try receive(queue)[0].received.entry.messageID
        try receive(queue)
        #expect(try repair(queue, harming: #""id":"\#(first)","sent""#) == ["a", "b"])
    }

    @Test("unless it was deleted")
    func deletes() throws {
        let queue = try make("Q")
        try send(queue, "a", "b")
        let first = try receive(queue)[0]
        _ = try queue.delete([first.received.handle.text])[0].get()
        try send(queue, "c")
        let harmed = #""id":"\#(first.received.entry.messageID)","sent""#
        #expect(try repair(queue, harming: harmed) == ["b", "c"])
    }

    @Test(
        "or left for its dead-letter queue, and arrived there", arguments: [true, false])
    func transfers(arrives: Bool) throws {
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        try send(queue, "a", "b")
        let first = try queue.receive(upTo: 1, timeoutSeconds: 0, wait: .zero)[0]
        if !arrives { try queues.remove("D", force: true) }
        let other = try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        if arrives { try queues.finishTransfers(of: queue) }
        #expect(other.map(\.message.escapedBody) == [Array("b".utf8)])
        let harmed = #""id":"\#(first.received.entry.messageID)","sent""#
        #expect(try repair(queue, harming: harmed) == (arrives ? ["b"] : ["a", "b"]))
    }

    @Test("what it keeps is told of as what it was, and not as sent when it was repaired")
    func history() throws {
        let clock = SteppedClock()
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        try queues.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queues.create("S", settings)
        let source = try queues.queue("S")
        try send(source, "dead")
        for _ in 0..<2 { _ = try source.receive(upTo: 1, timeoutSeconds: 0, wait: .zero) }
        try queues.finishTransfers(of: source)
        let queue = try queues.queue("D")
        try send(queue, "own")
        try send(queue, "harmed")
        let before = clock.clock.now()
        clock.step(.seconds(60))
        #expect(try repair(queue, harming: "harmed", queues) == ["dead", "own"])
        let repaired = try queues.queue("D")
        var sent: [String] = []
        try repaired.forEachSend(from: .oldest, to: nil) { record in
            sent += record.messages.map { String(decoding: $0.escapedBody, as: UTF8.self) }
            return true
        }
        #expect(sent == ["own"])
        #expect(throws: QueueError.self) {
            try repaired.forEachSend(from: .time(before), to: nil) { _ in true }
        }
        try repaired.forEachSend(from: .time(clock.clock.now()), to: nil) { _ in true }
        var kinds: [String] = []
        try repaired.tail(last: 100, isFollowing: false, isCancelled: { false }) { event in
            if event.body != nil { kinds.append(event.name) }
        }
        #expect(kinds == ["arrived", "sent"])
    }

    @Test("what a purge ended before, or after, stays gone")
    func purges() throws {
        let queue = try make("Q")
        try send(queue, "a")
        try send(queue, "b")
        try queue.purge()
        try send(queue, "c")
        try receive(queue)
        try send(queue, "d")
        #expect(try repair(queue, harming: #""body":"a""#) == ["c", "d"])
    }

    @Test("but not what had left before it, and has not arrived", arguments: [true, false])
    func purgeOfDeadLetters(arrives: Bool) throws {
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        try send(queue, "a", "b")
        let first = try queue.receive(upTo: 1, timeoutSeconds: 0, wait: .zero)[0]
        _ = try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        try queue.purge()
        try send(queue, "c")
        if arrives { try queues.finishTransfers(of: queue) }
        let harmed = #""id":"\#(first.received.entry.messageID)","sent""#
        #expect(try repair(queue, harming: harmed) == (arrives ? ["c"] : ["a", "c"]))
    }

    @Test("what was purged is not compared with each that left", .timeLimit(.minutes(1)))
    func purgedAndLeft() throws {
        var options = JournalOptions()
        // None tells that all of it is past.
        options.checkpointBytes = .max / 2
        options.openingBytes = .max / 2
        let queues = QueueDirectory(stateDirectory: folder.path, options: options)
        var settings = QueueSettings()
        settings.durability = .os
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        for _ in 0..<2000 {
            try send(queue, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
        }
        try queue.purge()
        try send(queue, "harmed")
        try queue.commit { session in
            for number in 1...5000 as ClosedRange<UInt64> {
                let place = Place(n: session.lastN, index: 0)
                try session.append(.transfer(number: number, target: "D", [place]))
                try session.append(.transferred(number: number))
            }
        }
        #expect(try repair(queue, harming: "harmed") == [])
    }
}
