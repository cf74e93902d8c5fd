import JSON
import Testing

@testable import QueueModel

@Suite struct FairTests {
    private func entry(_ group: String?) -> SendEntry {
        var entry = SendEntry(escapedBody: [0x61], size: 1)
        entry.group = group
        return entry
    }

    /// Sends `count` messages of a tenant; returns their ids in order.
    private func send(
        _ count: Int, _ group: String?, to queue: inout QueueBench
    ) throws -> [String] {
        var ids: [String] = []
        while ids.count < count {
            let batch = [SendEntry](repeating: entry(group), count: min(10, count - ids.count))
            ids += try queue.send(batch).map { try $0.get().messageID }
        }
        return ids
    }

    private func receive(_ count: Int, _ queue: inout QueueBench) throws -> [ReceivedMessage] {
        var messages: [ReceivedMessage] = []
        while messages.count < count {
            let some = try queue.receive(min(10, count - messages.count), timeout: 300)
            guard !some.isEmpty else { break }
            messages += some
        }
        return messages
    }

    @Test("behind 100,000 messages of a noisy tenant, a quiet one's is received next")
    func dwellTime() throws {
        var queue = try QueueBench()
        queue.isReplayed = false
        var loud = try send(100_000, "A", to: &queue)[...]
        var inFlight = try receive(40, &queue)
        #expect(inFlight.map(\.entry.messageID) == Array(loud.prefix(40)))
        loud = loud.dropFirst(40)
        /// One step of busy consumers: ten are done, ten more are taken.
        func step() throws -> [ReceivedMessage] {
            queue.append(.delete(inFlight.prefix(10).map(\.entry.place)))
            inFlight.removeFirst(10)
            let next = try queue.receive(10, timeout: 300)
            inFlight += next
            queue.now = queue.now + .milliseconds(100)
            return next
        }
        for _ in 0..<10 {
            #expect(try step().map(\.entry.messageID) == Array(loud.prefix(10)))
            loud = loud.dropFirst(10)
        }
        // The head has gone past them all: the state has a cursor and a count of that.
        #expect(queue.state.fair.passed["A"]?.count == UInt64(loud.count))
        #expect(queue.state.heldCount == 40)
        #expect(queue.state.base.members.count < 20_000)
        for number in 0..<50 {
            let quiet = try send(1, "B\(number % 3)", to: &queue)
            let next = try step().map(\.entry.messageID)
            #expect(next == quiet + loud.prefix(9), "dwell time: one receive, each time")
            loud = loud.dropFirst(9)
        }
        let groups = queue.state.groupCounts(at: queue.now)
        guard case .fair(noisy: 1, visibleInQuiet: 0, let inFlight) = groups else {
            Issue.record("\(String(describing: groups))")
            return
        }
        #expect(inFlight < queue.state.counts(at: queue.now).inFlight)
        queue.checkBase(replays: false)
        // All the rest comes, in order, once.
        while true {
            let next = try step()
            guard !next.isEmpty else { break }
            #expect(next.map(\.entry.messageID) == Array(loud.prefix(10)))
            loud = loud.dropFirst(10)
        }
        #expect(loud.isEmpty)
        #expect(queue.state.fair.passed.isEmpty)
    }

    @Test("among noisy tenants the one with the fewest in flight is first")
    func amongNoisy() throws {
        var queue = try QueueBench()
        _ = try send(60, "A", to: &queue)
        _ = try send(35, "C", to: &queue)
        #expect(try receive(95, &queue).count == 95)
        _ = try send(10, "A", to: &queue)
        let more = try send(10, "C", to: &queue)
        let quiet = try send(2, "B", to: &queue)
        #expect(try queue.receive(10).map(\.entry.messageID) == quiet + more.prefix(8))
        // 60 against 43: C's last two, then A's.
        #expect(
            try queue.receive(10).map(\.entry.group) == ["C", "C"]
                + [String](repeating: "A", count: 8))
        #expect(try queue.receive(10).count == 2)
        queue.checkBase()
    }

    @Test("after five minutes without a send a tenant is quiet again, and its backlog comes first")
    func quietAgain() throws {
        var queue = try QueueBench()
        _ = try send(40, "A", to: &queue)
        let inFlight = try receive(40, &queue)
        let backlog = try send(20, "A", to: &queue)
        #expect(
            try queue.receive(5, timeout: 3600).map(\.entry.messageID) == Array(backlog.prefix(5)))
        #expect(queue.state.fair.passed["A"]?.count == 15)
        for message in inFlight { try queue.delete(message.handle.text) }
        let quiet = try send(3, "B", to: &queue)
        func receiveOne() throws -> String? {
            try queue.receive(1, timeout: 3600).first?.entry.messageID
        }
        #expect(try receiveOne() == quiet[0], "A has a backlog still")
        queue.now = queue.now + .seconds(299)
        #expect(try receiveOne() == quiet[1])
        queue.now = queue.now + .seconds(1)
        let rest = try queue.receive(10, timeout: 3600).map(\.entry.messageID)
        #expect(rest == Array(backlog[5..<15]))
        #expect(try queue.receive(10, timeout: 3600).count == 6)
        queue.checkBase()
    }

    @Test("a tenant of few, slow messages is noisy by its share of processing time")
    func slow() throws {
        var queue = try QueueBench()
        _ = try send(5, "S", to: &queue)
        #expect(try receive(5, &queue).count == 5)
        queue.now = queue.now + .seconds(20)
        let slow = try send(2, "S", to: &queue)
        let quick = try send(2, "Q", to: &queue)
        #expect(try queue.receive(10).map(\.entry.messageID) == quick + slow)
    }

    @Test("messages without a group are each their own tenant, and such a queue pays nothing")
    func noGroup() throws {
        var queue = try QueueBench()
        let plain = try send(100, nil, to: &queue)
        #expect(try receive(90, &queue).count == 90)
        queue.now = queue.now + .seconds(60)
        #expect(!queue.state.fair.isActive)
        #expect(!String(decoding: queue.state.base.members, as: UTF8.self).contains("fair"))
        let tenant = try send(1, "A", to: &queue)
        #expect(try queue.receive(10).map(\.entry.messageID) == Array(plain.suffix(10)))
        #expect(try queue.receive(10).map(\.entry.messageID) == tenant)
    }

    @Test("what expires among the passed messages is ended and not counted")
    func retention() throws {
        var settings = QueueSettings()
        settings.retentionSeconds = 60
        var queue = try QueueBench(settings)
        _ = try send(40, "A", to: &queue)
        _ = try receive(40, &queue)
        _ = try send(50, "A", to: &queue)
        queue.now = queue.now + .seconds(20)
        let late = try send(5, "A", to: &queue)
        #expect(try queue.receive(1).count == 1)
        #expect(queue.state.fair.passed["A"]?.count == 54)
        queue.now = queue.now + .seconds(41)
        #expect(queue.counts().visible == 5)
        queue.sweep()
        #expect(queue.state.messageCount == 5)
        #expect(queue.state.counters.expired == 90)
        #expect(try queue.receive(10).map(\.entry.messageID) == late)
        queue.checkBase()
    }

    @Test("a hole among the passed messages hides nothing that comes later")
    func hole() throws {
        var queue = try QueueBench()
        queue.comparesEachStep = false
        _ = try send(1, "A", to: &queue)
        var handle = ""
        for _ in 0..<3 { handle = try queue.receive(1, timeout: 0)[0].handle.text }
        _ = try send(30, "A", to: &queue)
        for _ in 0..<3 { #expect(try queue.receive(10, timeout: 600).count == 10) }
        let quiet = try send(1, "B", to: &queue)
        let first = try queue.receive(1, timeout: 600)
        #expect(first.map(\.entry.messageID) == quiet)
        // It was put back, and passed.
        try queue.delete(handle)
        let last = try send(1, "B", to: &queue)
        try queue.changeVisibility(first[0].handle.text, to: 0)
        #expect(try queue.receive(1, timeout: 600).map(\.entry.messageID) == quiet)
        #expect(try queue.receive(1, timeout: 600).map(\.entry.messageID) == last)
        queue.checkBase()
    }
}
