import HTTP
import JSON
import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// Dead letters whose process died on the way: who looks where they go finds them.
@Suite struct ArrivalTests {
    /// No process has this number.
    private static let dead = Int32.max

    /// The queues as a process sees them that knows which of the others are dead.
    private func queues(
        _ folder: TemporaryFolder, process: Int32 = 8, isDead: Bool = true,
        clock: StackClock = StackClock()
    ) -> QueueDirectory {
        var environment = QueueEnvironment()
        environment.clock = clock
        environment.processID = process
        environment.isRunning = { $0 != Self.dead || !isDead }
        return QueueDirectory(stateDirectory: folder.path, environment: environment)
    }

    /// A dead letter that nobody carries out: as if the process had died here.
    private func leave(_ folder: TemporaryFolder, clock: StackClock = StackClock()) throws {
        let queues = queues(folder, process: Self.dead, clock: clock)
        try queues.create("D", QueueSettings())
        try leave(queues)
    }

    private func leave(_ queues: QueueDirectory) throws {
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

    @Test("a purge of the queue that it has left does not take it back, nor count it")
    func purgeOfTheOther() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        let purging = queues(folder, process: Self.dead)
        #expect(try purging.queue("Q").purge() == 0)
        let later = queues(folder)
        let statistics = try later.queue("Q").statistics()
        #expect(statistics.counters.purged == 0 && statistics.counters.deadLettered == 1)
        #expect(statistics.leaving == [Queue.Leaving(target: "D", messages: 1)])
        #expect(try later.queue("D").receive(upTo: 1, wait: .zero, movingTo: later).count == 1)
        #expect(try later.queue("Q").messageCount == 0)
        for name in ["D", "Q"] { #expect(try later.examine(name).damages.isEmpty) }
    }

    @Test("it arrives before the queue that it has left is removed", arguments: [false, true])
    func removalOfTheOther(force: Bool) throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        #expect(try queues(folder).remove("Q", force: force) == 0)
        let later = queues(folder)
        #expect(try later.queue("D").receive(upTo: 1, wait: .zero, movingTo: later).count == 1)
    }

    @Test("what cannot arrive keeps its queue from being removed, or goes with it")
    func removalWithoutTaker() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        let later = queues(folder)
        try later.remove("D", force: true)
        #expect {
            try later.remove("Q", force: false)
        } throws: {
            guard case QueueError.holdsMessages("Q", 1) = $0 else { return false }
            return true
        }
        #expect(try later.remove("Q", force: true) == 1)
    }

    @Test("where nobody knows whether it has arrived, its queue is not removed")
    func removalBesideDamage() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        let segment = "\(folder.path)/queues/D/00000000000000000001.jsonl"
        try FileSystem.replace(segment, with: Array("not a record\n".utf8))
        let later = queues(folder)
        #expect(throws: QueueError.self) { try later.remove("Q", force: true) }
        #expect(try later.queue("Q").messageCount == 1)
        try later.remove("D", force: true)
        #expect(try later.remove("Q", force: true) == 1)
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

    private func request(_ operation: String, _ input: String) -> HTTPRequest {
        HTTPRequest(
            method: "POST", target: "/",
            headers: ["Host": "h", "X-Amz-Target": "AmazonSQS.\(operation)"],
            body: Array("{\"QueueUrl\":\"http://h/123456789012/D\"\(input)}".utf8))
    }

    struct CallCase: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var operation: String
        var input: String
        /// What the answer says of the dead letter.
        var word: String
    }

    @Test(
        "a client of the API finds it at once",
        arguments: [
            CallCase(
                testDescription: "short poll", operation: "ReceiveMessage",
                input: #","WaitTimeSeconds":0"#, word: #""Body":"a""#),
            CallCase(
                testDescription: "long poll", operation: "ReceiveMessage",
                input: #","WaitTimeSeconds":20"#, word: #""Body":"a""#),
            CallCase(
                testDescription: "counts", operation: "GetQueueAttributes",
                input: #","AttributeNames":["All"]"#,
                word: #""ApproximateNumberOfMessages":"1""#),
        ])
    func called(_ call: CallCase) throws {
        let fixture = try HostFixture("arrivals")
        try leave(fixture.folder, clock: fixture.clock.clock)
        let endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: fixture.host)
        let answer = try #require(
            fixture.answer(request(call.operation, call.input), by: endpoint))
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.status == 200 && text.contains(call.word), "\(text)")
        #expect(try marks(fixture.folder) == [])
    }

    @Test("who waits already finds what is left meanwhile")
    func waiting() throws {
        let fixture = try HostFixture("arrivals")
        let dead = queues(fixture.folder, process: Self.dead, clock: fixture.clock.clock)
        try dead.create("D", QueueSettings())
        let isWaiting = ThreadCondition(false)
        let count = ThreadCondition<Int?>(nil)
        fixture.host.polls.receive(
            from: try fixture.queues.queue("D"), LongPolls.Wish(limit: 1, wait: .seconds(20))
        ) { _ in
            isWaiting.withLock { $0 = true }
            isWaiting.signal()
        } completion: { result in
            count.withLock { $0 = (try? result.get())?.count ?? 0 }
            count.signal()
        }
        #expect(isWaiting.wait(upTo: .seconds(30)) { $0 ? true : nil } == true)
        try leave(dead)
        #expect(count.wait(upTo: .seconds(30)) { $0 } == 1)
    }

    @Test("a queue that is asked all the time is looked at once a second")
    func seldom() throws {
        let folder = try TemporaryFolder("arrivals")
        let time = ThreadCondition<UInt64>(5_000_000_000)
        var environment = QueueEnvironment()
        environment.nanoseconds = { time.withLock { $0 } }
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        try queues.create("D", QueueSettings())
        let queue = try queues.queue("D")
        #expect(queue.takeLookAround())
        #expect(!queue.takeLookAround())
        time.withLock { $0 += 1_000_000_000 }
        #expect(queue.takeLookAround())
    }

    @Test("it is purged with the others")
    func purged() throws {
        let fixture = try HostFixture("arrivals")
        try leave(fixture.folder, clock: fixture.clock.clock)
        let endpoint = SQSEndpoint(
            region: "us-east-1", accountID: "123456789012", host: fixture.host)
        #expect(fixture.answer(request("PurgeQueue", ""), by: endpoint)?.status == 200)
        #expect(try marks(fixture.folder) == [])
        try fixture.queues.keepHouse("Q")
        #expect(try fixture.queues.queue("D").messageCount == 0)
    }

    @Test("it is redriven with the others")
    func moved() throws {
        let folder = try TemporaryFolder("arrivals")
        try leave(folder)
        let later = queues(folder)
        #expect(try later.startMoveTask(from: "D", to: nil, rate: nil).toMove == 1)
        let task = try later.runMoveTask(of: "D", isCancelled: { false }, progress: { _ in })
        #expect(task?.moved == 1)
    }
}
