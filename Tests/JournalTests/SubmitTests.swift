import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

/// Transactions whose callers do not wait, alone and among those that do.
@Suite struct SubmitTests {
    private static let time = Timestamp(milliseconds: 1000)
    private static let patience = Duration.seconds(60)

    /// What became of each value.
    private final class Outcomes: Sendable {
        private let seen = ThreadCondition<[Int64: Bool]>([:])

        func record(_ value: Int64, _ error: (any Error)?) {
            seen.withLock { $0[value] = error == nil }
            seen.signal()
        }

        /// - Returns: which succeeded.
        func wait(for count: Int) throws -> [Int64: Bool] {
            try #require(seen.wait(upTo: patience) { $0.count == count ? $0 : nil })
        }
    }

    private final class Addition: JournalWork {
        let value: Int64
        let usesReserve: Bool
        let outcomes: Outcomes

        init(value: Int64, usesReserve: Bool, outcomes: Outcomes) {
            self.value = value
            self.usesReserve = usesReserve
            self.outcomes = outcomes
        }

        func run(_ session: inout JournalSession<Tally>) throws -> Bool {
            try session.append(Tally.add(value), usesReserve: usesReserve)
            return true
        }

        func conclude(_ failure: (any Error)?) { outcomes.record(value, failure) }
    }

    private func submit(
        _ value: Int64, to journal: Journal<Tally>, _ outcomes: Outcomes,
        usesReserve: Bool = false
    ) {
        journal.submit(
            now: Self.time, Addition(value: value, usesReserve: usesReserve, outcomes: outcomes))
    }

    @Test("what is submitted is done in order, and on the disk when it is told")
    func order() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Tally>(folder: folder.path)
        let outcomes = Outcomes()
        for value in Int64(0)..<500 { submit(value, to: journal, outcomes) }
        #expect(try outcomes.wait(for: 500).values.allSatisfy { $0 })
        #expect(try Journal<Tally>(folder: folder.path).values == Array(0..<500))
    }

    @Test("more than may wait are refused at once, and the others are done")
    func limited() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Tally>(folder: folder.path)
        let outcomes = Outcomes()
        let count = Journal<Tally>.submittedLimit + 3000
        // While it is looked at nobody gets a turn.
        try journal.read { _ in
            for value in 0..<Int64(count) { submit(value, to: journal, outcomes) }
        }
        let done = try outcomes.wait(for: count).values.count { $0 }
        #expect(done >= Journal<Tally>.submittedLimit && done < count - 1000)
        #expect(try Journal<Tally>(folder: folder.path).values.count == done)
    }

    @Test("threads that wait and callers that do not share one line and one sync")
    func mixed() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Tally>(folder: folder.path)
        let outcomes = Outcomes()
        let threads = try (0..<4).map { number in
            try Thread(name: "client") {
                for value in 0..<50 {
                    let own = Int64(number * 1000 + value)
                    let added: Void? = try? journal.add(own)
                    outcomes.record(own, added == nil ? JournalError.notDurable : nil)
                    self.submit(own + 500, to: journal, outcomes)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(try outcomes.wait(for: 400).values.allSatisfy { $0 })
        #expect(try Journal<Tally>(folder: folder.path).values.count == 400)
    }

    /// Adds a value, and once that is told the next one, up to a limit.
    private final class Chain: JournalWork {
        let value: Int64
        let limit: Int64
        let journal: Journal<Tally>
        let outcomes: Outcomes

        init(_ value: Int64, upTo limit: Int64, in journal: Journal<Tally>, _ outcomes: Outcomes) {
            (self.value, self.limit) = (value, limit)
            (self.journal, self.outcomes) = (journal, outcomes)
        }

        func run(_ session: inout JournalSession<Tally>) throws -> Bool {
            try session.append(Tally.add(value))
            return true
        }

        func conclude(_ failure: (any Error)?) {
            if value < limit {
                let next = Chain(value + 1, upTo: limit, in: journal, outcomes)
                journal.submit(now: time, next)
            }
            outcomes.record(value, failure)
        }
    }

    @Test("who syncs does itself what is submitted as it tells of that, and nobody is woken")
    func chain() throws {
        let folder = try TemporaryFolder()
        // Workers that come one after the other.
        let asked = Mutex<[@Sendable () -> Void]>([])
        let journal = try Journal<Tally>(
            folder: folder.path, at: Self.time,
            execute: { work in asked.withLock { $0.append(work) } })
        let outcomes = Outcomes()
        journal.submit(now: Self.time, Chain(1, upTo: 100, in: journal, outcomes))
        var workers = 0
        while let work = asked.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
            workers += 1
            work()
        }
        #expect(try outcomes.wait(for: 100).values.allSatisfy { $0 })
        #expect(try journal.values == Array(1...100))
        #expect(workers == 2, "one that appends, and one that syncs")
    }

    @Test(
        "a call that fails fails those it was for, and nothing that was told is missing",
        arguments: FaultyStorage.Kind.allCases, 1...12)
    func failures(kind: FaultyStorage.Kind, countdown: Int) throws {
        let folder = try TemporaryFolder()
        let storage = FaultyStorage()
        let journal = try Journal<Tally>(folder: folder.path, storage: storage)
        let outcomes = Outcomes()
        storage.arm(kind, countdown)
        for value in Int64(0)..<60 { submit(value, to: journal, outcomes) }
        let told = try outcomes.wait(for: 60)
        storage.disarm()
        submit(99, to: journal, outcomes)
        #expect(try outcomes.wait(for: 61)[99] == true)
        let values = try Journal<Tally>(folder: folder.path).values
        #expect(Set(values).count == values.count, "nothing is there twice")
        #expect(values == values.sorted())
        for (value, isAcknowledged) in told where isAcknowledged {
            #expect(values.contains(value), "\(value) was acknowledged")
        }
    }

    @Test("on a full disk each of those done together gets its own answer")
    func fullDisk() throws {
        let folder = try TemporaryFolder()
        let storage = CappedStorage(cap: 24_000)
        var options = JournalOptions()
        options.reserveBytes = 20_000
        let journal = try Journal<Tally>(folder: folder.path, options: options, storage: storage)
        let outcomes = Outcomes()
        for value in Int64(0)..<200 {
            submit(value, to: journal, outcomes, usesReserve: value >= 100 && value % 2 == 0)
        }
        let told = try outcomes.wait(for: 200)
        let acknowledged = told.filter(\.value).keys.sorted()
        #expect(told[0] == true)
        #expect(told[99] == false, "there is no room for it")
        #expect(told[198] == true, "room is kept for it")
        let values = try Journal<Tally>(folder: folder.path, options: options).values
        #expect(values == acknowledged)
    }

    /// Faults of what follows the new segment's name: its folder's sync, and reads of it.
    private static let faultsOfARoll: [(FaultyStorage.Kind, Int)] =
        [(.syncDirectory, 1), (.open, 1), (.open, 2), (.open, 3)] + (1...6).map { (.read, $0) }

    @Test("after a roll that broke off nobody writes behind it", arguments: faultsOfARoll)
    func brokenRoll(fault: (FaultyStorage.Kind, Int)) throws {
        let folder = try TemporaryFolder()
        let storage = FaultyStorage()
        let journal = try Journal<Tally>(folder: folder.path, storage: storage)
        let first = Array(Int64(0)..<400)
        _ = try journal.transact(now: Self.time) { session in
            for value in first { _ = try session.append(Tally.add(value)) }
        }
        let size = try FileDescriptor(
            reading: "\(folder.path)/\(SegmentName.file(1))"
        ).status().size
        storage.largestFile.withLock { $0 = size }
        storage.segmentNamed.withLock { named in
            named = { [unowned storage] in storage.arm(fault.0, fault.1) }
        }
        let outcomes = Outcomes()
        // Both are done with one lock; each is too much for the file, and another is begun.
        try journal.read { _ in
            for value: Int64 in [1000, 1001] {
                submit(value, to: journal, outcomes, usesReserve: true)
            }
        }
        let done = try outcomes.wait(for: 2)
        storage.segmentNamed.withLock { $0 = nil }
        storage.disarm()
        storage.largestFile.withLock { $0 = .max }
        let told = [1000, 1001].filter { done[$0] == true }
        // One that heard of an error may be there all the same; one that was told it is must be.
        let values = try journal.values
        #expect(values.starts(with: first))
        let others = values.dropFirst(first.count)
        #expect(others.allSatisfy { $0 == 1000 || $0 == 1001 })
        #expect(told.allSatisfy { others.contains($0) })
        #expect(try Journal<Tally>(folder: folder.path).values == values)
    }
}
