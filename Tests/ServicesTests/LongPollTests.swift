import Foundation
import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

@testable import QueueModel
@testable import Services

/// Many who wait for messages, without a thread each.
@Suite struct LongPollTests {
    /// What came of each waiting receive.
    final class Tally: Sendable {
        let bodies = ThreadCondition<[String]>([])
        let empty = ThreadCondition(0)
        let tickets = ThreadCondition<[LongPolls.Ticket]>([])

        func completion(_ result: Result<[Queue.Delivery], any Error>) {
            guard let deliveries = try? result.get(), !deliveries.isEmpty else {
                empty.withLock { $0 += 1 }
                return empty.signal()
            }
            bodies.withLock { bodies in
                bodies += deliveries.map { String(decoding: $0.body, as: UTF8.self) }
            }
            bodies.signal()
        }
    }

    struct Fixture {
        let folder: TemporaryFolder
        let queues: QueueDirectory
        let loop: EventLoop
        let workers = WorkerPool(name: "test", limit: 2)
        let polls: LongPolls
        let tally = Tally()

        init() throws {
            folder = try TemporaryFolder("polls")
            queues = QueueDirectory(stateDirectory: folder.path)
            var settings = QueueSettings()
            settings.durability = .os
            try queues.create("Q", settings)
            loop = try EventLoop(name: "test")
            polls = LongPolls(loop: loop, workers: workers, queues: queues)
        }

        func end() {
            polls.stop()
            loop.shutdown()
            workers.shutdown()
        }

        /// Begins to wait so often, and returns once all do.
        func wait(_ count: Int, seconds: Int64 = 20) throws {
            let queue = try queues.queue("Q")
            let before = tally.tickets.withLock { $0.count }
            for _ in 0..<count {
                polls.receive(
                    from: queue, LongPolls.Wish(limit: 1, wait: .seconds(seconds))
                ) { [tally] ticket in
                    tally.tickets.withLock { $0.append(ticket) }
                    tally.tickets.signal()
                } completion: { [tally] in
                    tally.completion($0)
                }
            }
            let all = tally.tickets.wait(upTo: .seconds(30)) {
                $0.count == before + count ? true : nil
            }
            try #require(all == true)
        }

        func send(_ bodies: [String], by queues: QueueDirectory) throws {
            let entries = bodies.map { SendEntry(escapedBody: Array($0.utf8), size: $0.utf8.count) }
            try queues.queue("Q").sendBulk(entries) { _ in }
        }

        func received(_ count: Int) -> [String]? {
            tally.bodies.wait(upTo: .seconds(30)) { $0.count >= count ? $0.sorted() : nil }
        }
    }

    private static var threads: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    }

    @Test("a thousand wait without threads, and each message wakes one", arguments: [true, false])
    func many(sentHere: Bool) throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let before = Self.threads
        try fixture.wait(1000)
        // Other tests run beside this one; a thread each would be a thousand.
        #expect(Self.threads < before + 500)
        let bodies = (0..<1000).map { "m\($0)" }
        let sender =
            sentHere
            ? fixture.queues : QueueDirectory(stateDirectory: fixture.folder.path)
        try fixture.send(bodies, by: sender)
        #expect(fixture.received(1000) == bodies.sorted())
        #expect(fixture.tally.empty.withLock { $0 } == 0)
    }

    @Test("who has gone takes no message, and is answered once")
    func cancelled() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        try fixture.wait(2)
        let tickets = fixture.tally.tickets.withLock { $0 }
        let isDone = ThreadCondition(false)
        fixture.loop.execute {
            fixture.polls.cancel(tickets[0])
            fixture.polls.cancel(tickets[0])
            isDone.withLock { $0 = true }
            isDone.signal()
        }
        _ = isDone.wait { $0 ? true : nil }
        let isAnswered = fixture.tally.empty.wait(upTo: .seconds(30)) { $0 == 1 ? true : nil }
        #expect(isAnswered == true)
        try fixture.send(["a"], by: fixture.queues)
        #expect(fixture.received(1) == ["a"])
        try fixture.send(["b"], by: fixture.queues)
        let queue = try fixture.queues.queue("Q")
        #expect(try queue.statistics().counts.visible == 1, "nobody waits for the second")
        #expect(fixture.tally.empty.withLock { $0 } == 1)
    }

    @Test("a wait ends when its time is up, and when everything stops")
    func ends() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        try fixture.wait(3, seconds: 1)
        try fixture.wait(3)
        func empty(_ count: Int) -> Bool {
            fixture.tally.empty.wait(upTo: .seconds(30)) { $0 == count ? true : nil } == true
        }
        #expect(empty(3))
        fixture.polls.stop()
        #expect(empty(6))
        #expect(fixture.tally.bodies.withLock { $0.isEmpty })
    }

    @Test("a message that becomes visible by itself wakes who waits")
    func delayed() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        var entry = SendEntry(escapedBody: Array("soon".utf8), size: 4)
        entry.delaySeconds = 1
        _ = try fixture.queues.queue("Q").send([entry])
        try fixture.wait(1)
        #expect(fixture.received(1) == ["soon"])
    }

    @Test("a room that hears of something after it emptied leaves the next one alone")
    func lateNews() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let queue = try fixture.queues.queue("Q")
        try fixture.wait(1)
        let ticket = fixture.tally.tickets.withLock { $0[0] }
        // What is done on the loop from here on is done in this order: the first one goes, another
        // one comes, and only then the first one's room hears of the message.
        let isHeld = ThreadCondition(false)
        let goesOn = ThreadCondition(false)
        // Not before the round's end: what it brought leads the journal's line until then.
        fixture.loop.execute {
            fixture.loop.atEndOfRound {
                isHeld.withLock { $0 = true }
                isHeld.signal()
                _ = goesOn.wait { $0 ? true : nil }
            }
        }
        _ = isHeld.wait { $0 ? true : nil }
        fixture.loop.execute { fixture.polls.cancel(ticket) }
        fixture.polls.receive(
            from: queue, LongPolls.Wish(limit: 1, wait: .seconds(600))
        ) { _ in
        } completion: { [tally = fixture.tally] in
            tally.completion($0)
        }
        // Looks come back in the order in which they were asked for.
        let hasLooked = ThreadCondition(false)
        queue.submitLook(upTo: 1) { _ in
            hasLooked.withLock { $0 = true }
            hasLooked.signal()
        }
        _ = hasLooked.wait { $0 ? true : nil }
        var entry = SendEntry(escapedBody: Array("later".utf8), size: 5)
        entry.delaySeconds = 900
        _ = try queue.send([entry])
        goesOn.withLock { $0 = true }
        goesOn.signal()
        func waiting() -> Int {
            let count = ThreadCondition<Int?>(nil)
            fixture.loop.execute {
                count.withLock { $0 = fixture.polls.count }
                count.signal()
            }
            return count.wait { $0 }
        }
        #expect(fixture.tally.empty.wait(upTo: .seconds(30)) { $0 == 1 ? true : nil } == true)
        // Whatever was to be done at once is done, the second time it is asked.
        _ = waiting()
        #expect(waiting() == 1)
        fixture.polls.stop()
        #expect(fixture.tally.empty.wait(upTo: .seconds(30)) { $0 == 2 ? true : nil } == true)
    }

    /// Puts as many messages in flight as there can be but for `room`; the first ten thousand come
    /// back first.
    private static func fill(_ queue: Queue, visibleAt: Timestamp, room: UInt64 = 0) throws {
        for batch in UInt64(1)...12 {
            let first = ((batch == 1 ? room : 0)..<10_000).map { number in
                QueueRecord.FirstReceive(
                    entry: StreamEntry(
                        place: Place(n: batch * 10_000 + number, index: 0),
                        record: RecordPlace(segment: 1, offset: 0, length: 0),
                        id: MessageID("m"), sent: visibleAt),
                    bits: number)
            }
            try queue.commit { session in
                try session.append(
                    QueueRecord.Receive(
                        visibleAt: visibleAt + .seconds(Int64(batch - 1)),
                        head: session.state.queue.head, first: first, again: [], expired: 0,
                        gone: []))
            }
        }
    }

    @Test("a delete is news where as many are in flight as there can be, and only there")
    func roomInFlight() throws {
        let folder = try TemporaryFolder("full")
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.durability = .os
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        try Self.fill(queue, visibleAt: now + .seconds(10_000_000))
        let news = Mutex(0)
        let follower = queue.journal.follow { news.withLock { $0 += 1 } }
        defer { queue.journal.unfollow(follower) }
        for number in UInt64(0)..<2 {
            try queue.commit {
                try $0.append(QueueRecord.delete([Place(n: 10_000 + number, index: 0)]))
            }
            #expect(news.withLock { $0 } == 1, "\(number)")
        }
    }

    @Test("where no more can be in flight, who waits goes on to, and who does not is told")
    func backInFlight() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let queue = try fixture.queues.queue("Q")
        let first = Timestamp(milliseconds: 4_000_000_000_000)
        try Self.fill(queue, visibleAt: first)
        let found = ThreadCondition<Queue.Look?>(nil)
        queue.submitLook(upTo: 1) { look in
            found.withLock { $0 = try? look.get() }
            found.signal()
        }
        let look = try #require(found.wait(upTo: .seconds(30)) { $0 })
        #expect(look.isFull && look.received.deliveries.isEmpty)
        #expect(look.nextWake == first)
        typealias Answer = Result<[Queue.Delivery], any Error>
        func receive(wait: Duration) -> ThreadCondition<Answer?> {
            let answer = ThreadCondition<Answer?>(nil)
            fixture.polls.receive(from: queue, LongPolls.Wish(limit: 1, wait: wait)) { _ in
            } completion: { result in
                answer.withLock { $0 = result }
                answer.signal()
            }
            return answer
        }
        let refused = receive(wait: .zero).wait(upTo: .seconds(30)) { $0 }
        #expect(throws: SQSError.overLimit) { try refused?.get() }
        let empty = receive(wait: .milliseconds(50)).wait(upTo: .seconds(30)) { $0 }
        #expect(try empty?.get().isEmpty == true)
        // One of those in flight is done with: the next message has room.
        try fixture.wait(1)
        try fixture.send(["a"], by: fixture.queues)
        try queue.commit { try $0.append(QueueRecord.delete([Place(n: 10_000, index: 0)])) }
        #expect(fixture.received(1) == ["a"])
    }

    @Test("a thread that waits there gets what comes back, and nothing if nothing does")
    func threadAtLimit() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let queue = try fixture.queues.queue("Q")
        try fixture.send(["a"], by: fixture.queues)
        try #require(try queue.receive(upTo: 1, timeoutSeconds: 2, wait: .zero).count == 1)
        try Self.fill(queue, visibleAt: Timestamp(milliseconds: 4_000_000_000_000), room: 1)
        let deliveries = try queue.receive(upTo: 1, wait: .seconds(20))
        #expect(deliveries.map(\.body) == [Array("a".utf8)])
        #expect(try queue.receive(upTo: 1, wait: .milliseconds(10)).isEmpty)
        #expect(throws: SQSError.overLimit) { try queue.receive(upTo: 1, wait: .zero) }
    }

    @Test("who waits for a queue that is removed is told")
    func removed() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let failure = ThreadCondition<(any Error)?>(nil)
        let isWaiting = ThreadCondition(false)
        fixture.polls.receive(
            from: try fixture.queues.queue("Q"), LongPolls.Wish(limit: 1, wait: .seconds(20))
        ) { _ in
            isWaiting.withLock { $0 = true }
            isWaiting.signal()
        } completion: { result in
            if case .failure(let error) = result { failure.withLock { $0 = error } }
            failure.signal()
        }
        _ = isWaiting.wait { $0 ? true : nil }
        try QueueDirectory(stateDirectory: fixture.folder.path).remove("Q", force: true)
        let error = failure.wait(upTo: .seconds(30)) { $0 }
        #expect(SQSError(try #require(error)) == .queueDoesNotExist)
    }

    @Test("whose time is up goes home, however much is sent meanwhile that it cannot have")
    func busy() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        var settings = QueueSettings()
        settings.isFIFO = true
        try fixture.queues.create("F.fifo", settings)
        let queue = try fixture.queues.queue("F.fifo")
        let serial = Atomic(0)
        let send: @Sendable () throws -> Void = {
            let number = serial.add(1, ordering: .relaxed).newValue
            var entry = SendEntry(escapedBody: Array("m".utf8), size: 1)
            entry.group = "g"
            entry.deduplicationID = "\(number)"
            _ = try queue.send([entry])
        }
        try send()
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero).count == 1)
        // A look waits for the disk; something comes during each.
        let isOver = Atomic(false)
        let senders = try (0..<4).map { _ in
            try Thread(name: "sender") {
                while !isOver.load(ordering: .acquiring) { try? send() }
            }
        }
        defer { for sender in senders { sender.join() } }
        defer { isOver.store(true, ordering: .releasing) }
        fixture.polls.receive(from: queue, LongPolls.Wish(limit: 1, wait: .seconds(1))) { _ in
        } completion: { [tally = fixture.tally] in
            tally.completion($0)
        }
        let isAnswered = fixture.tally.empty.wait(upTo: .seconds(15)) { $0 > 0 ? true : nil }
        #expect(isAnswered == true)
    }
}
