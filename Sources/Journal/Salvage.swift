import Posix

/// Reads what is left of a damaged journal, and puts another in its place.
package enum Salvage {
    package enum Piece: Sendable {
        case record(RecordLine)
        /// Bytes that are no record any more, or a record that came before; up to the next newline.
        case harmed(bytes: Int)
    }

    /// Runs `body` while nobody else can use the journal in `folder`; then what `body` made at
    /// `copy` is in its place, and the old folder, file by file as it was, at `aside`. Whoever has
    /// the old one open gets `removed` from then on. A crash leaves either the old one or the new
    /// one there, where the file system can exchange names (`JournalStorage.exchange`); a failure
    /// before that leaves the old one as it was, and nothing of the new one.
    package static func replace(
        folder: String, with copy: String, aside: String,
        storage: any JournalStorage = DiskStorage(), _ body: () throws -> Void
    ) throws {
        let path = "\(folder)/lock"
        let lockFile = try storingInPlace { () throws(SystemError) in
            try storage.open(path, creating: true)
        }
        try lockFile.lock(JournalOptions())
        defer { lockFile.unlock() }
        let isThere = try storing { () throws(SystemError) in
            guard try lockFile.isInPlace(at: path, storage) else { return false }
            let words = LockWords(try lockFile.bytes(at: 0, count: LockWords.length))
            return words.generation != LockWords.ended
        }
        guard isThere else { throw JournalError.removed }
        var original: [UInt8] = []
        var made = copy
        do {
            try body()
            try storing { () throws(SystemError) in
                original = try lockFile.bytes(at: 0, count: Int(try lockFile.status().size))
                let words = LockWords(original)
                try storage.syncDirectory(copy)
                // From now on others look whether the folder is still in its place. If it stays
                // there, what was on the disk must still be known.
                try lockFile.writeAll(
                    LockWords.encode(
                        generation: LockWords.replaced, durable: words.durable ?? 0,
                        deletions: words.deletions ?? 0), at: 0)
                try storage.rename(copy, to: aside)
                made = aside
                crashPoint("before-exchange")
                try storage.exchange(aside, folder)
            }
        } catch {
            if (try? lockFile.isInPlace(at: path, storage)) == true {
                if !original.isEmpty {
                    try? lockFile.writeAll(original, at: 0)
                    try? lockFile.truncate(to: UInt64(original.count))
                }
                try? storage.removeTree(made)
            }
            throw error
        }
        crashPoint("after-exchange")
        try storing { () throws(SystemError) in
            try storage.syncDirectory(FileSystem.parent(of: folder))
            // Others hold the file, so the old folder gets it back as another one.
            let restored = try storage.open("\(aside)/lock.new", creating: true)
            try restored.writeAll(original, at: 0)
            try storage.rename("\(aside)/lock.new", to: "\(aside)/lock")
            try storage.syncDirectory(aside)
        }
    }

    /// Every line of a `torn-<n>.bin`, good or not. Its records lie in no segment.
    package static func read(
        torn fileName: String, in folder: String, storage: any JournalStorage = DiskStorage(),
        _ visit: (Piece) throws -> Void
    ) throws {
        let file = try storage.open("\(folder)/\(fileName)", creating: false)
        var lines = LineReader(file, at: 0)
        var next: UInt64 = 0
        while true {
            switch try lines.peek() {
            case .end: return
            case .fragment(let bytes): return try visit(.harmed(bytes: bytes))
            case .line([]): lines.advance(over: [])  // prepared room
            case .line(let bytes):
                if let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }), frame.n >= next
                {
                    next = frame.n + 1
                    let location = RecordLocation(
                        segment: 0, offset: lines.offset, length: UInt32(bytes.count + 1))
                    try visit(
                        .record(
                            RecordLine(
                                n: frame.n, time: frame.time, location: location, bytes: bytes)))
                } else {
                    try visit(.harmed(bytes: bytes.count + 1))
                }
                lines.advance(over: bytes)
            }
        }
    }

    /// The record at a place that `SalvagedLines` told of; `nil` if it is no record any more.
    package static func line(
        at location: RecordLocation, in folder: String, storage: any JournalStorage
    ) throws -> RecordLine? {
        let path = "\(folder)/\(SegmentName.file(location.segment))"
        let bytes = try storage.open(path, creating: false)
            .bytes(at: location.offset, count: Int(location.length)).dropLast()
        guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) else { return nil }
        return RecordLine(n: frame.n, time: frame.time, location: location, bytes: Array(bytes))
    }
}
