import TestSupport
import Testing

@testable import QueueModel
@testable import Services

/// Counts of messages that a FIFO queue's head has passed, and of those behind them.
@Suite struct PassedCountsTests {
    @Test("an expired message behind passed ones of its group is left out once")
    func once() throws {
        let folder = try TemporaryFolder("passed")
        let clock = SteppedClock()
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        environment.heldWaiting = 1
        let directory = QueueDirectory(stateDirectory: folder.path, environment: environment)
        var settings = QueueSettings()
        settings.isFIFO = true
        settings.durability = .os
        settings.retentionSeconds = 60
        try directory.create("F.fifo", settings)
        let queue = try directory.queue("F.fifo")
        func send(_ id: String, _ group: String) throws {
            var entry = SendEntry(escapedBody: Array(id.utf8), size: id.utf8.count)
            entry.group = group
            entry.deduplicationID = id
            for outcome in try queue.send([entry]) { _ = try outcome.get() }
        }
        try send("first", "g")
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero).count == 1)
        try send("passed", "g")
        #expect(try queue.receive(upTo: 1, wait: .zero).isEmpty)
        try send("behind", "g")
        clock.step(.seconds(50))
        try send("young", "h")
        clock.step(.seconds(11))
        #expect(try queue.statistics().counts == .init(visible: 1, inFlight: 0, delayed: 0))
        #expect(try queue.receive(upTo: 10, wait: .zero).count == 1)
    }
}
