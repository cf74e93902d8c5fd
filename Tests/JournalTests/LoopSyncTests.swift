import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

/// Syncs that an event loop does itself.
@Suite struct LoopSyncTests {
    private static let time = Timestamp(milliseconds: 1000)
    private static let patience = Duration.seconds(60)

    private final class Addition: JournalWork {
        let value: Int64
        let onConcluded: @Sendable ((any Error)?) -> Void

        init(_ value: Int64, _ onConcluded: @escaping @Sendable ((any Error)?) -> Void) {
            self.value = value
            self.onConcluded = onConcluded
        }

        func run(_ session: inout JournalSession<Tally>) throws -> Bool {
            try session.append(Tally.add(value))
            return true
        }

        func conclude(_ failure: (any Error)?) { onConcluded(failure) }
    }

    private final class Fixture: Sendable {
        let folder: TemporaryFolder
        let storage = FaultyStorage()
        let journal: Journal<Tally>
        let loop: EventLoop
        /// Whether each sync was on the loop.
        private let syncs = Mutex<[Bool]>([])
        private let concluded = ThreadCondition(0)

        /// - Parameter step: nanoseconds from one look at the clock to the next.
        init(step: UInt64) throws {
            folder = try TemporaryFolder()
            let clock = Atomic<UInt64>(0)
            loop = try EventLoop(name: "test")
            journal = try Journal(
                folder: folder.path, at: LoopSyncTests.time, storage: storage,
                nanoseconds: { clock.add(step, ordering: .relaxed).newValue })
            storage.syncing.withLock {
                $0 = { [weak self] in
                    self?.syncs.withLock { $0.append(EventLoop.current != nil) }
                }
            }
        }

        /// Submits on the loop, and waits until that is durable.
        /// - Parameter meanwhile: runs on the loop in the same round.
        /// - Returns: where the syncs for it were.
        func add(
            _ values: Int64..., meanwhile: @escaping @Sendable () -> Void = {}
        ) throws -> [Bool] {
            try add(values, meanwhile: meanwhile)
        }

        func add(
            _ values: [Int64], meanwhile: @escaping @Sendable () -> Void = {}
        ) throws -> [Bool] {
            syncs.withLock { $0 = [] }
            let end = concluded.withLock { $0 } + values.count
            loop.execute { [journal, concluded] in
                for value in values {
                    let addition = Addition(value) { failure in
                        #expect(failure == nil)
                        concluded.withLock { $0 += 1 }
                        concluded.signal()
                    }
                    journal.submit(now: LoopSyncTests.time, isBrief: true, addition)
                }
                meanwhile()
            }
            try #require(concluded.wait(upTo: patience) { $0 >= end ? true : nil } == true)
            return syncs.withLock { $0 }
        }

        /// Adds values from `first` on until the loop does a sync: a worker may still be at the one
        /// before.
        /// - Returns: the next value; `nil` if the loop did none.
        func addUntilByLoop(from first: Int64) throws -> Int64? {
            let deadline = SystemClock.monotonicNanoseconds() + patience.nanoseconds
            var next = first
            while SystemClock.monotonicNanoseconds() < deadline {
                next += 1
                if try add(next - 1) == [true] { return next }
            }
            return nil
        }

        /// What another process finds.
        var values: [Int64] {
            get throws { try Journal<Tally>(folder: folder.path).values }
        }
    }

    @Test("a loop that would only wait syncs itself, once it is known that the disk is quick")
    func quick() throws {
        let fixture = try Fixture(step: 1000)
        defer { fixture.loop.shutdown() }
        #expect(try fixture.add(0) == [false])
        let next = try #require(try fixture.addUntilByLoop(from: 1))
        #expect(try fixture.values == Array(0..<next))
    }

    @Test("a slow disk does not hold the loop up")
    func slow() throws {
        let fixture = try Fixture(step: 1_000_000)
        defer { fixture.loop.shutdown() }
        for value in Int64(1)...3 { #expect(try fixture.add(value) == [false]) }
        #expect(try fixture.values == [1, 2, 3])
    }

    @Test("a loop that has more to do leaves the sync to a worker")
    func busy() throws {
        let fixture = try Fixture(step: 1000)
        defer { fixture.loop.shutdown() }
        let next = try #require(try fixture.addUntilByLoop(from: 0))
        let isOver = Atomic(false)
        @Sendable func goOn() {
            if !isOver.load(ordering: .relaxed) { fixture.loop.execute(goOn) }
        }
        #expect(try fixture.add(next, meanwhile: goOn) == [false])
        isOver.store(true, ordering: .relaxed)
    }

    @Test("where many wait a worker syncs, until there are few again")
    func many() throws {
        let fixture = try Fixture(step: 1000)
        defer { fixture.loop.shutdown() }
        var next = try #require(try fixture.addUntilByLoop(from: 0))
        for _ in 0..<2 {
            // How many wait is known when the first of their syncs ends.
            for round in 0..<3 {
                let syncs = try fixture.add(Array(next..<(next + 40)))
                if round > 0 { #expect(syncs == [false]) }
                next += 40
            }
            next = try #require(try fixture.addUntilByLoop(from: next))
        }
        #expect(try fixture.values == Array(0..<next))
    }

    @Test("a sync of the loop that fails is mended by a worker, and nothing is lost")
    func failing() throws {
        let fixture = try Fixture(step: 1000)
        defer { fixture.loop.shutdown() }
        let next = try #require(try fixture.addUntilByLoop(from: 0))
        fixture.storage.arm(.sync, 1)
        _ = try fixture.add(next)
        let end = try #require(try fixture.addUntilByLoop(from: next + 1))
        #expect(try fixture.values == Array(0..<end))
    }

    @Test("a segment that took the place of the one that was synced is synced itself")
    func replaced() throws {
        let fixture = try Fixture(step: 1000)
        defer { fixture.loop.shutdown() }
        _ = try fixture.add(1)
        let other = try Journal<Tally>(folder: fixture.folder.path, storage: fixture.storage)
        fixture.storage.arm(.sync, 1)
        try other.add(2)
        _ = try fixture.add(3)
        #expect(try fixture.values == [1, 2, 3])
    }

    @Test("what no loop submitted is not concluded on one")
    func loopless() throws {
        let fixture = try Fixture(step: 1000)
        defer { fixture.loop.shutdown() }
        var next = try #require(try fixture.addUntilByLoop(from: 0))
        let onLoop = ThreadCondition<[Bool]>([])
        for count in 1...200 {
            let long = Addition(next) { _ in
                onLoop.withLock { $0.append(EventLoop.current != nil) }
                onLoop.signal()
            }
            fixture.journal.submit(now: Self.time, long)
            _ = try fixture.add(next + 1)
            next += 2
            let isConcluded = onLoop.wait(upTo: Self.patience) { $0.count == count ? true : nil }
            try #require(isConcluded == true)
        }
        #expect(onLoop.withLock { !$0.contains(true) })
    }
}
