import JSON
import Testing

@testable import QueueModel

@Suite struct AttemptTests {
    private func fifo() throws -> QueueBench {
        var settings = QueueSettings()
        settings.isFIFO = true
        var queue = try QueueBench(settings)
        for body in ["1", "2", "3"] { try queue.send(body, group: "g", dedup: body) }
        return queue
    }

    @Test("the same attempt gives the same messages and handles, hidden anew")
    func same() throws {
        var queue = try fifo()
        let first = try queue.receive(2, timeout: 30, attempt: "a")
        #expect(first.count == 2)
        queue.now = queue.now + .seconds(20)
        #expect(try queue.receive(2, timeout: 30, attempt: "a") == first)
        queue.checkBase()
        queue.now = queue.now + .seconds(29)
        #expect(try queue.receive(10).isEmpty, "the retry renewed the visibility timeout")
        #expect(try queue.receive(2, timeout: 30, attempt: "a") == first)
        #expect(try queue.receive(10, attempt: "b").isEmpty, "another attempt is another receive")
        try queue.delete(first[1].handle.text)
        #expect(try queue.receive(10, attempt: "a").isEmpty, "a message was deleted: a new receive")
        queue.checkBase()
    }

    @Test("a changed visibility timeout ends it, and so do five minutes")
    func ended() throws {
        var queue = try fifo()
        let first = try queue.receive(1, timeout: 400, attempt: "a")
        queue.now = queue.now + .seconds(299)
        #expect(try queue.receive(1, timeout: 400, attempt: "a") == first)
        try queue.changeVisibility(first[0].handle.text, to: 300)
        queue.now = queue.now + .milliseconds(1)
        #expect(try queue.receive(1, attempt: "a").isEmpty)
        var other = try fifo()
        _ = try other.receive(1, timeout: 400, attempt: "a")
        other.now = other.now + .seconds(300)
        #expect(try other.receive(1, attempt: "a").isEmpty)
    }

    @Test("received by another meanwhile: a new receive")
    func receivedAgain() throws {
        var queue = try fifo()
        let first = try queue.receive(1, timeout: 10, attempt: "a")
        queue.now = queue.now + .seconds(10)
        #expect(try queue.receive(1, timeout: 10).first?.receiveCount == 2)
        #expect(try queue.receive(1, attempt: "a").isEmpty)
        #expect(first.count == 1)
    }

    @Test("a thousand are remembered")
    func bounded() throws {
        var queue = try fifo()
        queue.comparesEachStep = false
        for number in 0..<1100 { _ = try queue.receive(1, timeout: 0, attempt: "\(number)") }
        queue.checkBase()
        #expect(queue.state.attempts.order.count <= 1000)
    }
}
