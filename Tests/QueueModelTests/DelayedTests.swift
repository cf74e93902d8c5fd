import JSON
import Testing

@testable import QueueModel

/// More delayed messages than the state holds.
@Suite struct DelayedTests {
    private func bench(isFIFO: Bool = false, delay: Int64 = 0) throws -> QueueBench {
        var settings = QueueSettings()
        settings.isFIFO = isFIFO
        settings.delaySeconds = delay
        var bench = try QueueBench(settings)
        bench.heldWaiting = 3
        bench.comparesEachStep = false
        return bench
    }

    private func entry(_ delay: Int64?, group: String? = nil, id: String? = nil) -> SendEntry {
        var entry = SendEntry(escapedBody: [UInt8(ascii: "b")], size: 1)
        entry.delaySeconds = delay
        entry.group = group
        entry.deduplicationID = id
        return entry
    }

    @Test("whatever is delayed beyond a few is not in the state, and counted to the second")
    func bounded() throws {
        var bench = try bench()
        for batch in 0..<100 {
            for outcome in bench.send((0..<10).map { entry(Int64(1 + (batch + $0) % 50)) }) {
                _ = try outcome.get()
            }
        }
        #expect(bench.state.heldCount == 3)
        #expect(bench.state.counts(at: bench.now).delayed == 1000)
        bench.checkBase()
        var delays = (0..<100).flatMap { batch in (0..<10).map { 1 + (batch + $0) % 50 } }
        delays.sort()
        let start = bench.now
        for second in 1...50 {
            bench.now = start + .seconds(Int64(second))
            let due = UInt64(delays.count { $0 <= second })
            #expect(
                bench.state.counts(at: bench.now)
                    == QueueState.Counts(visible: due, inFlight: 0, delayed: 1000 - due))
        }
        var received: Set<String> = []
        while case let messages = try bench.receive(10, timeout: 600), !messages.isEmpty {
            received.formUnion(messages.map(\.entry.messageID))
        }
        #expect(received.count == 1000)
        #expect(bench.state.counts(at: bench.now).inFlight == 1000)
        #expect(bench.state.streamed == 0)
        bench.checkBase()
    }

    @Test("a second's messages come in the order in which they were sent, none before its time")
    func order() throws {
        var bench = try bench()
        for delay: Int64 in [9, 9, 9, 5, 2, 5, 2] { try bench.send("b", delay: delay) }
        #expect(bench.state.nextWake(after: bench.now) == bench.now + .seconds(2))
        #expect(try bench.receive(10).isEmpty)
        bench.now = bench.now + .milliseconds(1999)
        #expect(try bench.receive(10).isEmpty)
        bench.now = bench.now + .milliseconds(1)
        #expect(try bench.receive(10).map(\.entry.messageID) == ["m5", "m7"])
        bench.now = bench.now + .seconds(60)
        #expect(try bench.receive(10).map(\.entry.messageID).suffix(2) == ["m4", "m6"])
    }

    @Test("what nobody receives becomes one lane, however long that goes on")
    func overdue() throws {
        var bench = try bench(delay: 5)
        for _ in 0..<5000 {
            try bench.send("b")
            bench.now = bench.now + .seconds(1)
        }
        #expect(bench.state.delayed.lanes.count <= 7)
        #expect(bench.state.heldCount == 3)
        bench.checkBase()
        var ids: [String] = []
        for _ in 0..<500 { ids += try bench.receive(10, timeout: 43_200).map(\.entry.messageID) }
        #expect(ids.prefix(4990) == (1...4990).map { "m\($0)" }[...])
    }

    @Test("a receive looks at no more than it takes, however many are delayed")
    func looksAtFew() throws {
        var bench = try bench(delay: 900)
        for _ in 0..<200 { _ = bench.send((0..<10).map { _ in entry(nil) }) }
        _ = try bench.receive(10)
        try bench.send("now", delay: 0)
        #expect(try bench.receive(10).count == 1)
        #expect(bench.reads.count <= 2)
        bench.now = bench.now + .seconds(900)
        while try !bench.receive(10, timeout: 43_200).isEmpty {}
        #expect(bench.state.counts(at: bench.now).inFlight == 2001)
        #expect(bench.reads.count <= 2 * 2001 + 20)
    }

    @Test("a message that waits behind more delayed ones than a receive looks at is found")
    func farBehind() throws {
        var bench = try bench()
        try bench.send("first")
        for _ in 0..<1100 { _ = bench.send((0..<10).map { _ in entry(900) }) }
        try bench.send("last")
        #expect(try bench.receive(1).count == 1)
        var found: [String] = []
        for _ in 0..<3 { found += try bench.receive(1).map(\.entry.messageID) }
        #expect(found == ["m11002"])
    }

    @Test(
        "FIFO: another delay counts for what is delayed already; what comes, stands behind it",
        arguments: [0, 1, 10, 29, 30, 31, 600] as [Int64])
    func fifo(delay: Int64) throws {
        var bench = try bench(isFIFO: true, delay: 30)
        for number in 0..<10 { try bench.send("b", group: "g", dedup: "a\(number)") }
        #expect(bench.state.heldCount == 3)
        bench.now = bench.now + .seconds(10)
        set(&bench) { $0.delaySeconds = delay }
        bench.checkBase()
        for number in 0..<5 { try bench.send("b", group: "g", dedup: "b\(number)") }
        try bench.send("b", group: "h", dedup: "c")
        func counts() -> QueueState.Counts { bench.state.counts(at: bench.now) }
        #expect(counts().delayed == (delay == 0 ? 0 : delay <= 10 ? 6 : 16))
        #expect(bench.state.nextWake(after: bench.now + .seconds(delay + 1)) == nil)
        if delay > 10 {
            bench.now = bench.now + .seconds(delay - 10) - .milliseconds(1)
            #expect(try bench.receive(10).isEmpty)
            bench.now = bench.now + .milliseconds(1)
            #expect(counts().visible == 10)
        }
        bench.now = bench.now + .seconds(min(delay, 10) + 1)
        #expect(counts().visible == 16)
        var ids: [String] = []
        while case let messages = try bench.receive(10), !messages.isEmpty {
            ids += messages.map(\.entry.messageID)
            for message in messages { try bench.delete(message.handle.text) }
        }
        #expect(ids == (1...16).map { "m\($0)" })
    }

    @Test("FIFO: delays that are changed again and again", arguments: [0, 1000])
    func changes(heldWaiting: Int) throws {
        var bench = try bench(isFIFO: true, delay: 900)
        bench.heldWaiting = heldWaiting
        let start = bench.now
        for (second, delay) in [(0, 10), (5, 100), (20, 50), (40, 900), (60, 20)] as [(_, Int64)] {
            bench.now = start + .seconds(Int64(second))
            try bench.send("b", group: "g\(second)", dedup: "\(second)")
            set(&bench) { $0.delaySeconds = delay }
            bench.checkBase()
        }
        // Sent at 0, 5, 20, 40 and 60; what was visible once stays so.
        #expect(try bench.receive(10).map(\.entry.messageID) == ["m1", "m2", "m3", "m4"])
        bench.now = start + .milliseconds(79_999)
        #expect(try bench.receive(10).isEmpty)
        bench.now = start + .seconds(80)
        #expect(try bench.receive(10).map(\.entry.messageID) == ["m5"])
    }

    @Test("FIFO: another delay counts from when a message was sent, also behind a repair")
    func repaired() throws {
        var bench = try bench(isFIFO: true, delay: 900)
        let sent = bench.now
        bench.now = sent + .seconds(800)
        var message = QueueRecord.NewMessage(messageID: "m", escapedBody: [])
        message.group = "g"
        message.sent = sent
        message.delaySeconds = 100
        bench.append(.send([message]))
        set(&bench) { $0.delaySeconds = 850 }
        #expect(try bench.receive().isEmpty)
        bench.now = sent + .seconds(850)
        #expect(try bench.receive().map(\.entry.messageID) == ["m"])
    }

    @Test("a standard queue's delay counts for what comes alone")
    func standard() throws {
        var bench = try bench(delay: 60)
        for _ in 0..<5 { try bench.send("b") }
        set(&bench) { $0.delaySeconds = 0 }
        #expect(bench.state.counts(at: bench.now).delayed == 5)
        #expect(try bench.receive(10).isEmpty)
    }

    @Test("a retention period that ends before the delay does")
    func expires() throws {
        var bench = try bench()
        var settings = bench.state.settings
        settings.retentionSeconds = 60
        bench.append(.set(settings))
        for _ in 0..<20 { try bench.send("b", delay: 900) }
        bench.now = bench.now + .seconds(61)
        bench.sweep()
        #expect(bench.state.counts(at: bench.now).delayed == 0)
        #expect(bench.state.isEmpty)
        #expect(bench.state.counters.expired == 20)
        bench.checkBase()
    }

    @Test func purged() throws {
        var bench = try bench()
        for _ in 0..<20 { try bench.send("b", delay: 10) }
        bench.append(try bench.state.purge("Q", at: bench.now))
        bench.now = bench.now + .seconds(20)
        #expect(try bench.receive(10).isEmpty)
        #expect(bench.state.isEmpty)
        bench.checkBase()
    }

    private func set(_ bench: inout QueueBench, _ change: (inout QueueSettings) -> Void) {
        var settings = bench.state.settings
        change(&settings)
        bench.append(bench.state.change(to: settings))
    }

    @Test("what expired of a lane is gone once, also where an earlier lane came since")
    func begun() throws {
        var bench = try bench()
        bench.heldWaiting = 0
        set(&bench) { $0.retentionSeconds = 60 }
        let start = bench.now
        try bench.send("A", delay: 66)
        try bench.send("B", delay: 65)
        bench.now = start + .seconds(50)
        let third = try bench.send("C", delay: 15).messageID
        bench.now = start + .seconds(61)
        bench.sweep()
        bench.now = start + .milliseconds(61_500)
        let fourth = try bench.send("D", delay: 1).messageID
        bench.now = start + .seconds(67)
        let fifth = try bench.send("E").messageID
        var ids: Set<String> = []
        while case let messages = try bench.receive(10, timeout: 600), !messages.isEmpty {
            ids.formUnion(messages.map(\.entry.messageID))
        }
        #expect(ids == [third, fourth, fifth])
        #expect(bench.state.counters.expired == 2)
        bench.checkBase()
    }

    @Test("FIFO: what comes from another queue waits behind the delayed ones")
    func arrives() throws {
        var bench = try bench(isFIFO: true)
        bench.heldWaiting = 2
        try bench.send("a", group: "g", dedup: "a")
        try bench.send("b", group: "h", dedup: "b")
        let open = try bench.receive(2, timeout: 600)
        set(&bench) { $0.delaySeconds = 30 }
        let delayed = try bench.send("d", group: "g", dedup: "d").messageID
        var entry = SendEntry(escapedBody: [UInt8(ascii: "t")], size: 1)
        entry.group = "g"
        entry.deduplicationID = "t"
        var (taken, _) = bench.state.send(
            [entry], at: bench.now, n: UInt64(bench.log.count), newID: { MessageID("taken") },
            heldWaiting: 2)
        taken[0].delaySeconds = 0
        taken[0].due = nil
        let arriving = bench.state.arriving(taken, at: bench.now)
        bench.append(.take(from: "other", number: 1, arriving))
        #expect(try bench.receive(10).isEmpty)
        bench.now = bench.now + .seconds(31)
        #expect(try bench.receive(10).isEmpty)
        try bench.delete(open[0].handle.text)
        for id in [delayed, "taken"] {
            let received = try bench.receive(1)
            #expect(received.map(\.entry.messageID) == [id])
            for message in received { try bench.delete(message.handle.text) }
        }
        #expect(bench.state.streamed == 0)
        bench.checkBase()
    }

    @Test("FIFO: a delayed message does not overtake what waited before it")
    func delayComesLater() throws {
        var bench = try bench(isFIFO: true)
        bench.heldWaiting = 2
        try bench.send("x", group: "h", dedup: "x")
        #expect(try bench.receive(1, timeout: 600).count == 1)
        let early = try bench.send("u", group: "g", dedup: "u").messageID
        set(&bench) { $0.delaySeconds = 30 }
        let late = try bench.send("d", group: "g", dedup: "d").messageID
        let received = try bench.receive(10)
        #expect(received.map(\.entry.messageID) == [early])
        try bench.delete(received[0].handle.text)
        bench.now = bench.now + .seconds(31)
        #expect(try bench.receive(10).map(\.entry.messageID) == [late])
    }

    @Test("FIFO: a sweep that is cut short does not end delayed messages before those in line")
    func sweepInOrder() throws {
        var bench = try bench(isFIFO: true)
        bench.heldWaiting = 0
        set(&bench) { $0.retentionSeconds = 60 }
        for number in 0..<(QueueState.sweepLimit + 1) {
            try bench.send("u", group: "g", dedup: "\(number)")
        }
        set(&bench) { $0.delaySeconds = 900 }
        try bench.send("d", group: "g", dedup: "d")
        bench.now = bench.now + .seconds(120)
        let log = bench.log
        let head = bench.state.head
        let record = try bench.state.sweep(at: bench.now) {
            QueueBench.Stream(log: log, head: head)
        }
        if let record { bench.append(record) }
        #expect(bench.state.counters.expired == UInt64(QueueState.sweepLimit))
        #expect(bench.state.delayed.count == 1)
        bench.sweep()
        #expect(bench.state.isEmpty && bench.state.delayed.count == 0)
    }
}
