import JSON
import Posix
import QueueModel
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Services

/// How deep queues are, in their metrics.
@Suite struct DepthMetricsTests {
    private let folder: TemporaryFolder
    private let clock = SteppedClock()
    private let monitor: Monitor
    private let queues: QueueDirectory
    private let start: Timestamp

    init() throws {
        folder = try TemporaryFolder("depth")
        let monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        queues = QueueDirectory(
            stateDirectory: folder.path, environment: environment, observe: monitor.observe)
        self.monitor = monitor
        start = clock.clock.now()
        try queues.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queues.create("Q", settings)
    }

    private func send() throws {
        _ = try queues.queue("Q").send([SendEntry(escapedBody: [0x61], size: 1)])
    }

    /// The values of a metric so far.
    private func values(_ name: String, of queue: String) throws -> [Double] {
        try MetricStore(stateDirectory: folder.path)
            .read(from: start - .seconds(86_400), to: clock.clock.now() + .seconds(1))
            .filter { $0.metric == SQSMetrics.metric(name, queue: queue) }
            .map(\.values.maximum)
    }

    private func visible(in queue: String) throws -> [Double] {
        try values("ApproximateNumberOfMessagesVisible", of: queue)
    }

    @Test("a command that sends messages to a dead-letter queue writes how deep that is")
    func deadLetters() throws {
        try send()
        #expect(try queues.queue("Q").receive(upTo: 1).count == 1)
        clock.step(.seconds(31))
        try queues.keepHouse("Q")
        try monitor.flush(queues)
        #expect(try visible(in: "D") == [1])
        #expect(try values("NumberOfMessagesSent", of: "D").isEmpty)
    }

    /// The names of the metrics that are on the disk.
    private func written() throws -> Set<String> {
        let datapoints = try MetricStore(stateDirectory: folder.path)
            .read(from: start, to: start + .seconds(1))
        return Set(datapoints.map(\.metric.name))
    }

    @Test("a server writes what it knows before it asks queues; who flushes then waits for all")
    func order() throws {
        try send()
        // What another finds that flushes while the queue is asked how deep it is.
        let found = Mutex<Set<String>?>(nil)
        let other = Mutex<Thread?>(nil)
        let early = Mutex<Set<String>>([])
        var environment = QueueEnvironment()
        environment.clock = StackClock { [self] in
            other.withLock { other in
                guard other == nil, let names = try? written() else { return }
                early.withLock { $0 = names }
                other = try? Thread(name: "flushes") {
                    try? monitor.flush(queues)
                    let names = try? written()
                    found.withLock { $0 = names }
                }
            }
            // It has the time to be too early.
            let deadline = SystemClock.monotonicNanoseconds() + 100_000_000
            while found.withLock({ $0 == nil }), SystemClock.monotonicNanoseconds() < deadline {
                SystemClock.pause(microseconds: 1000)
            }
            return clock.clock.now()
        }
        try monitor.flush(
            QueueDirectory(stateDirectory: folder.path, environment: environment),
            isWatching: true)
        try #require(other.withLock { $0 }).join()
        let depth = "ApproximateNumberOfMessagesVisible"
        #expect(early.withLock { $0.contains("NumberOfMessagesSent") && !$0.contains(depth) })
        #expect(found.withLock { $0?.contains(depth) } == true)
    }

    @Test("who stays writes once a minute how deep a queue is that nobody uses")
    func backlog() throws {
        try send()
        try monitor.flush(queues, isWatching: true)
        for _ in 0..<24 {
            clock.step(.seconds(5))
            try monitor.flush(queues, isWatching: true)
        }
        #expect(try visible(in: "Q") == [1, 1, 1])
        #expect(try values("ApproximateAgeOfOldestMessage", of: "Q") == [0, 60, 120])
        #expect(try visible(in: "D").isEmpty)
    }

    @Test("of messages that came in before it began, too")
    func before() throws {
        try send()
        let next = Monitor(stateDirectory: folder.path, clock: clock.clock)
        try next.flush(queues, isWatching: true)
        #expect(try visible(in: "Q") == [1])
    }

    @Test("a message from after now, by a clock that stepped back, has no age")
    func steppedBack() throws {
        try send()
        clock.step(.seconds(-30))
        try monitor.flush(queues)
        #expect(try values("ApproximateAgeOfOldestMessage", of: "Q") == [0])
    }

    @Test("an empty queue counts as active for six hours after its last use, polls included")
    func inactive() throws {
        #expect(try queues.queue("Q").receive(upTo: 1, wait: .zero).isEmpty)
        try monitor.flush(queues, isWatching: true)
        clock.step(.seconds(5 * 3600))
        #expect(try queues.queue("Q").receive(upTo: 1, wait: .zero, isCounted: false).isEmpty)
        try monitor.flush(queues, isWatching: true)
        clock.step(.seconds(5 * 3600))
        try monitor.flush(queues, isWatching: true)
        #expect(try visible(in: "Q") == [0, 0, 0])
        clock.step(.seconds(3600))
        try monitor.flush(queues, isWatching: true)
        #expect(try visible(in: "Q") == [0, 0, 0])
        #expect(try values("NumberOfEmptyReceives", of: "Q") == [1])
    }
}
