import JSON
import Journal
import Posix
import QueueModel

/// One deduplication id as an index knows it: the hash of its key, and where the message lies that
/// it was sent with.
struct DeduplicationEntry: Equatable, Sendable {
    var hash: UInt64
    var record: RecordLocation
    /// The message's number in its record.
    var index: UInt8
}

/// A file of deduplication ids, sorted by hash: what would otherwise grow in memory
/// (docs/journal.md, *Index files*). It never changes, and may vanish at any time.
///
/// Little-endian words of 8 bytes: a header, the highest hash of each page, the pages.
struct DeduplicationRun: Sendable {
    /// What a file says of itself.
    struct Header: Equatable, Sendable {
        /// It has the ids of all records from here...
        var from: UInt64
        /// No id of a record before this one counted any more when the file was written.
        var floor: UInt64
        /// The time of its last record.
        var time: Timestamp
        var count = 0
        /// ... up to this one: without it the file is of another journal.
        var anchor: JournalAnchor

        var to: UInt64 { anchor.n }
    }

    let header: Header
    let name: String
    private let file: any JournalFile
    /// The highest hash of each page.
    private let fence: [UInt64]
    /// Shared by whoever in this process looks into the same file.
    var filter = DeduplicationFilter()

    static let magic: UInt64 = 0x3173_6469_6863_726F
    static let pageBytes = 4096
    static let entryBytes = 32
    /// The rest of a page is its checksum.
    static let pageEntries = 127
    static let headerBytes = 80

    private init(header: Header, file: any JournalFile, fence: [UInt64]) {
        self.header = header
        self.name = Self.name(from: header.from, to: header.to)
        self.file = file
        self.fence = fence
    }

    /// `<from>-<to>.ids`, 20 digits each.
    static func name(from: UInt64, to: UInt64) -> String {
        "\(SegmentName.digits(from))-\(SegmentName.digits(to)).ids"
    }

    static func range(ofName name: String) -> (from: UInt64, to: UInt64)? {
        guard name.utf8.count == 45, name.hasSuffix(".ids") else { return nil }
        let parts = name.dropLast(4).split(separator: "-")
        guard parts.count == 2, let from = UInt64(parts[0]), let to = UInt64(parts[1]), from <= to
        else { return nil }
        return (from, to)
    }

    /// - Returns: `nil` if there is no such file, or not a whole one.
    static func open(
        _ name: String, in folder: String, _ storage: any JournalStorage
    ) throws(SystemError) -> DeduplicationRun? {
        let file: any JournalFile
        do throws(SystemError) {
            file = try storage.open("\(folder)/\(name)", creating: false)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
        guard let range = range(ofName: name) else { return nil }
        let words = Words(try file.bytes(at: 0, count: headerBytes))
        guard words.count == headerBytes / 8, words[0] == magic,
            words[9] == words.checksum(ofBytes: 72), words[5] == range.to
        else { return nil }
        let header = Header(
            from: range.from, floor: words[1],
            time: Timestamp(milliseconds: Int64(bitPattern: words[2])), count: Int(words[3]),
            anchor: JournalAnchor(
                n: words[5], segment: words[6], offset: words[7],
                checksum: UInt32(truncatingIfNeeded: words[8])))
        let pages = Self.pages(header.count)
        let size = UInt64(headerBytes) + UInt64(pages) * UInt64(8 + pageBytes)
        guard try file.status().size == size else { return nil }
        let fence = Words(try file.bytes(at: UInt64(headerBytes), count: 8 * pages))
        guard fence.count == pages, words[4] == fence.checksum(ofBytes: 8 * pages) else {
            return nil
        }
        return DeduplicationRun(header: header, file: file, fence: fence.all)
    }

    static func pages(_ count: Int) -> Int { (count + pageEntries - 1) / pageEntries }

    /// Writes a file beside the journal. Nobody syncs it: what a crash leaves of it shows.
    ///
    /// - Parameter entries: sorted by hash.
    static func write(
        _ entries: [DeduplicationEntry], _ header: Header, in folder: String,
        _ storage: any JournalStorage
    ) throws(SystemError) -> DeduplicationRun {
        var header = header
        header.count = entries.count
        let pages = Self.pages(entries.count)
        var fence: [UInt64] = []
        var body: [UInt8] = []
        body.reserveCapacity(pages * pageBytes)
        for page in 0..<pages {
            let part = entries[(page * pageEntries)..<min((page + 1) * pageEntries, entries.count)]
            fence.append(part.last?.hash ?? 0)
            append(page: part, to: &body)
        }
        let bytes = head(header, fence) + body
        let path = "\(folder)/\(name(from: header.from, to: header.to))"
        try storage.replace(path) { file throws(SystemError) in try file.writeAll(bytes, at: 0) }
        return DeduplicationRun(
            header: header, file: try storage.open(path, creating: false), fence: fence)
    }

    private static func head(_ header: Header, _ fence: [UInt64]) -> [UInt8] {
        var fenceBytes: [UInt8] = []
        for hash in fence { Words.append(hash, to: &fenceBytes) }
        var bytes: [UInt8] = []
        let fenceSum = fenceBytes.withUnsafeBytes { UInt64(RecordFrame.checksum(of: $0)) }
        for word in [
            magic, header.floor, UInt64(bitPattern: header.time.milliseconds),
            UInt64(header.count), fenceSum, header.anchor.n, header.anchor.segment,
            header.anchor.offset, UInt64(header.anchor.checksum),
        ] { Words.append(word, to: &bytes) }
        let sum = bytes.withUnsafeBytes { UInt64(RecordFrame.checksum(of: $0)) }
        Words.append(sum, to: &bytes)
        return bytes + fenceBytes
    }

    private static func append(
        page entries: ArraySlice<DeduplicationEntry>, to bytes: inout [UInt8]
    ) {
        let start = bytes.count
        for entry in entries {
            Words.append(entry.hash, to: &bytes)
            Words.append(entry.record.segment, to: &bytes)
            Words.append(entry.record.offset, to: &bytes)
            Words.append(UInt64(entry.record.length) << 8 | UInt64(entry.index), to: &bytes)
        }
        bytes.append(
            contentsOf: repeatElement(0, count: (pageEntries - entries.count) * entryBytes + 24))
        let sum = bytes.withUnsafeBytes {
            UInt64(RecordFrame.checksum(of: UnsafeRawBufferPointer(rebasing: $0[start...])))
        }
        Words.append(sum, to: &bytes)
    }

    /// Where ids of this hash lie, in no order.
    /// - Returns: `nil` if the file is harmed.
    func entries(_ hash: UInt64) throws(SystemError) -> [DeduplicationEntry]? {
        let mayHave = try filter.mayHave(hash) { () throws(SystemError) in
            try all()?.map(\.hash)
        }
        guard mayHave else { return [] }
        var page = Self.firstIndex(in: fence.count) { fence[$0] >= hash }
        var found: [DeduplicationEntry] = []
        while page < fence.count {
            guard let words = try read(page: page) else { return nil }
            let count = count(page: page)
            var next = Self.firstIndex(in: count) { words[4 * $0] >= hash }
            while next < count, words[4 * next] == hash {
                found.append(Self.entry(next, words))
                next += 1
            }
            // Some more may stand on the next page.
            guard next == count, fence[page] == hash else { return found }
            page += 1
        }
        return found
    }

    /// Every entry, sorted by hash; `nil` if the file is harmed.
    func all() throws(SystemError) -> [DeduplicationEntry]? {
        var all: [DeduplicationEntry] = []
        all.reserveCapacity(header.count)
        for page in fence.indices {
            guard let words = try read(page: page) else { return nil }
            for index in 0..<count(page: page) { all.append(Self.entry(index, words)) }
        }
        return all
    }

    private func count(page: Int) -> Int {
        min(Self.pageEntries, header.count - page * Self.pageEntries)
    }

    private func read(page: Int) throws(SystemError) -> Words? {
        let offset = UInt64(Self.headerBytes + 8 * fence.count + page * Self.pageBytes)
        let words = Words(try file.bytes(at: offset, count: Self.pageBytes))
        let last = Self.pageBytes / 8 - 1
        guard words.count == last + 1, words[last] == words.checksum(ofBytes: 8 * last) else {
            return nil
        }
        return words
    }

    private static func entry(_ index: Int, _ words: Words) -> DeduplicationEntry {
        let last = words[4 * index + 3]
        return DeduplicationEntry(
            hash: words[4 * index],
            record: RecordLocation(
                segment: words[4 * index + 1], offset: words[4 * index + 2],
                length: UInt32(truncatingIfNeeded: last >> 8)),
            index: UInt8(truncatingIfNeeded: last))
    }

    /// The first of `count` indices that `belongs`, where those that do come last.
    private static func firstIndex(in count: Int, _ belongs: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongs(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Bytes as little-endian words.
private struct Words {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count / 8 }
    var all: [UInt64] { (0..<count).map { self[$0] } }

    subscript(index: Int) -> UInt64 {
        bytes.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
    }

    func checksum(ofBytes count: Int) -> UInt64 {
        bytes.withUnsafeBytes {
            UInt64(RecordFrame.checksum(of: UnsafeRawBufferPointer(rebasing: $0[..<count])))
        }
    }

    static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
