import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// Dead letters whose process died on the way: who looks where they go finds them.
@Suite struct ArrivalTests {
    private static let dead: Int32 = 7

    /// The queues as a process sees them that knows which of the others are dead.
    private func queues(
        _ folder: TemporaryFolder, process: Int32 = 8, isDead: Bool = true
    ) -> QueueDirectory {
        var environment = QueueEnvironment()
        environment.processID = process
        environment.isRunning = { $0 != Self.dead || !isDead }
        return QueueDirectory(stateDirectory: folder.path, environment: environment)
    }

    /// A dead letter that nobody carries out: as if the process had died here.
    private func leave(_ folder: TemporaryFolder) throws {
        let queues = queues(folder, process: Self.dead)
        try queues.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        _ = try queue.send([SendEntry(escapedBody: [0x61], size: 1)])
        #expect(try queue.receive(upTo: 1, timeoutSeconds: 0).count == 1)
        #expect(try queue.receive(upTo: 1).isEmpty)
    }

    private func marks(_ folder: TemporaryFolder) throws -> [String] {
        try FileSystem.list("\(folder.path)/queues/D").filter { $0.hasPrefix("arriving-") }
    }

    @Test("a receiver finds it, and nobody needs to open the queue that it comes from")
    func received() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        #expect(try marks(folder) == ["arriving-Q"])
        let later = queues(folder)
        let found = try later.queue("D").receive(upTo: 1, wait: .zero, movingTo: later)
        #expect(found.count == 1)
        #expect(try marks(folder) == [])
        #expect(later.finishArrivals(at: "D") == false)
        #expect(try later.queue("D").receive(upTo: 1, wait: .zero, movingTo: later).isEmpty)
    }

    @Test("while its process lives it is left to that")
    func alive() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        let later = queues(folder, isDead: false)
        #expect(later.finishArrivals(at: "D") == false)
        #expect(later.opened("Q") == nil)
        #expect(try marks(folder) == ["arriving-Q"])
    }

    @Test("once it is there the folder does not say so any more, nor of a queue that is gone")
    func cleared() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        let later = queues(folder)
        try later.keepHouse("Q")
        #expect(try marks(folder) == [])
        let stale = "\(folder.path)/queues/D/arriving-"
        for giver in ["Q", "Gone"] {
            try FileSystem.replace(stale + giver, with: Array("\(Self.dead)\n".utf8))
        }
        #expect(later.finishArrivals(at: "D"))
        #expect(try marks(folder) == [])
        #expect(try later.queue("D").messageCount == 1)
    }

    @Test("a redrive that was cut is found by who receives what comes back")
    func redriven() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        let first = queues(folder, process: Self.dead)
        first.finishArrivals(at: "D")
        let task = try first.startMoveTask(from: "D", to: nil, rate: nil)
        #expect(try first.queue("D").moveBatch(of: task.id, upTo: 10) { $0 } == 1)
        let later = queues(folder)
        let back = try later.queue("Q").receive(upTo: 1, wait: .zero, movingTo: later)
        #expect(back.count == 1)
    }
}
