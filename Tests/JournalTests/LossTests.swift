import JSON
import Journal
import Posix
import TestSupport
import Testing

/// Records that were appended, and are gone when another file has taken the place of theirs.
@Suite struct LossTests {
    private static let time = Timestamp(milliseconds: 1000)

    private let folder: TemporaryFolder
    private let journal: Journal<Tally>

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal<Tally>(folder: folder.path)
        try journal.add(1)
    }

    private func append(_ value: Int64) throws -> Journal<Tally>.Ticket {
        let (_, ticket) = try journal.transact(now: Self.time) { session in
            _ = try session.append(Tally.add(value))
        }
        return try #require(ticket)
    }

    /// What a reader is given who sees what is not on the disk yet.
    private func look() throws -> Journal<Tally>.Ticket {
        try #require(try journal.transact(now: Self.time) { _ in }.ticket)
    }

    /// A new file without the last records, as if the disk had lost them with a failed sync.
    private func lose(_ count: Int = 1) throws {
        let segment = "\(folder.path)/\(SegmentName.file(1))"
        let lines = try FileSystem.read(segment).split(separator: 0x0A)
        try FileSystem.replace(
            segment, with: lines.dropLast(count).flatMap { Array($0) + [0x0A] })
        // Its generation is not known any more: who has the journal open reads everything anew.
        try DiskStorage().open("\(folder.path)/lock", creating: false).writeAll([0x58], at: 0)
    }

    @Test("everybody who rests on a lost record is told, and whoever gets its number is not")
    func all() throws {
        let lost = try append(2)
        let reader = try look()
        try lose()
        try journal.add(3)
        for ticket in [lost, reader, lost] {
            #expect(throws: JournalError.self) { try journal.waitDurable(ticket) }
        }
        try journal.add(4)
        #expect(try journal.values == [1, 3, 4])
        #expect(try Journal<Tally>(folder: folder.path).values == [1, 3, 4])
    }

    @Test("a sync that finds its records lost promises nothing of them")
    func alone() throws {
        let kept = try append(2)
        let lost = try append(3)
        try lose()
        #expect(throws: JournalError.self) { try journal.waitDurable(lost) }
        try journal.waitDurable(kept)
        #expect(try Journal<Tally>(folder: folder.path).values == [1, 2])
        try journal.add(4)
        #expect(try journal.values == [1, 2, 4])
    }

    @Test("whoever waits on a journal that was ended while it could not be read is told")
    func ended() throws {
        let storage = FaultyStorage()
        let reader = try Journal<Tally>(folder: folder.path, storage: storage)
        let (_, appended) = try reader.transact(now: Self.time) { session in
            _ = try session.append(Tally.add(2))
        }
        let ticket = try #require(appended)
        try lose(0)
        storage.arm(.open, 2)
        #expect(throws: JournalError.self) { try reader.values }
        try journal.end(check: { _ in }, bury: {})
        #expect(try outcome(of: ticket, in: reader) == .some(.removed))
    }

    @Test("a sync that fails after another file has taken over is told of that one")
    func replaced() throws {
        struct Refusal: Error {}
        let storage = FaultyStorage()
        let waiter = try Journal<Tally>(folder: folder.path, storage: storage)
        let (_, appended) = try waiter.transact(now: Self.time) { session in
            _ = try session.append(Tally.add(2))
        }
        let ticket = try #require(appended)
        // Another process meets the failure first, and replaces the file.
        let faulty = FaultyStorage()
        let other = try Journal<Tally>(folder: folder.path, storage: faulty)
        faulty.arm(.sync, 1)
        try other.add(3)
        // This one looks at it for something else, which comes to nothing.
        #expect(throws: Refusal.self) {
            try waiter.end(check: { _ in throw Refusal() }, bury: {})
        }
        storage.arm(.sync, 1)
        #expect(try outcome(of: ticket, in: waiter) == .some(nil))
        #expect(try waiter.values == [1, 2, 3])
    }

    /// Of waiting for it; `nil` if that has no end.
    private func outcome(
        of ticket: Journal<Tally>.Ticket, in journal: Journal<Tally>
    ) throws -> JournalError?? {
        let outcome = ThreadCondition<JournalError??>(nil)
        let thread = try Thread(name: "waiter") {
            var failure: JournalError?
            do throws(JournalError) {
                try journal.waitDurable(ticket)
            } catch {
                failure = error
            }
            outcome.withLock { [failure] in $0 = .some(failure) }
            outcome.signal()
        }
        let found = outcome.wait(upTo: .seconds(60)) { $0 }
        if found != nil { thread.join() }
        return found
    }

    @Test("after many losses, who waited through all of them is told")
    func many() throws {
        let first = try append(2)
        try lose()
        for value in Int64(3)..<40 {
            _ = try append(value)
            try lose()
        }
        try journal.add(50)
        #expect(throws: JournalError.self) { try journal.waitDurable(first) }
        #expect(try journal.values == [1, 50])
    }
}
