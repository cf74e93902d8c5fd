import JSON
import Posix

/// Opening, creating and catching up. The caller holds the lock.
extension JournalSession {
    init(
        folder: String, storage: any JournalStorage, options: JournalOptions,
        lockFile: any JournalFile
    ) throws(JournalError) {
        self.folder = folder
        self.storage = storage
        self.options = options
        self.lockFile = lockFile
        file = lockFile  // until `load` has opened a segment
    }

    /// Reads what there is, or begins a journal.
    mutating func load() throws(JournalError) {
        generation = .max  // until this succeeds, the next look starts over
        try storing { () throws(SystemError) in
            segments = try storage.list(folder)
                .compactMap(SegmentName.parse)
        }
        if segments.isEmpty { try begin() }
        let current = try storing { () throws(SystemError) in try readGeneration() }
        guard current != Self.ended else { throw .removed }
        guard let newest = segments.last else { preconditionFailure("begin makes a segment") }
        segment = newest
        try storing { () throws(SystemError) in
            file = try storage.open(path(of: newest), creating: false)
            identity = try file.status().inode
        }
        state = State()
        lastN = 0
        lastTime = Timestamp(milliseconds: 0)
        end = 0
        bytesSinceCheckpoint = 0
        checkpointLength = 0
        if let checkpoint = readCheckpoint() { restore(checkpoint) }
        try readAppended()
        guard lastN > 0 else { throw damage(newest, 0, "the segment has no base record") }
        generation = current
    }

    /// Learns what other processes did since the last look: one small read and one `fstat` if
    /// nothing.
    mutating func catchUp() throws(JournalError) {
        var current: UInt64 = 0
        var size: UInt64 = 0
        try storing { () throws(SystemError) in
            current = try readGeneration()
            size = try file.status().size
        }
        guard current != Self.ended else { throw .removed }
        if current != generation {
            try reload()
        } else if size != end {
            guard size > end else {
                throw damage(segment, size, "the file was cut by something that is not msorch")
            }
            try readAppended()
        }
    }

    /// Another file grows now: reads on from where this process stood if the old one was sealed, or
    /// everything anew if it was replaced.
    private mutating func reload() throws(JournalError) {
        let known = unsynced
        try load()
        guard !known.isEmpty else { return }
        // A replaced file holds what could be saved of ours: look each record up.
        unsynced = []
        var found: [UInt64: UInt32] = [:]
        for name in segments.suffix(2) {
            var lines = LineReader(try openSegment(name), at: 0)
            try storing { () throws(SystemError) in
                while case .line(let bytes) = try lines.peek() {
                    if let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) {
                        found[frame.n] = frame.checksum
                    }
                    lines.advance(over: bytes)
                }
            }
        }
        for record in known where found[record.n] != record.checksum { lost.insert(record.n) }
    }

    /// Applies the lines behind `end`; sets a dead writer's unfinished tail aside.
    mutating func readAppended() throws(JournalError) {
        var lines = LineReader(file, at: end)
        while true {
            var piece = LineReader.Piece.end
            try storing { () throws(SystemError) in piece = try lines.peek() }
            guard case .line(let bytes) = piece else {
                if piece != .end { try settleTail(at: lines.offset) }
                return
            }
            guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }),
                frame.n == (end == 0 ? segment : nextN)
            else { return try settleTail(at: lines.offset) }
            let location = RecordLocation(
                segment: segment, offset: lines.offset, length: UInt32(bytes.count + 1))
            do throws(StateError) {
                try apply(bytes[...], n: frame.n, time: frame.time, at: location)
            } catch {
                throw damage(segment, lines.offset, error.message)
            }
            durable = max(durable, frame.durable)
            accept(
                n: frame.n, time: frame.time, checksum: frame.checksum,
                length: UInt64(bytes.count + 1))
            lines.advance(over: bytes)
        }
    }

    /// The line at `offset` is not good. If it was durable, that is damage; else it and all behind
    /// it is what a writer left that died before anybody was told of it.
    private mutating func settleTail(at offset: UInt64) throws(JournalError) {
        var size: UInt64 = 0
        var claimed = durable
        var lines = LineReader(file, at: offset)
        try storing { () throws(SystemError) in
            size = try file.status().size
            while true {
                switch try lines.peek() {
                case .line(let bytes):
                    claimed = max(claimed, RecordFrame.durable(claimedWithin: bytes))
                    lines.advance(over: bytes)
                case .fragment, .end: return
                }
            }
        }
        guard end > 0, claimed < nextN else {
            throw damage(segment, offset, "the record fails its checksum")
        }
        try storing { () throws(SystemError) in
            let torn = try file.bytes(at: offset, count: Int(size - offset))
            let path = "\(folder)/torn-\(nextN).bin"
            let kept = try storage.open(path, creating: true)
            try kept.writeAll(torn, at: try kept.status().size)
            try kept.sync()
            try storage.syncDirectory(folder)
            try file.truncate(to: offset)
        }
    }

    /// Makes the folder and the first segment: a base record of the empty state.
    private mutating func begin() throws(JournalError) {
        let numbers = "\(Self.digits(1)) \(Self.digits(0))"
        try storing { () throws(SystemError) in try lockFile.writeAll(Array(numbers.utf8), at: 0) }
        try writeSegment(name: 1, lines: [baseLine(n: 1)])
        segments = [1]
        keepReserve()
    }

    /// The base record of the present state.
    func baseLine(n: UInt64) -> [UInt8] {
        var line: [UInt8] = []
        _ = RecordFrame.append(n: n, time: now, durable: durable, to: &line) {
            state.encodeBase(to: &$0)
        }
        return line
    }

    /// Writes a whole segment beside the others and renames it into place, durably.
    func writeSegment(name: UInt64, lines: [[UInt8]]) throws(JournalError) {
        let temporary = path(of: name) + ".new"
        try storing { () throws(SystemError) in
            try storage.remove(temporary)
            let file = try storage.open(temporary, creating: true)
            var offset: UInt64 = 0
            for line in lines {
                try file.writeAll(line, at: offset)
                offset += UInt64(line.count)
            }
            try file.sync()
            try storage.rename(temporary, to: path(of: name))
            try storage.syncDirectory(folder)
        }
    }

    /// The lock file's two numbers, 20 digits each: the generation, and the highest `n` that any
    /// process has synced. Nobody syncs the file itself: a lost number is only known a little
    /// later.
    mutating func readGeneration() throws(SystemError) -> UInt64 {
        let text = try lockFile.bytes(at: 0, count: 41)
        let numbers = String(decoding: text, as: UTF8.self).split(separator: " ")
        if numbers.count == 2, let n = UInt64(numbers[1]) { durable = max(durable, n) }
        return numbers.first.flatMap { UInt64($0) } ?? 0
    }

    /// The generation of a journal that was ended.
    static var ended: UInt64 { .max }

    /// From here on nobody can use the journal, not even who has it open.
    func markEnded() throws(JournalError) {
        let text = Array(Self.digits(Self.ended).utf8)
        try storing { () throws(SystemError) in try lockFile.writeAll(text, at: 0) }
    }

    /// Tells later writers what is on the disk, so that they know damage from an unfinished write.
    func publishDurable() {
        try? lockFile.writeAll(Array(" \(Self.digits(durable))".utf8), at: 20)
    }

    private static func digits(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }

    mutating func raiseGeneration() throws(JournalError) {
        let text = Array(Self.digits(generation + 1).utf8)
        try storing { () throws(SystemError) in try lockFile.writeAll(text, at: 0) }
        generation += 1
    }
}
