import Foundation
import JSON
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

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
}
