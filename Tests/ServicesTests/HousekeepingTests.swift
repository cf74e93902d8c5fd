import Journal
import QueueModel
import TestSupport
import Testing

@testable import Services

/// What a server does for queues that nobody uses.
@Suite struct HousekeepingTests {
    private func queues(_ folder: TemporaryFolder, _ clock: SteppedClock) -> QueueDirectory {
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        return QueueDirectory(stateDirectory: folder.path, environment: environment)
    }

    @Test("what has expired ends, although nobody looks")
    func expiry() throws {
        let folder = try TemporaryFolder("house")
        let clock = SteppedClock()
        let queues = queues(folder, clock)
        var settings = QueueSettings()
        settings.retentionSeconds = 60
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        _ = try queue.send([SendEntry(escapedBody: [0x61], size: 1)])
        try queues.keepHouse("Q")
        #expect(try queue.messageCount == 1)
        clock.step(.seconds(61))
        try queues.keepHouse("Q")
        #expect(try queue.messageCount == 0)
        #expect(try queue.statistics().counters.expired == 1)
    }

    @Test("dead letters go to their queue, although nobody receives")
    func deadLetters() throws {
        let folder = try TemporaryFolder("house")
        let clock = SteppedClock()
        let queues = queues(folder, clock)
        try queues.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        _ = try queue.send([SendEntry(escapedBody: [0x61], size: 1)])
        #expect(try queue.receive(upTo: 1).count == 1)
        clock.step(.seconds(31))
        try queues.keepHouse("Q")
        #expect(try queue.messageCount == 0)
        #expect(try queues.queue("D").messageCount == 1)
    }

    @Test("where there is nothing to do, nothing is written")
    func idle() throws {
        let folder = try TemporaryFolder("house")
        let clock = SteppedClock()
        let queues = queues(folder, clock)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        let before = try queue.statistics().journalBytes
        try queues.keepHouse("Q")
        #expect(try !queues.hasActiveMoveTask("Q"))
        #expect(try queue.statistics().journalBytes == before)
    }
}
