import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

@Suite struct JournalTests {
    private func segment(_ folder: String, _ name: UInt64 = 1) -> String {
        "\(folder)/\(SegmentName.file(name))"
    }

    /// Five records with known times, as the file that a writer leaves.
    private static func fiveRecords() throws -> [UInt8] {
        let folder = try TemporaryFolder("five")
        let journal = try Journal<Tally>(folder: folder.path)
        for value in Int64(1)...5 { try journal.add(value) }
        return try FileSystem.read("\(folder.path)/\(SegmentName.file(1))")
    }

    private func place(_ bytes: [UInt8], in folder: String) throws {
        try FileSystem.makeDirectory(folder)
        try FileSystem.replace(segment(folder), with: bytes)
    }

    @Test("what was added is there for the next who opens, and jq could read it")
    func reopens() throws {
        let folder = try TemporaryFolder()
        try Journal<Tally>(folder: folder.path).add(1, 2, 3)
        #expect(try Journal<Tally>(folder: folder.path).values == [1, 2, 3])
        let lines = try FileSystem.read(segment(folder.path)).split(separator: 0x0A)
        #expect(lines.count == 4)
        for (index, line) in lines.enumerated() {
            let record = try JSONValue.parse(Array(line))
            #expect(record["n"]?.intValue == Int64(index + 1))
            #expect(record["crc"]?.stringValue?.count == 8)
            let durable = try #require(record["d"]?.intValue)
            #expect(durable <= Int64(index))
        }
    }

    @Test("two who have it open see each other's records")
    func interleaves() throws {
        let folder = try TemporaryFolder()
        let one = try Journal<Tally>(folder: folder.path)
        let two = try Journal<Tally>(folder: folder.path)
        for value in Int64(0)..<20 { try (value.isMultiple(of: 2) ? one : two).add(value) }
        #expect(try one.values == Array(0..<20))
        #expect(try two.values == Array(0..<20))
    }

    @Test("a clock that steps back does not turn time back")
    func steppingClock() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Tally>(folder: folder.path)
        let start = try journal.read { $0.now.milliseconds }
        try journal.add(1, at: start + 5000)
        try journal.add(2, at: 10)
        let times = try FileSystem.read(segment(folder.path)).split(separator: 0x0A)
            .map { try JSONValue.parse(Array($0))["t"]?.intValue ?? 0 }
        #expect(times.suffix(2) == [start + 5000, start + 5000])
    }

    @Test("every cut: a prefix, never a guess, never a lost durable record")
    func everyCut() throws {
        let whole = try Self.fiveRecords()
        let folder = try TemporaryFolder()
        for length in 1..<whole.count {
            let path = "\(folder.path)/\(length)"
            try place(Array(whole.prefix(length)), in: path)
            let complete = whole.prefix(length).count { $0 == 0x0A }
            if complete == 0 {
                #expect(throws: JournalError.self) { try Journal<Tally>(folder: path) }
                continue
            }
            let journal = try Journal<Tally>(folder: path)
            #expect(try journal.values == Array(1..<Int64(complete)), "cut at \(length)")
            let torn = try FileSystem.list(path).contains("torn-\(complete + 1).bin")
            #expect(torn == (whole[length - 1] != 0x0A))
            try journal.add(99)
            #expect(try Journal<Tally>(folder: path).values == Array(1..<Int64(complete)) + [99])
        }
    }

    @Test("every flipped bit: damage at the right line, or the torn tail; never a wrong record")
    func everyBit() throws {
        let whole = try Self.fiveRecords()
        let lines = whole.split(separator: 0x0A)
        let starts = lines.indices.map { lines[..<$0].reduce(0) { $0 + $1.count + 1 } }
        let folder = try TemporaryFolder()
        for offset in 0..<whole.count {
            for bit in 0..<8 {
                var bytes = whole
                bytes[offset] ^= 1 << UInt8(bit)
                let path = "\(folder.path)/\(offset)-\(bit)"
                try place(bytes, in: path)
                let harmed = (starts.lastIndex { $0 <= offset } ?? 0)
                do {
                    let values = try Journal<Tally>(folder: path).values
                    // Only the last line is above every known `d`: it may be a dead writer's tail.
                    #expect(harmed == 5, "\(offset).\(bit) was not noticed")
                    #expect(values == [1, 2, 3, 4])
                } catch JournalError.damaged(_, let at, _) {
                    #expect(at == UInt64(starts[harmed]), "\(offset).\(bit)")
                    #expect(harmed < 5)
                }
                try FileSystem.removeTree(path)
            }
        }
    }

    @Test(
        "any file call may fail, any number of calls in: nothing acknowledged is lost",
        arguments: FaultyStorage.Kind.allCases)
    func failingStorage(kind: FaultyStorage.Kind) throws {
        for countdown in 1...40 {
            let folder = try TemporaryFolder("fault")
            let storage = FaultyStorage()
            var options = JournalOptions()
            options.segmentBytes = 700
            options.checkpointBytes = 250
            options.preparedBytes = 500
            options.preparingSyncs = 1
            var acknowledged: [Int64] = []
            var attempted: [Int64] = []
            let journal = try Journal<Tally>(
                folder: folder.path, options: options, storage: storage)
            storage.arm(kind, countdown)
            for value in Int64(1)...12 {
                attempted.append(value)
                do {
                    try journal.add(value)
                    acknowledged.append(value)
                } catch is JournalError {
                    continue
                }
            }
            storage.disarm()
            try journal.add(100)
            acknowledged.append(100)
            for values in [
                try journal.values,
                try Journal<Tally>(folder: folder.path, options: options).values,
            ] {
                #expect(acknowledged.allSatisfy(values.contains), "\(kind) \(countdown): \(values)")
                #expect(Set(values).isSubset(of: Set(attempted + [100])))
                #expect(values.count == Set(values).count, "\(kind) \(countdown): twice")
            }
        }
    }

    @Test("segments roll, checkpoints come and go, and the sum is the same")
    func rolls() throws {
        let folder = try TemporaryFolder()
        var options = JournalOptions()
        options.segmentBytes = 2000
        options.checkpointBytes = 500
        let one = try Journal<Tally>(folder: folder.path, options: options)
        let two = try Journal<Tally>(folder: folder.path, options: options)
        for value in Int64(0)..<200 { try (value % 3 == 0 ? one : two).add(value) }
        let all = Array(Int64(0)..<200)
        #expect(try one.values == all)
        #expect(try two.values == all)
        let names = try FileSystem.list(folder.path)
        #expect(names.compactMap(SegmentName.parse).count > 3)
        #expect(try Journal<Tally>(folder: folder.path).values == all)
        try FileSystem.remove("\(folder.path)/checkpoint.json")
        #expect(try Journal<Tally>(folder: folder.path).values == all)
        let newest = try #require(names.compactMap(SegmentName.parse).max())
        for name in names.compactMap(SegmentName.parse) where name != newest {
            try FileSystem.remove(segment(folder.path, name))
        }
        #expect(try Journal<Tally>(folder: folder.path).values == all, "a base record holds it all")
    }

    /// Takes whatever there is.
    private struct Blind: JournaledState {
        private static let filler = [UInt8](repeating: 0x78, count: RecordFrame.maximumLength)
        var records = 0
        mutating func apply(
            _ line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at location: RecordLocation
        ) throws(StateError) { records += 1 }
        var oldestSegment: UInt64? { nil }
        func encodeBase<Failure: Error>(
            to bytes: inout [UInt8], spill: (inout [UInt8]) throws(Failure) -> Void
        ) throws(Failure) {
            bytes += Array("\"op\":\"base\",\"v\":\"".utf8)
            bytes.append(contentsOf: Self.filler)
            bytes.append(UInt8(ascii: "\""))
        }
    }

    @Test("a state may be larger than any other record")
    func largeBase() throws {
        let folder = try TemporaryFolder()
        var options = JournalOptions()
        options.segmentBytes = UInt64(RecordFrame.maximumLength)
        func open() throws -> Journal<Blind> {
            try Journal<Blind>(
                folder: folder.path, at: Timestamp(milliseconds: 1), options: options)
        }
        _ = try open()  // begins, and rolls at once
        #expect(try open().read { $0.state.records } > 0)
        #expect(try Journal<Blind>.verify(folder: folder.path).problems.isEmpty)
    }

    @Test("a checkpoint that is damaged or speaks of another journal is passed over")
    func badCheckpoints() throws {
        let folder = try TemporaryFolder()
        var options = JournalOptions()
        options.checkpointBytes = 100
        let journal = try Journal<Tally>(folder: folder.path, options: options)
        for value in Int64(0)..<30 { try journal.add(value) }
        let path = "\(folder.path)/checkpoint.json"
        let good = try FileSystem.read(path)
        for offset in good.indices {
            var bytes = good
            bytes[offset] ^= 1
            try FileSystem.replace(path, with: bytes)
            #expect(try Journal<Tally>(folder: folder.path).values == Array(0..<30))
        }
        let other = try TemporaryFolder()
        try Journal<Tally>(folder: other.path).add(7)
        try FileSystem.replace("\(other.path)/checkpoint.json", with: good)
        #expect(try Journal<Tally>(folder: other.path).values == [7])
    }

    @Test("a check of the whole journal finds each flipped bit, and nothing in a good one")
    func verification() throws {
        let folder = try TemporaryFolder()
        var options = JournalOptions()
        options.segmentBytes = 300
        options.preparedBytes = 0
        let journal = try Journal<Tally>(folder: folder.path, options: options)
        for value in Int64(0)..<12 { try journal.add(value) }
        let good = try Journal<Tally>.verify(folder: folder.path)
        #expect(good.problems.isEmpty)
        #expect(good.segments > 2)
        for name in try FileSystem.list(folder.path).filter({ $0.hasSuffix(".jsonl") }) {
            let path = "\(folder.path)/\(name)"
            let bytes = try FileSystem.read(path)
            for offset in bytes.indices {
                var harmed = bytes
                harmed[offset] ^= 4
                try FileSystem.replace(path, with: harmed)
                let report = try Journal<Tally>.verify(folder: folder.path)
                #expect(report.problems.contains { $0.file == name }, "\(name) at \(offset)")
            }
            try FileSystem.replace(path, with: bytes)
        }
        let first = segment(folder.path, 1)
        let second = try #require(
            try FileSystem.list(folder.path).compactMap(SegmentName.parse).dropFirst().first)
        let bytes = try FileSystem.read(segment(folder.path, second))
        try FileSystem.remove(segment(folder.path, second))
        #expect(try Journal<Tally>.verify(folder: folder.path).problems.count == 1)
        try FileSystem.replace(segment(folder.path, second), with: bytes)
        try FileSystem.remove(first)
        #expect(try Journal<Tally>.verify(folder: folder.path).problems.isEmpty)
    }

    /// A state that counts the records which came while another had it too, or for its index.
    private struct Shared: JournaledState {
        private final class Values: Sendable {}
        private var values = Values()
        private var indexed = 0
        static let copies = Atomic(0)
        static let mostIndexed = Atomic(0)
        static let indexLimit = 5

        mutating func apply(
            _ line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at location: RecordLocation
        ) throws(StateError) {
            if !isKnownUniquelyReferenced(&values) {
                Self.copies.add(1, ordering: .relaxed)
                values = Values()
            }
            indexed += 1
            Self.mostIndexed.max(indexed, ordering: .relaxed)
        }
        var isIndexDue: Bool { indexed >= Self.indexLimit }
        mutating func dropIndex() { indexed = 0 }
        var oldestSegment: UInt64? { nil }
        func encodeBase<Failure: Error>(
            to bytes: inout [UInt8], spill: (inout [UInt8]) throws(Failure) -> Void
        ) throws(Failure) { bytes += Array("\"op\":\"base\"".utf8) }
    }

    @Test("a check does not copy the state with each record, nor gather what it never asks for")
    func copies() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Shared>(folder: folder.path, at: Timestamp(milliseconds: 1))
        for _ in 0..<12 {
            _ = try journal.transact(now: Timestamp(milliseconds: 1)) {
                _ = try $0.append(Tally.add(1))
            }
        }
        Shared.copies.store(0, ordering: .relaxed)
        Shared.mostIndexed.store(0, ordering: .relaxed)
        #expect(try Journal<Shared>.verify(folder: folder.path).records == 13)
        #expect(Shared.copies.load(ordering: .relaxed) == 0)
        #expect(Shared.mostIndexed.load(ordering: .relaxed) == Shared.indexLimit)
    }

    @Test("records can be read again by their place, and one after the other")
    func cursors() throws {
        let folder = try TemporaryFolder()
        var options = JournalOptions()
        options.segmentBytes = 900
        let journal = try Journal<Tally>(folder: folder.path, options: options)
        for value in Int64(0)..<30 { try journal.add(value) }
        let start = RecordLocation(segment: 1, offset: 0, length: 0)
        let adds = try journal.read { session in
            var cursor = session.records(from: start)
            var adds: [Int64] = []
            while let record = try cursor.next() {
                #expect(try session.read(record.location) == record.bytes)
                let value = try JSONValue.parse(record.bytes)
                if value["op"] == "add" { adds.append(value["v"]?.arrayValue?[0].intValue ?? -1) }
            }
            return adds
        }
        #expect(adds == Array(0..<30))
    }
}
