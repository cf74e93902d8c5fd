import JSON
import Testing

@testable import QueueModel

@Suite struct RetentionTests {
    private func queue(_ change: (inout QueueSettings) -> Void = { _ in }) throws -> QueueBench {
        var settings = QueueSettings()
        settings.retentionSeconds = 60
        change(&settings)
        return try QueueBench(settings)
    }

    @Test("what nobody reads expires: in counts at once, in the state with the next write")
    func unread() throws {
        var queue = try queue()
        for _ in 0..<50 {
            try queue.send("a")
            queue.now = queue.now + .seconds(1)
        }
        queue.now = queue.now + .seconds(30)
        // Sent at 0, 1, … 49; it is 80 now.
        #expect(queue.counts().visible == 29)
        #expect(queue.state.messageCount == 50)
        queue.sweep()
        #expect(queue.state.messageCount == 29)
        #expect(queue.state.counters.expired == 21)
        queue.now = queue.now + .seconds(29)
        #expect(
            queue.state.oldestInStream(at: queue.now).map { queue.now - $0 <= .seconds(60) } == true
        )
        queue.now = queue.now + .seconds(1)
        #expect(queue.counts().visible == 0)
        queue.sweep()
        #expect(queue.state.messageCount == 0)
        queue.checkBase()
    }

    @Test("what is in flight or delayed expires as well, and then its handle does nothing")
    func held() throws {
        var queue = try queue()
        try queue.send("a")
        let message = try #require(try queue.receive(timeout: 600).first)
        try queue.send("b", delay: 300)
        #expect(queue.counts().inFlight == 1)
        #expect(queue.counts().delayed == 1)
        queue.now = queue.now + .seconds(61)
        #expect(queue.counts().inFlight == 0)
        #expect(queue.counts().delayed == 0)
        #expect(queue.state.oldestHeld(at: queue.now) == nil)
        queue.sweep()
        #expect(queue.state.messageCount == 0)
        try queue.delete(message.handle.text)
        #expect(queue.state.counters.deleted == 0)
    }

    @Test("who looks at the clock before another writes, and counts after it, gets a count")
    func countedLate() throws {
        let retention: Int64 = 3600
        var queue = try queue { $0.retentionSeconds = retention }
        let width = SentTimes(retentionSeconds: retention).width
        // What is sent when a slot begins may expire a slot before a write ends it.
        queue.now = Timestamp(milliseconds: 100 * width)
        let start = queue.now
        try queue.send("a")
        queue.now = start + .seconds(retention - 10)
        _ = try queue.receive(timeout: 15)
        queue.now = start + .seconds(retention + 5) + .milliseconds(1)
        try queue.send("b")
        for late in [0, 2, 5000] as [Int64] {
            let counts = queue.state.counts(at: queue.now - .milliseconds(late))
            #expect(counts == .init(visible: 1, inFlight: 0, delayed: 0), "\(late)")
        }
    }

    @Test("a dead-letter queue's messages keep their sent times, and do not expire in order")
    func outOfOrder() throws {
        var queue = try queue()
        func moved(_ id: String, sent: Duration) -> QueueRecord.NewMessage {
            var message = QueueRecord.NewMessage(messageID: id, escapedBody: [0x61])
            message.sent = queue.now - sent
            message.receiveCount = 3
            return message
        }
        queue.append(
            .take(
                from: "Q@1", number: 1,
                [moved("young", sent: .seconds(1)), moved("old", sent: .seconds(50))]))
        #expect(queue.counts().visible == 2)
        queue.now = queue.now + .seconds(11)
        #expect(queue.counts().visible == 1, "known without passing the young one")
        #expect(try queue.receive(10).map(\.entry.messageID) == ["young"])
        #expect(queue.state.messageCount == 1)
        #expect(queue.state.oldestHeld(at: queue.now) == queue.now - .seconds(11), "from the move")
    }

    @Test("a change of the period holds for what is there")
    func changed() throws {
        var queue = try queue()
        for _ in 0..<20 { try queue.send("a") }
        var settings = queue.state.settings
        settings.retentionSeconds = 600
        queue.append(.set(settings))
        queue.now = queue.now + .seconds(300)
        #expect(queue.counts().visible == 20)
        settings.retentionSeconds = 120
        queue.append(.set(settings))
        #expect(queue.counts().visible == 0)
        queue.sweep()
        #expect(queue.state.messageCount == 0)
    }

    @Test("slots stay few, and their counts true within a slot")
    func slots() {
        var times = SentTimes(retentionSeconds: 1_209_600)
        var exact: [Int64] = []
        var state: UInt64 = 7
        for step in Int64(0)..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            let late = state >> 33 & 15 == 0 ? Int64(state >> 40) % 1_000_000_000 : 0
            let time = 1_700_000_000_000 + step * 120_000 - late
            times.add(Timestamp(milliseconds: time))
            exact.append(time)
        }
        #expect(times.slots.count <= 512)
        #expect(times.count == 20_000)
        #expect(times.slots.map(\.key) == times.slots.map(\.key).sorted())
        let limit = 1_700_000_000_000 + 19_999 * 120_000 - Int64(1_209_600_000)
        let known = Int(times.count(upTo: Timestamp(milliseconds: limit)))
        #expect(known <= exact.count { $0 <= limit })
        #expect(known >= exact.count { $0 <= limit - times.width })
    }
}
