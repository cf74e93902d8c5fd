import JSON
import Posix
import Synchronization
import TestSupport
import Testing

@testable import Journal

/// An event loop that was held up by a journal is spared for a while.
@Suite struct SlowLoopTests {
    private static let time = Timestamp(milliseconds: 1000)
    private static let patience = Duration.seconds(60)
    private static let limit: UInt64 = 10_000_000
    private static let pause: UInt64 = 1_000_000_000

    private struct Outcome {
        var value: Int64
        var isDone: Bool
        var isByLoop: Bool
    }

    private final class Addition: JournalWork {
        let value: Int64
        let during: @Sendable () -> Void
        let outcomes: ThreadCondition<[Outcome]>

        init(
            _ value: Int64, _ outcomes: ThreadCondition<[Outcome]>,
            during: @escaping @Sendable () -> Void
        ) {
            self.value = value
            self.outcomes = outcomes
            self.during = during
        }

        func run(_ session: inout JournalSession<Tally>) throws -> Bool {
            during()
            try session.append(Tally.add(value))
            return false
        }

        func conclude(_ failure: (any Error)?) {
            let outcome = Outcome(
                value: value, isDone: failure == nil, isByLoop: EventLoop.current != nil)
            outcomes.withLock { $0.append(outcome) }
            outcomes.signal()
        }
    }

    private final class Clock: Sendable {
        private let time = Atomic<UInt64>(1)
        var now: UInt64 { time.load(ordering: .acquiring) }
        func move(_ nanoseconds: UInt64) { time.add(nanoseconds, ordering: .acquiringAndReleasing) }
    }

    private let folder: TemporaryFolder
    private let clock = Clock()
    private let journal: Journal<Tally>
    private let loop: EventLoop
    private let outcomes = ThreadCondition<[Outcome]>([])

    init() throws {
        folder = try TemporaryFolder()
        var options = JournalOptions()
        options.lockTimeout = .seconds(60)
        journal = try Journal(
            folder: folder.path, at: Self.time, options: options,
            nanoseconds: { [clock] in clock.now })
        loop = try EventLoop(name: "test")
    }

    private func submit(_ value: Int64, during: @escaping @Sendable () -> Void) {
        loop.execute { [journal, outcomes] in
            journal.submit(
                now: Self.time, isBrief: true, Addition(value, outcomes, during: during))
        }
    }

    private func outcome(of value: Int64) throws -> Outcome {
        try #require(
            outcomes.wait(upTo: Self.patience) { $0.first { $0.value == value } })
    }

    /// Submits work that takes so long by the clock, and waits for it.
    private func isDoneByLoop(_ value: Int64, taking nanoseconds: UInt64 = 0) throws -> Bool {
        submit(value) { [clock] in clock.move(nanoseconds) }
        let outcome = try outcome(of: value)
        #expect(outcome.isDone)
        return outcome.isByLoop
    }

    private var values: [Int64] { get throws { try Journal<Tally>(folder: folder.path).values } }

    @Test("after more than 10 ms the workers do it for a second, and then the loop again")
    func slow() throws {
        defer { loop.shutdown() }
        #expect(try isDoneByLoop(1, taking: Self.limit))
        #expect(try isDoneByLoop(2, taking: Self.limit + 1), "10 ms were not too long")
        #expect(try !isDoneByLoop(3))
        clock.move(Self.pause - 1)
        #expect(try !isDoneByLoop(4), "a worker's work does not count")
        clock.move(1)
        #expect(try isDoneByLoop(5))
        #expect(try values == [1, 2, 3, 4, 5])
    }

    @Test("a loop that is stopped in its turn fails nobody: who waits comes after it")
    func preempted() throws {
        defer { loop.shutdown() }
        let isIn = ThreadCondition(false)
        let mayGoOn = ThreadCondition(false)
        submit(1) { [clock] in
            isIn.withLock { $0 = true }
            isIn.signal()
            #expect(mayGoOn.wait(upTo: Self.patience) { $0 ? true : nil } == true)
            clock.move(60 * Self.pause)
        }
        #expect(isIn.wait(upTo: Self.patience) { $0 ? true : nil } == true)
        let other = ThreadCondition(false)
        // A thread of this process, and another process.
        let threads = try [
            Thread(name: "same") { [journal] in try? journal.add(2) },
            Thread(name: "other") { [folder] in
                let opened = try? Journal<Tally>(folder: folder.path)
                let added: Void? = try? opened?.add(3)
                other.withLock { $0 = added != nil }
            },
        ]
        let lock = try FileDescriptor(reading: "\(folder.path)/lock")
        #expect(eventually { lock.hasWaiters() })
        #expect(eventually { journal.line.withLock { $0.transactions.count == 2 } })
        #expect(outcomes.withLock { $0.isEmpty })
        mayGoOn.withLock { $0 = true }
        mayGoOn.signal()
        for thread in threads { thread.join() }
        #expect(other.withLock { $0 })
        let first = try outcome(of: 1)
        #expect(first.isDone && first.isByLoop)
        #expect(try values.first == 1)
        #expect(try values.sorted() == [1, 2, 3])
        #expect(try !isDoneByLoop(4))
        clock.move(Self.pause)
        #expect(try isDoneByLoop(5))
        #expect(try values.suffix(2) == [4, 5])
    }
}
