import Journal
import QueueModel
import TestSupport
import Testing

@testable import Services

@Suite struct RedriveAllowTests {
    private func source(of target: String) -> QueueSettings {
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: target, maxReceiveCount: 1)
        return settings
    }

    @Test("a dead-letter queue takes from whom it allows", arguments: [true, false])
    func allowed(byName: Bool) throws {
        let folder = try TemporaryFolder("allow")
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.redriveAllow = byName ? .queues(["A"]) : .none
        try queues.create("D", settings)
        #expect(throws: QueueError.self) { try queues.create("B", source(of: "D")) }
        try queues.create("B", QueueSettings())
        #expect(throws: QueueError.self) { try queues.set("B", source(of: "D")) }
        #expect(try queues.queue("B").settings.redrivePolicy == nil)
        if byName { try queues.create("A", source(of: "D")) }
        let kept = try QueueDirectory(stateDirectory: folder.path).queue("D").settings
        #expect(kept.redriveAllow == settings.redriveAllow)
    }

    @Test("dead letters that are not allowed any more wait, and come when they are again")
    func withdrawn() throws {
        let folder = try TemporaryFolder("withdrawn")
        defer { withExtendedLifetime(folder) {} }
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("D", QueueSettings())
        try queues.create("Q", source(of: "D"))
        var settings = QueueSettings()
        settings.redriveAllow = .none
        try queues.set("D", settings)
        let queue = try queues.queue("Q")
        _ = try queue.send([SendEntry(escapedBody: [0x61], size: 1)])
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 0).count == 1)
        #expect(try queue.receive(upTo: 1, movingTo: queues).isEmpty)
        #expect(try queues.queue("D").messageCount == 0)
        #expect(try queue.messageCount == 1, "nothing is lost")
        try queues.set("D", QueueSettings())
        #expect(try queue.receive(upTo: 1, movingTo: queues).isEmpty)
        #expect(try queues.queue("D").messageCount == 1)
    }
}
