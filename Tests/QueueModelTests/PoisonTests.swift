import JSON
import QueueModel
import Testing

@Suite struct PoisonTests {
    /// Receives everything, `times` over, and lets it come back.
    private func receiveAll(_ queue: inout QueueBench, times: Int) throws -> [ReceivedMessage] {
        var last: [ReceivedMessage] = []
        for _ in 0..<times {
            last = []
            while case let some = try queue.receive(10, timeout: 30), !some.isEmpty { last += some }
            queue.now = queue.now + .seconds(30)
        }
        return last
    }

    @Test("received three times, a message goes behind the others and stays what it was")
    func toTheBack() throws {
        var queue = try QueueBench()
        let poison = try queue.send("a")
        let first = try #require(try queue.receive(timeout: 0).first)
        for _ in 0..<2 { _ = try queue.receive(timeout: 0) }
        queue.now = queue.now + .seconds(1)
        let others = [try queue.send("b"), try queue.send("c")]
        // What stands there before the receive comes first; what comes after it, last.
        let all = try queue.receive(10)
        #expect(all.map(\.entry.messageID) == (others + [poison]).map(\.messageID))
        #expect(all.last?.receiveCount == 4)
        #expect(all.last?.entry.sent == first.entry.sent)
        #expect(all.last?.firstReceived == first.firstReceived)
        #expect(queue.log.count { if case .requeue = $0.record { true } else { false } } == 1)
        queue.checkBase()
    }

    @Test("its last handle deletes it where it waits; the stream steps over the hole")
    func oldHandle() throws {
        var queue = try QueueBench()
        for _ in 0..<3 { try queue.send("a") }
        let last = try receiveAll(&queue, times: 3)
        try queue.send("b")
        #expect(try queue.receive(1).first?.receiveCount == 1)
        #expect(queue.state.counts(at: queue.now).visible == 3, "they stand behind it")
        let error = #expect(throws: SQSError.self) {
            try queue.changeVisibility(last[1].handle.text, to: 10)
        }
        #expect(error == .messageNotInFlight)
        try queue.delete(last[1].handle.text)
        #expect(queue.state.counts(at: queue.now).visible == 2)
        queue.checkBase()
        try queue.delete(last[1].handle.text)
        let rest = try queue.receive(10)
        #expect(rest.map(\.entry.messageID) == [last[0], last[2]].map(\.entry.messageID))
        // Received again since: accepted, without deleting.
        try queue.delete(last[0].handle.text)
        #expect(queue.state.messageCount == 3)
        queue.checkBase()
    }

    @Test("the returned ones do not pile up, and none is lost or doubled")
    func bounded() throws {
        var queue = try QueueBench()
        queue.comparesEachStep = false
        for _ in 0..<300 {
            _ = queue.send(
                SendEntry(escapedBody: [0x61], size: 1), SendEntry(escapedBody: [0x62], size: 1))
        }
        let last = try receiveAll(&queue, times: 4)
        #expect(last.count == 600)
        #expect(Set(last.map(\.entry.messageID)).count == 600)
        _ = try queue.receive(1)
        #expect(queue.state.heldCount <= 10, "all others wait in the stream")
        #expect(queue.state.oldestHeld(at: queue.now) == nil, "and do not count in the age")
        queue.checkBase()
    }

    @Test("a FIFO queue keeps its order")
    func fifo() throws {
        var settings = QueueSettings()
        settings.isFIFO = true
        var queue = try QueueBench(settings)
        for body in ["1", "2"] { try queue.send(body, group: "g", dedup: body) }
        let last = try receiveAll(&queue, times: 5)
        #expect(last.map(\.entry.messageID) == ["m1", "m2"])
        #expect(last.map(\.receiveCount) == [5, 5])
    }
}
