import JSON
import Journal
import Posix
import TestSupport
import Testing

/// Room that is prepared ahead of the records.
@Suite struct RoomTests {
    private static let step = 4096

    private static let options: JournalOptions = {
        var options = JournalOptions()
        options.preparedBytes = UInt64(step)
        options.preparingSyncs = 2
        return options
    }()

    private func segment(_ folder: String, _ name: UInt64 = 1) -> String {
        "\(folder)/\(SegmentName.file(name))"
    }

    /// A file with room behind its records, as a writer that was killed leaves it.
    ///
    /// - Parameter unsynced: how many of them nobody has synced.
    private func padded(
        records: Int64, unsynced: Int64 = 0
    ) throws -> (bytes: [UInt8], end: Int) {
        let folder = try TemporaryFolder("padded")
        let journal = try Journal<Tally>(folder: folder.path, options: Self.options)
        for value in Int64(1)...records - unsynced { try journal.add(value) }
        for value in records - unsynced + 1..<records + 1 {
            _ = try journal.transact(now: Timestamp(milliseconds: 1000)) { session in
                _ = try session.append(Tally.add(value))
            }
        }
        let bytes = try FileSystem.read(segment(folder.path))
        let end = try journal.read { Int($0.endLocation.offset) }
        return (bytes, end)
    }

    private func place(_ bytes: [UInt8], in folder: String) throws {
        try FileSystem.makeDirectory(folder)
        try FileSystem.replace(segment(folder), with: bytes)
    }

    @Test("who syncs often gets room; everybody writes into it, and it ends with its user")
    func prepares() throws {
        let folder = try TemporaryFolder()
        func size() throws -> Int { try FileSystem.read(segment(folder.path)).count }
        let busy = try Journal<Tally>(folder: folder.path, options: Self.options)
        let other = try Journal<Tally>(folder: folder.path, options: Self.options)
        for value in Int64(1)...4 { try busy.add(value) }
        let before = try size()
        #expect(try UInt64(before) > busy.read { $0.endLocation.offset })
        try other.add(5)
        try busy.add(6)
        #expect(try size() == before)
        #expect(try busy.values == [1, 2, 3, 4, 5, 6] && other.values == busy.values)
        let inUse = try FileSystem.read(segment(folder.path))
        for line in inUse.split(separator: 0x0A) { _ = try JSONValue.parse(Array(line)) }
        // Who comes later finds the end of the records, and leaves the room to who uses it.
        #expect(try Journal<Tally>(folder: folder.path).values == [1, 2, 3, 4, 5, 6])
        #expect(try size() == before)
        #expect(try Journal<Tally>.verify(folder: folder.path).ignored.isEmpty)
        busy.close()
        let bytes = try FileSystem.read(segment(folder.path))
        #expect(bytes.suffix(2) == [UInt8(ascii: "}"), 0x0A])
        #expect(try FileSystem.list(folder.path).allSatisfy { !$0.hasPrefix("torn") })
        for value in Int64(7)...12 { try busy.add(value) }
        #expect(try FileSystem.read(segment(folder.path)).suffix(2) == [UInt8(ascii: "}"), 0x0A])
    }

    @Test("one sync, or syncs of many bytes, prepare nothing")
    func doesNotPrepare() throws {
        let folder = try TemporaryFolder()
        let large = Self.step / 8 / 2
        for _ in 0..<6 {
            let journal = try Journal<Tally>(folder: folder.path, options: Self.options)
            try journal.add(1)
            let end = try journal.read { $0.endLocation.offset }
            #expect(try FileSystem.read(segment(folder.path)).count == Int(end))
        }
        let journal = try Journal<Tally>(folder: folder.path, options: Self.options)
        for _ in 0..<6 {
            let (_, ticket) = try journal.transact(now: Timestamp(milliseconds: 1000)) { session in
                for _ in 0..<large { _ = try session.append(Tally.add(1)) }
            }
            if let ticket { try journal.waitDurable(ticket) }
        }
        let end = try journal.read { $0.endLocation.offset }
        #expect(try FileSystem.read(segment(folder.path)).count == Int(end))
    }

    @Test("a sealed segment ends with its last record")
    func seals() throws {
        let folder = try TemporaryFolder()
        var options = Self.options
        options.segmentBytes = 3000
        let journal = try Journal<Tally>(folder: folder.path, options: options)
        for value in Int64(0)..<100 { try journal.add(value) }
        let names = try FileSystem.list(folder.path).compactMap(SegmentName.parse)
        #expect(names.count > 2)
        for name in names.dropLast() {
            let bytes = try FileSystem.read(segment(folder.path, name))
            #expect(bytes.suffix(2) == [UInt8(ascii: "}"), 0x0A])
        }
        #expect(try Journal<Tally>.verify(folder: folder.path).problems.isEmpty)
    }

    @Test("every cut of a segment with room: a prefix, and none of the room is called torn")
    func everyCut() throws {
        let (whole, end) = try padded(records: 5)
        #expect(whole.count > end + 100)
        let folder = try TemporaryFolder()
        for length in 400..<whole.count where length < end + 20 || length.isMultiple(of: 37) {
            let path = "\(folder.path)/\(length)"
            try place(Array(whole.prefix(length)), in: path)
            let kept = whole.prefix(min(length, end))
            let complete = kept.count { $0 == 0x0A }
            let values = Array(1..<Int64(complete))
            let journal = try Journal<Tally>(folder: path)
            #expect(try journal.values == values, "cut at \(length)")
            let torn = try FileSystem.list(path).contains { $0.hasPrefix("torn-") }
            #expect(torn == (whole[length - 1] != 0x0A), "cut at \(length)")
            try journal.add(99)
            #expect(try Journal<Tally>(folder: path).values == values + [99])
        }
    }

    @Test("every flipped bit: damage, or set aside; never a wrong record, and never silent")
    func everyBit() throws {
        let (whole, end) = try padded(records: 5)
        let lines = whole.prefix(end).split(separator: 0x0A)
        let last = end - lines[5].count - 1
        let folder = try TemporaryFolder()
        for offset in whole.indices where offset < end + 20 || offset.isMultiple(of: 41) {
            for bit in 0..<8 {
                var bytes = whole
                bytes[offset] ^= 1 << UInt8(bit)
                let path = "\(folder.path)/\(offset)-\(bit)"
                try place(bytes, in: path)
                let report = try Journal<Tally>.verify(folder: path)
                #expect(
                    !report.problems.isEmpty
                        || !report.ignored.filter { $0.file != "lock" }.isEmpty,
                    "\(offset).\(bit) was not noticed")
                do {
                    let journal = try Journal<Tally>(folder: path)
                    #expect(offset >= last, "\(offset).\(bit) was not noticed")
                    #expect(
                        try journal.values == (offset < end ? [1, 2, 3, 4] : [1, 2, 3, 4, 5]))
                    try journal.add(99)
                    #expect(try Journal<Tally>(folder: path).values.last == 99)
                    #expect(try Journal<Tally>.verify(folder: path).problems.isEmpty)
                } catch JournalError.damaged {
                    #expect(offset < last)
                }
                try FileSystem.removeTree(path)
            }
        }
    }

    @Test("what power loss left behind a gap is set aside, and does not come back")
    func staleBytes() throws {
        let (whole, end) = try padded(records: 7, unsynced: 2)
        let lines = whole.prefix(end).split(separator: 0x0A)
        let sizes = lines.map { $0.count + 1 }
        let start = sizes.prefix(6).reduce(0, +)
        // The sixth value was lost: the old padding is there. The seventh was kept.
        var bytes = whole
        for offset in start..<start + sizes[6] { bytes[offset] = 0x0A }
        let folder = try TemporaryFolder()
        try place(bytes, in: folder.path)
        let report = try Journal<Tally>.verify(folder: folder.path)
        #expect(report.problems.isEmpty && report.ignored.count { $0.file != "lock" } == 1)
        let journal = try Journal<Tally>(folder: folder.path)
        #expect(try journal.values == [1, 2, 3, 4, 5])
        let torn = try FileSystem.read("\(folder.path)/torn-7.bin")
        #expect(torn.drop { $0 == 0x0A } == whole[(start + sizes[6])..<end])
        // As long as the one that was lost.
        try journal.add(8)
        #expect(try journal.values == [1, 2, 3, 4, 5, 8])
        #expect(try Journal<Tally>(folder: folder.path).values == [1, 2, 3, 4, 5, 8])
    }

    @Test("a gap that a later record says was durable is damage")
    func durableGap() throws {
        let (whole, end) = try padded(records: 7)
        let sizes = whole.prefix(end).split(separator: 0x0A).map { $0.count + 1 }
        let start = sizes.prefix(5).reduce(0, +)
        var bytes = whole
        for offset in start..<start + sizes[5] { bytes[offset] = 0x0A }
        let folder = try TemporaryFolder()
        try place(bytes, in: folder.path)
        #expect(try !Journal<Tally>.verify(folder: folder.path).problems.isEmpty)
        #expect(throws: JournalError.self) { try Journal<Tally>(folder: folder.path) }
    }

    @Test("a cursor that goes on sees what was written into the room meanwhile")
    func extendedCursor() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Tally>(folder: folder.path, options: Self.options)
        for value in Int64(1)...6 { try journal.add(value) }
        let start = RecordLocation(segment: 1, offset: 0, length: 0)
        let now = Timestamp(milliseconds: 1000)
        var (cursor, _) = try journal.transact(now: now) { $0.records(from: start) }
        while try cursor.next() != nil {}
        try journal.add(7)
        let (next, _) = try journal.transact(now: now) { [cursor] session in
            var cursor = cursor
            let isExtended = session.extend(&cursor)
            #expect(isExtended)
            return try cursor.next()?.n
        }
        #expect(try journal.read { $0.lastN } == next)
    }

    @Test("a disk without space for room takes records as before")
    func fullDisk() throws {
        let folder = try TemporaryFolder()
        let storage = CappedStorage(cap: 20_000)
        var options = Self.options
        options.reserveBytes = 16
        options.preparedBytes = 1 << 20
        let journal = try Journal<Tally>(
            folder: folder.path, options: options, storage: storage)
        for value in Int64(1)...20 { try journal.add(value) }
        #expect(try journal.values == Array(1...20))
        let end = try journal.read { $0.endLocation.offset }
        #expect(try FileSystem.read(segment(folder.path)).count == Int(end))
    }

    @Test("a second end that is torn at the same record is kept beside the first")
    func tornTwice() throws {
        let folder = try TemporaryFolder()
        try Journal<Tally>(folder: folder.path).add(1)
        let end = try FileSystem.read(segment(folder.path)).count
        func tear(_ byte: UInt8, _ count: Int) throws {
            try DiskStorage().open(segment(folder.path), creating: false)
                .writeAll([UInt8](repeating: byte, count: count), at: UInt64(end))
            #expect(try Journal<Tally>(folder: folder.path).values == [1])
        }
        func torn(_ name: String) throws -> [UInt8] {
            try FileSystem.read(folder.path + "/" + name)
        }
        try tear(0x78, 50)
        try tear(0x79, 40)
        #expect(try torn("torn-3.bin") == [UInt8](repeating: 0x78, count: 50))
        #expect(try torn("torn-3-2.bin") == [UInt8](repeating: 0x79, count: 40))
        // As if who set it aside had died half-way.
        try tear(0x79, 60)
        #expect(try torn("torn-3-2.bin") == [UInt8](repeating: 0x79, count: 60))
        #expect(try FileSystem.list(folder.path).count { $0.hasPrefix("torn-") } == 2)
    }
}
