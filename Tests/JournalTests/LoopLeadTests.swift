import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

/// Transactions that an event loop submits, and does itself.
@Suite struct LoopLeadTests {
    private static let time = Timestamp(milliseconds: 1000)
    private static let patience = Duration.seconds(60)

    /// What became of each value, and who said so.
    private final class Outcomes: Sendable {
        struct Entry {
            var value: Int64
            var isDone: Bool
            var isByLoop: Bool
        }

        private let seen = ThreadCondition<[Entry]>([])

        func record(_ value: Int64, _ error: (any Error)?) {
            let isByLoop = EventLoop.current != nil
            seen.withLock {
                $0.append(Entry(value: value, isDone: error == nil, isByLoop: isByLoop))
            }
            seen.signal()
        }

        func wait(for count: Int) throws -> [Entry] {
            try #require(seen.wait(upTo: patience) { $0.count == count ? $0 : nil })
        }
    }

    private final class Addition: JournalWork {
        let value: Int64
        let isDurable: Bool
        let outcomes: Outcomes

        init(_ value: Int64, isDurable: Bool, _ outcomes: Outcomes) {
            self.value = value
            self.isDurable = isDurable
            self.outcomes = outcomes
        }

        func run(_ session: inout JournalSession<Tally>) throws -> Bool {
            try session.append(Tally.add(value))
            return isDurable
        }

        func conclude(_ failure: (any Error)?) { outcomes.record(value, failure) }
    }

    private struct Fixture {
        let folder: TemporaryFolder
        let storage = FaultyStorage()
        let journal: Journal<Tally>
        let loop: EventLoop
        let outcomes = Outcomes()

        init(_ options: JournalOptions = JournalOptions()) throws {
            folder = try TemporaryFolder()
            journal = try Journal(folder: folder.path, options: options, storage: storage)
            loop = try EventLoop(name: "test")
        }

        /// All in one round.
        func submit(
            _ values: Range<Int64>, isBrief: Bool = true, isDurable: Bool = false
        ) {
            loop.execute { [journal, outcomes] in
                for value in values {
                    journal.submit(
                        now: LoopLeadTests.time, isBrief: isBrief,
                        Addition(value, isDurable: isDurable, outcomes))
                }
            }
        }

        /// Whether the loop does by itself what it submits, sooner or later: where the machine is
        /// slow the workers do it for a while.
        ///
        /// - Parameter before: runs before each attempt, with its number.
        func leadsSoon(
            after count: Int, before: (Int64) throws -> Void = { _ in }
        ) throws -> Bool {
            let deadline = SystemClock.monotonicNanoseconds() + patience.nanoseconds
            var next = count
            while SystemClock.monotonicNanoseconds() < deadline {
                try before(Int64(next))
                submit(Int64(next)..<Int64(next) + 1)
                next += 1
                if try outcomes.wait(for: next).last?.isByLoop == true { return true }
            }
            return false
        }

        var values: [Int64] {
            get throws { try Journal<Tally>(folder: folder.path).values }
        }
    }

    @Test("the loop does what is brief itself, in order, with one lock")
    func brief() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        fixture.submit(0..<200)
        let outcomes = try fixture.outcomes.wait(for: 200)
        #expect(outcomes.map(\.value) == Array(0..<200))
        #expect(outcomes.allSatisfy { $0.isDone && $0.isByLoop })
        #expect(try fixture.values == Array(0..<200))
    }

    @Test("more than one turn takes are done in several")
    func many() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        fixture.submit(0..<1000)
        let outcomes = try fixture.outcomes.wait(for: 1000)
        #expect(outcomes.allSatisfy { $0.isDone })
        // Where the machine is slow the rest is left to a thread.
        #expect(outcomes.first?.isByLoop == true)
        #expect(try fixture.values == Array(0..<1000))
    }

    @Test("what must be on the disk is told to the loop that brought it")
    func durable() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        fixture.submit(0..<100, isDurable: true)
        #expect(try fixture.outcomes.wait(for: 100).allSatisfy { $0.isDone && $0.isByLoop })
    }

    @Test("what is not brief, and what waits behind it, is left to the workers")
    func long() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        fixture.submit(0..<10, isBrief: false)
        fixture.submit(10..<20)
        let outcomes = try fixture.outcomes.wait(for: 20)
        #expect(outcomes.prefix(10).allSatisfy { !$0.isByLoop })
        #expect(try fixture.values == Array(0..<20))
    }

    @Test("while another has the lock the loop goes on, and the workers wait for it")
    func held() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        let lock = try FileDescriptor(reading: "\(fixture.folder.path)/lock")
        #expect(try lock.tryLock())
        fixture.submit(0..<10)
        let isAlive = ThreadCondition(false)
        // After the round in which it was submitted, and its end.
        fixture.loop.execute {
            fixture.loop.atEndOfRound {
                isAlive.withLock { $0 = true }
                isAlive.signal()
            }
        }
        #expect(isAlive.wait(upTo: Self.patience) { $0 ? true : nil } == true)
        lock.unlock()
        #expect(try fixture.outcomes.wait(for: 10).allSatisfy { $0.isDone && !$0.isByLoop })
        #expect(try fixture.values == Array(0..<10))
    }

    @Test("much that others appended is read by the workers, and a little by the loop")
    func behind() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        let other = try Journal<Tally>(folder: fixture.folder.path)
        try other.add(1)
        fixture.submit(2..<3)
        #expect(try fixture.outcomes.wait(for: 1).allSatisfy(\.isByLoop))
        let much = (0..<20_000).map { Int64($0) + 1_000_000 }
        _ = try other.transact(now: Self.time) { session in
            for value in much { try session.append(Tally.add(value)) }
        }
        fixture.submit(3..<4)
        #expect(try fixture.outcomes.wait(for: 2).map(\.isByLoop) == [true, false])
        #expect(try fixture.values == [1, 2] + much + [3])
    }

    @Test("room that others prepared is not read")
    func roomOfOthers() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        var options = JournalOptions()
        options.preparedBytes = 1 << 20
        options.preparingSyncs = 2
        let other = try Journal<Tally>(folder: fixture.folder.path, options: options)
        for value in Int64(0)..<4 { try other.add(value) }
        let segment = "\(fixture.folder.path)/\(SegmentName.file(1))"
        #expect(try FileSystem.read(segment).count > 128 * 1024)
        let isByLoop = try fixture.leadsSoon(after: 0) { try other.add($0 + 1_000_000) }
        #expect(isByLoop)
    }

    @Test("a reserve that is short is brought to its size by the workers")
    func reserve() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        let path = "\(fixture.folder.path)/reserve"
        let size = try FileSystem.read(path).count
        #expect(size > 0)
        try DiskStorage().open(path, creating: false).truncate(to: 0)
        fixture.submit(0..<1)
        #expect(try fixture.outcomes.wait(for: 1).allSatisfy { $0.isDone && !$0.isByLoop })
        #expect(try FileSystem.read(path).count == size)
        let isByLoop = try fixture.leadsSoon(after: 1)
        #expect(isByLoop)
    }

    @Test(
        "records that could not be written are written by the workers",
        arguments: [FaultyStorage.Kind.write, .short])
    func refusedWrite(kind: FaultyStorage.Kind) throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        fixture.storage.arm(kind, 1)
        fixture.submit(0..<10)
        #expect(try fixture.outcomes.wait(for: 10).allSatisfy { $0.isDone && !$0.isByLoop })
        #expect(try fixture.values == Array(0..<10))
    }

    @Test("a torn tail is set aside by the workers")
    func tornTail() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        let other = try Journal<Tally>(folder: fixture.folder.path)
        try other.add(0)
        let segment = try DiskStorage()
            .open("\(fixture.folder.path)/\(SegmentName.file(1))", creating: false)
        try segment.writeAll(Array("{\"n\":".utf8), at: segment.status().size)
        fixture.submit(1..<2)
        #expect(try fixture.outcomes.wait(for: 1).allSatisfy { $0.isDone && !$0.isByLoop })
        #expect(try fixture.values == [0, 1])
        #expect(try FileSystem.list(fixture.folder.path).contains { $0.hasPrefix("torn-") })
    }

    @Test("segments are sealed, and checkpoints written, by the workers")
    func chores() throws {
        var options = JournalOptions()
        options.segmentBytes = 4096
        options.checkpointBytes = 1024
        let fixture = try Fixture(options)
        defer { fixture.loop.shutdown() }
        let deadline = SystemClock.monotonicNanoseconds() + Self.patience.nanoseconds
        var count: Int64 = 0
        var segments = 1
        while segments < 3, SystemClock.monotonicNanoseconds() < deadline {
            fixture.submit(count..<count + 20)
            count += 20
            #expect(try fixture.outcomes.wait(for: Int(count)).allSatisfy(\.isDone))
            segments = try FileSystem.list(fixture.folder.path)
                .count { $0.hasSuffix(".jsonl") }
        }
        #expect(segments >= 3)
        #expect(try fixture.values == Array(0..<count))
    }

    @Test("threads that wait, workers and a loop share one line")
    func mixed() throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        let threads = try (0..<4).map { number in
            try Thread(name: "client") {
                for value in 0..<50 {
                    let own = Int64(number * 1000 + value)
                    let added: Void? = try? fixture.journal.add(own)
                    fixture.outcomes.record(own, added == nil ? JournalError.notDurable : nil)
                    fixture.submit(own + 500..<own + 501, isDurable: value.isMultiple(of: 2))
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(try fixture.outcomes.wait(for: 400).allSatisfy(\.isDone))
        #expect(try fixture.values.count == 400)
    }

    @Test("nobody waits for a journal on an event loop")
    func waiting() async {
        await #expect(processExitsWith: .failure) {
            let folder = try TemporaryFolder()
            let journal = try Journal<Tally>(folder: folder.path)
            let loop = try EventLoop(name: "test")
            loop.execute { try? journal.add(1) }
            loop.shutdown()
        }
    }

    @Test("a loop that ends leaves nobody waiting")
    func ended() throws {
        for turn in 0..<20 {
            let fixture = try Fixture()
            fixture.submit(0..<50, isDurable: turn.isMultiple(of: 2))
            fixture.submit(50..<100)
            fixture.loop.shutdown()
            try fixture.journal.add(100)
            #expect(try fixture.outcomes.wait(for: 100).allSatisfy(\.isDone))
            #expect(try fixture.values.count == 101)
        }
    }

    @Test(
        "a call that fails fails those it was for, and nothing that was told is missing",
        arguments: FaultyStorage.Kind.allCases, 1...12)
    func failures(kind: FaultyStorage.Kind, countdown: Int) throws {
        let fixture = try Fixture()
        defer { fixture.loop.shutdown() }
        fixture.storage.arm(kind, countdown)
        for turn in Int64(0)..<6 {
            fixture.submit(turn * 10..<turn * 10 + 10, isDurable: turn.isMultiple(of: 2))
        }
        let told = try fixture.outcomes.wait(for: 60)
        fixture.storage.disarm()
        fixture.submit(99..<100)
        #expect(try fixture.outcomes.wait(for: 61).contains { $0.value == 99 && $0.isDone })
        let values = try fixture.values
        #expect(Set(values).count == values.count, "nothing is there twice")
        #expect(values == values.sorted())
        for outcome in told where outcome.isDone {
            #expect(values.contains(outcome.value), "\(outcome.value) was acknowledged")
        }
    }
}
