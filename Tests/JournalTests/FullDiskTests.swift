import Foundation
import JSON
import Journal
import Posix
import TestSupport
import Testing

@Suite struct FullDiskTests {
    private static let time = Timestamp(milliseconds: 1000)

    private func add(
        _ value: Int64, to journal: Journal<Tally>, usesReserve: Bool
    ) throws {
        let (_, ticket) = try journal.transact(now: Self.time) { session in
            _ = try session.append(Tally.add(value), usesReserve: usesReserve)
        }
        if let ticket { try journal.waitDurable(ticket) }
    }

    @Test("a full disk refuses what needs room, lets the rest go on, and recovers with the room")
    func full() throws {
        let folder = try TemporaryFolder("full")
        let storage = CappedStorage(cap: 60_000)
        var options = JournalOptions()
        options.reserveBytes = 20_000
        options.checkpointBytes = 4_000
        let journal = try Journal<Tally>(
            folder: folder.path + "/j", options: options, storage: storage)
        var sum: [Int64] = []
        var next: Int64 = 0
        var refusal: JournalError?
        while refusal == nil, next < 10_000 {
            do {
                try add(next, to: journal, usesReserve: false)
                sum.append(next)
                next += 1
            } catch let error as JournalError {
                refusal = error
            }
        }
        guard case .storage(let error) = refusal else {
            Issue.record("the disk never was full: \(String(describing: refusal))")
            return
        }
        #expect(error.isNoSpace)
        for _ in 0..<100 {
            try add(-1, to: journal, usesReserve: true)
            sum.append(-1)
        }
        #expect(throws: JournalError.self, "the room is not for everybody") {
            try add(7, to: journal, usesReserve: false)
            try add(7, to: journal, usesReserve: false)
            for _ in 0..<1000 { try add(7, to: journal, usesReserve: false) }
        }
        let known = try journal.read { $0.state.values }
        #expect(known.starts(with: sum))
        storage.setCap(1_000_000)
        for value in 0..<200 { try add(Int64(value), to: journal, usesReserve: false) }
        #expect(FileSystem.exists(folder.path + "/j/reserve"), "it is kept again")
        let again = try Journal<Tally>(
            folder: folder.path + "/j", options: options, storage: storage)
        #expect(try again.read { $0.state.values }.starts(with: sum))
        #expect(try Journal<Tally>.verify(folder: folder.path + "/j").problems.isEmpty)
    }

    @Test(
        "an emptied journal gives its records up for the reserve",
        arguments: [false, true])
    func emptied(isOpenedAnew: Bool) throws {
        let folder = try TemporaryFolder("full")
        let storage = CappedStorage(cap: 300_000)
        var options = JournalOptions()
        options.reserveBytes = 100_000
        options.emptyBytes = 50_000
        var journal = try Journal<Tally>(
            folder: folder.path + "/j", options: options, storage: storage)
        #expect(throws: JournalError.self) {
            for value in Int64(0)..<10_000 { try add(value, to: journal, usesReserve: false) }
        }
        // Until the reserve is used up.
        storage.setCap(storage.used)
        for value in Int64(0)..<500 { try add(-value, to: journal, usesReserve: true) }
        storage.setCap(storage.used + 1_000)
        _ = try journal.transact(now: Self.time) { try $0.append(Tally.clear, usesReserve: true) }
        if isOpenedAnew {
            journal.close()
            journal = try Journal(folder: folder.path + "/j", options: options, storage: storage)
        } else {
            // Who is refused first makes room for the next.
            _ = try? add(1, to: journal, usesReserve: false)
        }
        try add(2, to: journal, usesReserve: false)
        #expect(try journal.values.last == 2)
        #expect(try Journal<Tally>.verify(folder: folder.path + "/j").problems.isEmpty)
    }

    /// Of some 2,000 bytes.
    private func long(_ value: Int64) -> [UInt8] {
        Tally.add(value) + Array(",\"pad\":\"\(String(repeating: "x", count: 1900))\"".utf8)
    }

    @Test("what runs again where it did not fit is not there twice")
    func again() throws {
        let folder = try TemporaryFolder("full")
        let storage = CappedStorage(cap: 100_000_000)
        let journal = try Journal<Tally>(folder: folder.path + "/j", storage: storage)
        try journal.add(-1)
        // More than is written before a transaction ends, and less than this one brings.
        storage.setCap(storage.used + 1_500_000)
        let (told, _) = try journal.transact(now: Self.time) { session in
            var told: [Int64] = []
            for value in Int64(0)..<1500 {
                guard (try? session.append(long(value))) != nil else { break }
                told.append(value)
            }
            return told
        }
        #expect(told.count > 500 && told.count < 800)
        #expect(try journal.values == [-1] + told)
        let again = try Journal<Tally>(folder: folder.path + "/j", storage: storage)
        #expect(try again.values == [-1] + told)
    }

    @Test("a checkpoint that does not fit takes nothing of the room that is kept for work to go on")
    func checkpoint() throws {
        let folder = try TemporaryFolder("full")
        let path = folder.path + "/j"
        let storage = CappedStorage(cap: 10_000_000)
        var options = JournalOptions()
        options.reserveBytes = 100_000
        options.checkpointBytes = 4_000
        let journal = try Journal<Tally>(folder: path, options: options, storage: storage)
        func work(_ records: Int) throws {
            _ = try journal.transact(now: Self.time) { session in
                for _ in 0..<records { try session.append(Tally.add(0), usesReserve: true) }
            }
        }
        // The checkpoint has some 8,000 bytes, and is due after four times as many.
        _ = try journal.transact(now: Self.time) { session in
            try session.append(Tally.add([Int64](repeating: 1_000_000, count: 1000)))
        }
        storage.setCap(storage.used)
        try work(20)
        #expect(try FileSystem.read("\(path)/reserve").isEmpty)
        while storage.used < storage.cap - 70_000 { try work(20) }
        // Somebody else takes what is free.
        storage.setCap(storage.used + 9_000)
        for _ in 0..<90 {
            try work(1)
            #expect(try FileSystem.list(path).allSatisfy { !$0.hasSuffix(".new") })
        }
    }

    @Test("a torn end is set aside on a full disk, too; where nothing is left it stays whole")
    func torn() throws {
        let folder = try TemporaryFolder("full")
        let path = folder.path + "/j"
        let storage = CappedStorage(cap: 10_000_000)
        let segment = "\(path)/\(SegmentName.file(1))"
        do {
            let journal = try Journal<Tally>(folder: path, storage: storage)
            try journal.add(1)
            let end = try journal.read { $0.endLocation.offset }
            try storage.open(segment, creating: false)
                .writeAll([UInt8](repeating: 0x78, count: 5000), at: end)
        }
        let whole = try FileSystem.read(segment)
        let reserve = try storage.open("\(path)/reserve", creating: false)
        try reserve.truncate(to: 3000)
        storage.setCap(storage.used)
        for _ in 0..<2 {
            #expect(throws: JournalError.self) {
                try Journal<Tally>(folder: path, storage: storage)
            }
            #expect(try FileSystem.read(segment) == whole)
            #expect(try FileSystem.list(path).allSatisfy { !$0.hasPrefix("torn-") })
        }
        storage.setCap(storage.used + 10_000)
        try reserve.allocate(10_000)
        storage.setCap(storage.used)
        let journal = try Journal<Tally>(folder: path, storage: storage)
        #expect(try journal.values == [1])
        #expect(try FileSystem.read("\(path)/torn-3.bin") == whole.suffix(5000))
        try add(2, to: journal, usesReserve: true)
        #expect(try journal.values == [1, 2])
    }

    @Test("a file that is written beside leaves nothing where it fails, nor where its writer died")
    func beside() throws {
        let folder = try TemporaryFolder("beside")
        let storage = FaultyStorage()
        for fault in [FaultyStorage.Kind.short, .write, .rename] {
            storage.arm(fault, 1)
            #expect(throws: SystemError.self) {
                try storage.replace("\(folder.path)/file") { file throws(SystemError) in
                    try file.writeAll([1, 2, 3, 4], at: 0)
                }
            }
            #expect(try FileSystem.list(folder.path) == [])
        }
        for name in ["checkpoint.json", "1-2.ids", SegmentName.file(1)] {
            try FileSystem.replace("\(folder.path)/\(name).new", with: [1])
        }
        _ = try Journal<Tally>(folder: folder.path)
        #expect(try FileSystem.list(folder.path).allSatisfy { !$0.hasSuffix(".new") })
    }

    private struct Progress {
        var isBegun = false
        var areSubmitted = false
        var told: [Int64] = []
        var concluded = 0
    }

    private final class Work: JournalWork {
        private let progress: ThreadCondition<Progress>
        private let body: @Sendable (inout JournalSession<Tally>) throws -> Void

        init(
            _ progress: ThreadCondition<Progress>,
            _ body: @escaping @Sendable (inout JournalSession<Tally>) throws -> Void
        ) {
            (self.progress, self.body) = (progress, body)
        }

        func run(_ session: inout JournalSession<Tally>) throws -> Bool {
            try body(&session)
            return false
        }

        func conclude(_ failure: (any Error)?) {
            progress.withLock { $0.concluded += 1 }
            progress.signal()
        }
    }

    @Test("of two that are done together, the first of which is there in part, none is there twice")
    func together() throws {
        let folder = try TemporaryFolder("full")
        let storage = CappedStorage(cap: 100_000_000)
        let journal = try Journal<Tally>(folder: folder.path + "/j", storage: storage)
        try journal.add(-1)
        storage.setCap(storage.used + 1_200_000)
        let patience = Duration.seconds(60)
        let progress = ThreadCondition(Progress())
        func submit(_ body: @escaping @Sendable (inout JournalSession<Tally>) throws -> Void) {
            journal.submit(now: Self.time, Work(progress, body))
        }
        // What comes while this one runs is done together.
        submit { _ in
            progress.withLock { $0.isBegun = true }
            progress.signal()
            _ = progress.wait(upTo: patience) { $0.areSubmitted ? true : nil }
        }
        try #require(progress.wait(upTo: patience) { $0.isBegun ? () : nil })
        submit { session in
            var told: [Int64] = []
            for value in Int64(0)..<700 {
                guard (try? session.append(self.long(value))) != nil else { break }
                told.append(value)
            }
            progress.withLock { [told] in $0.told = told }
        }
        submit { try $0.append(Tally.add(-2)) }
        progress.withLock { $0.areSubmitted = true }
        progress.signal()
        try #require(progress.wait(upTo: patience) { $0.concluded == 3 ? () : nil })
        let told = progress.withLock { $0.told }
        #expect(told.count > 400 && told.count < 700)
        #expect(try journal.values.filter { $0 != -2 } == [-1] + told)
        let again = try Journal<Tally>(folder: folder.path + "/j", storage: storage)
        #expect(try again.values == journal.values)
        #expect(try Journal<Tally>.verify(folder: folder.path + "/j").problems.isEmpty)
    }
}
