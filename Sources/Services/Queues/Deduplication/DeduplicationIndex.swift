import JSON
import Journal
import Posix
import QueueModel

/// Which deduplication ids a FIFO queue saw, beyond the newest that its state holds: a tail of
/// what was applied since the last file was written, and the files.
///
/// It follows from the journal, and claims nothing that is not there: a hash that is found is
/// looked up in its record. What files do not cover is read from the journal again.
struct DeduplicationIndex: Sendable {
    /// A file is due when the tail has this many.
    static let tailLimit = 8192
    /// So many files of about one size become one, unless that has more ids than `runLimit`.
    private static let fanOut = 4
    static let runLimit = 131_072

    private struct TailEntry: Sendable {
        var entry: DeduplicationEntry
        var n: UInt64
        /// The one before it with its hash.
        var previous: Int?
    }

    /// The first record that the tail covers.
    private(set) var from: UInt64
    /// Attempts to write the tail since it began.
    private var attempts = 0
    private var tail: [TailEntry] = []
    private var newest: [UInt64: Int] = [:]
    /// Oldest first; `nil` until somebody asks.
    private var runs: [DeduplicationRun]?
    /// Of files by name: they never change, and may be opened again.
    private var filters: [String: DeduplicationFilter] = [:]

    /// A file failed its checksum, and is gone: look again.
    struct Harmed: Error {}

    init(from: UInt64 = 1) { self.from = from }

    /// Whether it knows its files, and that they are all.
    var isComplete: Bool { runs != nil }

    var isDue: Bool { tail.count >= Self.tailLimit * (attempts + 1) }

    mutating func note(_ key: String, n: UInt64, at record: RecordLocation, index: UInt8) {
        add(DeduplicationEntry(hash: Self.hash(key), record: record, index: index), n: n)
    }

    /// FNV-1a, its bits mixed so that they spread evenly.
    static func hash(_ key: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }

    // MARK: looking up

    /// Where messages with this key may lie, newest first. Reads what files do not cover from the
    /// journal, once.
    mutating func candidates(
        _ key: String, in journal: DeduplicationSource
    ) throws -> [DeduplicationEntry] {
        let hash = Self.hash(key)
        var found: [DeduplicationEntry] = []
        var next = newest[hash]
        while let index = next {
            found.append(tail[index].entry)
            next = tail[index].previous
        }
        for run in try covering(journal).reversed() {
            guard let entries = try run.entries(hash) else {
                // Harmed: without it there is a gap, which is read from the journal.
                try journal.remove(run.name)
                runs = nil
                throw Harmed()
            }
            found += entries.sorted { $0.record.offset > $1.record.offset }
        }
        return found
    }

    /// Files that have every id which still counts and is not in the tail.
    private mutating func covering(
        _ journal: DeduplicationSource
    ) throws -> [DeduplicationRun] {
        if let runs { return runs }
        var known = try Self.load(journal)
        var chain = Self.chain(known, before: from, journal)
        while let gap = chain.gap {
            let written = try journal.rebuild(from: gap.from, to: gap.to)
            known = (known + written).sorted { $0.header.from < $1.header.from }
            let again = Self.chain(known, before: from, journal)
            // Nothing of it is in the journal: looking again does not help.
            guard again.gap?.to != gap.to else { break }
            chain = again
        }
        var runs = chain.runs
        for index in runs.indices {
            if let filter = filters[runs[index].name] { runs[index].filter = filter }
        }
        filters = Dictionary(runs.map { ($0.name, $0.filter) }) { first, _ in first }
        self.runs = runs
        return runs
    }

    /// The files there are that belong to this journal, oldest first, none within another.
    private static func load(_ journal: DeduplicationSource) throws -> [DeduplicationRun] {
        var runs: [DeduplicationRun] = []
        for name in try journal.fileNames() where DeduplicationRun.range(ofName: name) != nil {
            if let run = try DeduplicationRun.open(name, in: journal.folder, journal.storage),
                try journal.holds(run.header.anchor)
            {
                runs.append(run)
            } else {
                try journal.remove(name)
            }
        }
        runs.sort { ($0.header.from, $1.header.to) < ($1.header.from, $0.header.to) }
        var kept: [DeduplicationRun] = []
        for run in runs where run.header.to > kept.last?.header.to ?? 0 { kept.append(run) }
        return kept
    }

    /// Goes back from `end` over files that follow each other, as far as ids may still count.
    private static func chain(
        _ runs: [DeduplicationRun], before end: UInt64, _ journal: DeduplicationSource
    ) -> (runs: [DeduplicationRun], floor: UInt64, gap: (from: UInt64, to: UInt64)?) {
        var needed = max(1, journal.oldestSegment)
        var next = end
        var chain: [DeduplicationRun] = []
        for run in runs.reversed() where run.header.from < end {
            guard next > needed else { break }
            guard run.header.to + 1 >= next else {
                return (chain, needed, (max(needed, run.header.to + 1), next - 1))
            }
            guard run.header.time > journal.horizon else {
                return (chain, max(needed, run.header.to + 1), nil)
            }
            chain.insert(run, at: 0)
            needed = max(needed, run.header.floor)
            next = run.header.from
        }
        return (chain, needed, next <= needed ? nil : (needed, next - 1))
    }

    // MARK: writing

    /// Moves the tail to a file; `end` is the journal's, and durable. Merges small files, and
    /// deletes those whose ids count no more. Where it fails it is due once as many ids again have
    /// come.
    mutating func flush(at end: JournalAnchor, _ journal: DeduplicationSource) throws {
        defer { attempts = tail.count / Self.tailLimit }
        var known = try Self.load(journal)
        if let last = known.last, last.header.to >= from {
            // Another process wrote what stands in our tail.
            let rest = tail.filter { $0.n > last.header.to }
            restart(from: last.header.to + 1)
            for one in rest { add(one.entry, n: one.n) }
        }
        if from <= end.n {
            let chain = Self.chain(known, before: from, journal)
            let header = DeduplicationRun.Header(
                from: from, floor: chain.gap == nil ? chain.floor : 1, time: journal.lastTime,
                anchor: end)
            let entries = tail.map(\.entry).sorted { $0.hash < $1.hash }
            known.append(try journal.write(entries, header))
        }
        restart(from: end.n + 1)
        try Self.dropOld(&known, journal)
        try Self.merge(&known, journal)
    }

    /// Forgets all but what it knows of the files.
    private mutating func restart(from n: UInt64) {
        let known = filters
        self = DeduplicationIndex(from: n)
        filters = known
    }

    private mutating func add(_ entry: DeduplicationEntry, n: UInt64) {
        tail.append(TailEntry(entry: entry, n: n, previous: newest[entry.hash]))
        newest[entry.hash] = tail.count - 1
    }

    /// Once the newest file vouches that nothing before counts, what is before may go.
    private static func dropOld(
        _ runs: inout [DeduplicationRun], _ journal: DeduplicationSource
    ) throws {
        guard let floor = runs.last?.header.floor else { return }
        for run in runs where run.header.to < floor { try journal.remove(run.name) }
        runs.removeAll { $0.header.to < floor }
    }

    private static func merge(
        _ runs: inout [DeduplicationRun], _ journal: DeduplicationSource
    ) throws {
        while case let last = runs.suffix(fanOut), last.count == fanOut,
            last.reduce(0, { $0 + $1.header.count }) <= runLimit,
            Set(last.map { size($0.header.count) }).count == 1, let newest = last.last,
            let oldest = last.first
        {
            var entries: [DeduplicationEntry] = []
            for run in last {
                guard let more = try run.all() else { return try journal.remove(run.name) }
                entries = merged(entries, more)
            }
            var header = newest.header
            header.from = oldest.header.from
            header.floor = last.map(\.header.floor).max() ?? 1
            let merged = try journal.write(entries, header)
            for run in last { try journal.remove(run.name) }
            runs = runs.dropLast(fanOut) + [merged]
        }
    }

    /// Files of one size are merged: all of up to a tail, then of up to four times as many.
    private static func size(_ count: Int) -> Int {
        var size = 0
        var limit = tailLimit * 2
        while count > limit {
            size += 1
            limit *= fanOut
        }
        return size
    }

    private static func merged(
        _ left: [DeduplicationEntry], _ right: [DeduplicationEntry]
    ) -> [DeduplicationEntry] {
        var all: [DeduplicationEntry] = []
        all.reserveCapacity(left.count + right.count)
        var next = 0
        for entry in left {
            while next < right.count, right[next].hash < entry.hash {
                all.append(right[next])
                next += 1
            }
            all.append(entry)
        }
        return all + right[next...]
    }
}
