import JSON
import Journal
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// A clock that the test moves.
final class ManualClock: Sendable {
    private let time = Mutex(Timestamp(milliseconds: 1_800_000_000_000))
    var now: Timestamp { time.withLock { $0 } }
    func advance(_ span: Duration) { time.withLock { $0 = $0 + span } }

    var environment: QueueEnvironment {
        var environment = QueueEnvironment()
        environment.clock = StackClock { self.now }
        return environment
    }
}

/// Looking back: the counts as they were, one message's way, what is not retained.
@Suite struct PastTests {
    private let clock = ManualClock()
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("past") }

    private func directory(
        segment: UInt64 = 4000, history: UInt64 = 10_000_000
    ) -> QueueDirectory {
        var options = JournalOptions()
        options.segmentBytes = segment
        options.historyBytes = history
        options.checkpointBytes = 2000
        return QueueDirectory(
            stateDirectory: folder.path, environment: clock.environment, options: options)
    }

    private var settings: QueueSettings {
        var settings = QueueSettings()
        settings.durability = .os
        return settings
    }

    private func entry(_ body: String, delay: Int64? = nil) -> SendEntry {
        var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
        entry.delaySeconds = delay
        return entry
    }

    @Test("the counts at every moment are what they were then", arguments: 1...6)
    func counts(seed: Int) throws {
        let directory = directory()
        try directory.create("Q", settings)
        let queue = try directory.queue("Q")
        var random = SystemRandomNumberGenerator()
        var handles: [String] = []
        var expected: [(Timestamp, Queue.Statistics)] = []
        for step in 0..<300 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2:
                let delay = [nil, nil, Int64(7)].randomElement(using: &random) ?? nil
                _ = try queue.send([entry("\(step)", delay: delay), entry("b\(step)")])
            case 3...5:
                let timeout = Int64.random(in: 0...20, using: &random)
                handles += try queue.receive(
                    upTo: 3, timeoutSeconds: timeout, wait: .zero
                ).map(\.received.handle.text)
            case 6:
                if let handle = handles.popLast() { _ = try queue.delete([handle]) }
            default:
                if step.isMultiple(of: 97) { _ = try? queue.purge() }
            }
            // Some of what happened in one millisecond is asked for as a whole.
            expected.append((clock.now, try queue.statistics()))
            clock.advance(.milliseconds(Int.random(in: 1...2500, using: &random)))
        }
        #expect(try directory.verify("Q").segments > 5)
        for (time, then) in expected {
            let past = try queue.statistics(at: time)
            #expect(past.counts == then.counts, "\(time.iso8601)")
            #expect(past.counters == then.counters, "\(time.iso8601)")
            #expect(past.oldestSent == then.oldestSent, "\(time.iso8601)")
        }
    }

    @Test("what is not retained is said to be so, with the oldest moment that is")
    func notRetained() throws {
        let directory = directory(history: 12_000)
        try directory.create("Q", settings)
        let queue = try directory.queue("Q")
        let first = try queue.send([entry("first")])[0].get()
        let early = clock.now
        for number in 0..<500 {
            clock.advance(.seconds(1))
            _ = try queue.send([entry("m\(number)")])
            let handles = try queue.receive(upTo: 2, wait: .zero).map(\.received.handle.text)
            _ = try queue.delete(handles)
        }
        var named: (time: Timestamp, n: UInt64)?
        do {
            _ = try queue.statistics(at: early)
            Issue.record("is not retained")
        } catch QueueError.notRetained(_, let oldest, let n) {
            named = (oldest, n)
        }
        let oldest = try #require(named)
        #expect(oldest.n > 1 && oldest.time > early)
        #expect(try queue.statistics(at: oldest.time).counters.sent > 1)
        func replayed(_ start: JournalPoint) throws -> [String] {
            var bodies: [String] = []
            try queue.forEachSend(from: start, to: nil) { record in
                bodies += record.messages.map { String(decoding: $0.escapedBody, as: UTF8.self) }
                return true
            }
            return bodies
        }
        for start in [
            .time(early), .record(1), .record(oldest.n - 1),
            .time(oldest.time - .milliseconds(1)),
        ] as [JournalPoint] {
            #expect(throws: QueueError.self) { try replayed(start) }
        }
        let bodies = try replayed(.record(oldest.n))
        #expect(bodies.last == "m499" && bodies.count > 3)
        #expect(bodies == (500 - bodies.count..<500).map { "m\($0)" })
        #expect(try replayed(.time(oldest.time)) == bodies)
        #expect(throws: QueueError.self) {
            try directory.history(of: first.messageID, in: nil)
        }
    }

    private func story(_ id: String, _ directory: QueueDirectory) throws -> [String] {
        try directory.history(of: id, in: nil).events.map { $0.event.name }
    }

    @Test("a message whose beginning is gone is followed from what is known of it")
    func straggler() throws {
        let directory = directory(history: 8000)
        try directory.create("Q", settings)
        let queue = try directory.queue("Q")
        let id = try queue.send([entry("stays")])[0].get().messageID
        let held = try #require(try queue.receive(upTo: 1, timeoutSeconds: 40_000).first)
        for number in 0..<1000 {
            clock.advance(.seconds(1))
            _ = try queue.send([entry("m\(number)")])
            let handles = try queue.receive(upTo: 1, wait: .zero).map(\.received.handle.text)
            _ = try queue.delete(handles)
        }
        #expect(try story(id, directory) == ["notRetained"])
        try queue.changeVisibility(of: held.received.handle.text, toSeconds: 5)
        clock.advance(.seconds(10))
        let again = try #require(try queue.receive(upTo: 1, wait: .zero).first)
        _ = try queue.delete([again.received.handle.text])
        #expect(
            try story(id, directory)
                == ["notRetained", "visibility", "returned", "received", "deleted"])
        let events = try directory.history(of: id, in: "Q").events
        #expect(events.compactMap { $0.event.receiveCount } == [2])
    }

    @Test("each message's history ends as the message did", arguments: 1...2)
    func stories(seed: Int) throws {
        let directory = directory()
        var settings = settings
        settings.isFIFO = seed.isMultiple(of: 2)
        settings.retentionSeconds = 120
        settings.visibilityTimeoutSeconds = 5
        let name = settings.isFIFO ? "Q.fifo" : "Q"
        try directory.create(name, settings)
        let queue = try directory.queue(name)
        var random = SystemRandomNumberGenerator()
        var sent: [String: (time: Timestamp, receives: Int64, isDeleted: Bool)] = [:]
        var handles: [(id: String, handle: String)] = []
        for step in 0..<100 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2:
                // One tenant is much louder than the others.
                let entries = (0..<4).map { index in
                    var entry = entry("\(step)-\(index)")
                    entry.group = index < 3 ? "loud" : "g\(step % 3)"
                    if settings.isFIFO { entry.deduplicationID = "\(step)-\(index)" }
                    return entry
                }
                for outcome in try queue.send(entries) {
                    sent[try outcome.get().messageID] = (clock.now, 0, false)
                }
            case 3...6:
                for delivery in try queue.receive(upTo: 5, wait: .zero) {
                    let id = delivery.received.entry.messageID
                    sent[id]?.receives += 1
                    handles.append((id, delivery.received.handle.text))
                }
            default:
                guard let (id, handle) = handles.popLast() else { continue }
                let before = try queue.statistics().counters.deleted
                _ = try queue.delete([handle])
                if try queue.statistics().counters.deleted > before { sent[id]?.isDeleted = true }
            }
            clock.advance(.milliseconds(Int.random(in: 1...5000, using: &random)))
        }
        var live: Set<String> = []
        try queue.forEachMessage { entry, _ in live.insert(entry.messageID) }
        let ends: Set<String> = ["deleted", "expired", "purged", "deadLettered", "redriven"]
        for (id, known) in sent.shuffled().prefix(60) {
            let events = try directory.history(of: id, in: name).events.map(\.event)
            let last = events.last { $0.name != "returned" }?.name ?? ""
            #expect(events.first?.name == "sent")
            #expect((last == "deleted") == known.isDeleted, "\(id) \(events.map(\.name))")
            #expect(Int64(events.count { $0.name == "received" }) == known.receives)
            let isOld = clock.now - known.time >= .seconds(120)
            if last == "expired" { #expect(isOld, "\(id)") }
            if !isOld { #expect(live.contains(id) == !ends.contains(last), "\(id) \(last)") }
        }
    }

    @Test("retention ends a message wherever it is; a poison message goes to the back")
    func ends() throws {
        let directory = directory()
        var settings = settings
        settings.retentionSeconds = 60
        try directory.create("Q", settings)
        let queue = try directory.queue("Q")
        let held = try queue.send([entry("held")])[0].get().messageID
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 5).count == 1)
        let waiting = try queue.send([entry("waiting")])[0].get().messageID
        clock.advance(.seconds(61))
        let fresh = try queue.send([entry("fresh")])[0].get().messageID
        for _ in 0..<4 {
            #expect(try queue.receive(upTo: 10, timeoutSeconds: 2, wait: .zero).count == 1)
            clock.advance(.seconds(3))
        }
        #expect(try story(held, directory) == ["sent", "received", "returned", "expired"])
        #expect(try story(waiting, directory) == ["sent", "expired"])
        let poison = try story(fresh, directory)
        #expect(poison.first == "sent" && poison.count { $0 == "received" } == 4, "\(poison)")
        #expect(poison.contains("requeued"), "\(poison)")
        let counts = try directory.history(of: fresh, in: nil).events
            .compactMap { $0.event.receiveCount }
        #expect(counts == [1, 2, 3, 4])
    }

    @Test("what was sent later is not the oldest message of before")
    func sentLater() throws {
        let directory = directory()
        var settings = settings
        settings.retentionSeconds = 60
        try directory.create("Q", settings)
        let queue = try directory.queue("Q")
        for body in ["a", "b", "c"] { _ = try queue.send([entry(body)]) }
        clock.advance(.seconds(300))
        let then = try queue.statistics()
        let time = clock.now
        clock.advance(.seconds(300))
        _ = try queue.send([entry("d")])
        let past = try queue.statistics(at: time)
        #expect(then.counts.visible == 0 && past.counts == then.counts)
        #expect(then.oldestSent == nil && past.oldestSent == nil)
    }

    @Test("a replay ends at a record, which who goes on with it can name")
    func lastRecord() throws {
        let directory = directory(segment: 1_000_000)
        try directory.create("Q", settings)
        let queue = try directory.queue("Q")
        for number in 0..<5 {
            clock.advance(.seconds(10))
            _ = try queue.send([entry("\(number)")])
        }
        let last = try queue.journal.read { $0.lastN }
        #expect(try queue.lastRecord(upTo: nil) == last)
        #expect(try queue.lastRecord(upTo: .record(last + 7)) == last)
        #expect(try queue.lastRecord(upTo: .record(last - 2)) == last - 2)
        #expect(try queue.lastRecord(upTo: .time(clock.now)) == last)
        #expect(try queue.lastRecord(upTo: .time(clock.now - .milliseconds(1))) == last - 1)
        #expect(try queue.lastRecord(upTo: .time(clock.now - .seconds(1000))) == 0)
    }

    @Test("an export has what waits for a dead-letter queue that is not there")
    func leaving() throws {
        let directory = directory()
        try directory.create("D", settings)
        var settings = settings
        settings.redrivePolicy = QueueSettings.RedrivePolicy(
            deadLetterQueue: "D", maxReceiveCount: 1)
        try directory.create("Q", settings)
        try directory.remove("D", force: true)
        let queue = try directory.queue("Q")
        for body in ["a", "b", "c"] { _ = try queue.send([entry(body)]) }
        _ = try queue.receive(upTo: 2, timeoutSeconds: 0, wait: .zero)
        _ = try queue.receive(upTo: 1, timeoutSeconds: 0, wait: .zero)
        #expect(try queue.statistics().leaving == [Queue.Leaving(target: "D", messages: 2)])
        var bodies: [String] = []
        try queue.forEachMessage { _, message in
            bodies.append(String(decoding: message.escapedBody, as: UTF8.self))
        }
        #expect(bodies.sorted() == ["a", "b", "c"])
        #expect(try queue.messageCount == 3)
    }
}
