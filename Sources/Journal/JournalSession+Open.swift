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
    mutating func load(creating: Bool = false) throws(JournalError) {
        generation = LockWords.ended  // until this succeeds, the next look starts over
        edition += 1
        news += 1
        try checkPlace()
        try storing { () throws(SystemError) in
            let names = try storage.list(folder)
            segments = names.compactMap(SegmentName.parse)
            // What a writer left that died before the renaming.
            for name in names where name.hasSuffix(DiskStorage.unfinished) {
                try? storage.remove("\(folder)/\(name)")
            }
        }
        if segments.isEmpty { try begin(creating: creating) }
        let current = try settleNames()
        guard let newest = segments.last else { preconditionFailure("begin makes a segment") }
        segment = newest
        try storing { () throws(SystemError) in
            file = try storage.open(path(of: newest), creating: false)
            let status = try file.status()
            (identity, fileSize) = (status.inode, status.size)
            room.isOurs = false
        }
        state = State()
        lastN = 0
        lastTime = Timestamp(milliseconds: 0)
        end = 0
        bytesSinceCheckpoint = 0
        checkpointLength = 0
        restoreCheckpoint()
        unproven = nil
        let start = try readAppended().unproven
        // A torn tail may have cost the file its place: then there is a new generation.
        let reached = isLoaded ? generation : current
        generation = LockWords.ended
        if durable < lastN, let start, start < end { unproven = start..<end }
        guard lastN > 0 else { throw damage(newest, 0, "the segment has no base record") }
        guard lastN >= durable else {
            throw damage(newest, end, "the records \(nextN) to \(durable) are missing")
        }
        if let needed = state.oldestSegment, needed > 0, !segments.contains(needed) {
            throw damage(needed, 0, "the segment is missing")
        }
        generation = reached
        mustList = false
        // What could go before is left to the next checkpoint: opening costs the same at any depth.
        lookedUpTo = backlogStart
    }

    /// Learns what other processes did since the last look: one small read and one `fstat` if
    /// nothing, and another read where room was prepared.
    ///
    /// - Parameter limit: bytes of records to read at most.
    /// - Returns: `false` if there is more to learn than that.
    @discardableResult
    mutating func catchUp(upTo limit: UInt64 = .max) throws(JournalError) -> Bool {
        isReserveKept = false
        let current: UInt64
        let links: UInt64
        do throws(SystemError) {
            current = try readGeneration()
            let status = try file.status()
            (fileSize, links) = (status.size, status.links)
        } catch {
            throw .storage(error)
        }
        guard current != LockWords.ended else { throw .removed }
        guard isUp(to: current) else {
            guard limit == .max else { return false }
            try reload()
            return true
        }
        guard links > 0 else {
            throw damage(segment, 0, "the file was removed by something that is not msorch")
        }
        if mustList {
            try listSegments()
            mustList = false
        }
        if fileSize != end {
            guard fileSize > end else {
                throw damage(segment, fileSize, "the file was cut by something that is not msorch")
            }
            // Not in a closure of its own, which would copy all of this.
            let isMore: Bool
            do throws(SystemError) {
                isMore = try hasAppended()
            } catch {
                throw .storage(error)
            }
            if isMore {
                guard try isWithin(limit) else { return false }
                return try readAppended(settling: limit == .max).isWhole
            }
        }
        return true
    }

    /// Whether no record stands further behind the last known one than `limit`: empty lines are
    /// room, and all that is behind them.
    private func isWithin(_ limit: UInt64) throws(JournalError) -> Bool {
        guard fileSize - end > limit else { return true }
        let bytes = try storing { () throws(SystemError) in
            try file.bytes(at: end + limit, count: 2)
        }
        return bytes == [PreparedRoom.padding, PreparedRoom.padding]
    }

    /// Whether other processes did something since the last look.
    mutating func isBehind() throws(JournalError) -> Bool {
        try storing { () throws(SystemError) in
            guard isUp(to: try readGeneration()) else { return true }
            guard try file.status().size != end else { return false }
            return try hasAppended()
        }
    }

    /// Whether something else than prepared room stands behind the last known record.
    private func hasAppended() throws(SystemError) -> Bool {
        try file.bytes(at: end, count: 1, unless: PreparedRoom.paddingByte) != nil
    }

    /// Another file grows now: reads on from where this process stood if the old one was sealed, or
    /// everything anew if it was replaced.
    private mutating func reload() throws(JournalError) {
        let known = unsynced
        try load()
        guard !known.isEmpty else { return }
        let current = generation
        generation = LockWords.ended  // until each is accounted for
        // A replaced file holds what could be saved of ours: look each record up.
        var found: [UInt64: UInt32] = [:]
        for name in Set(known.compactMap { holder(of: $0.n) }) {
            found.merge(try checksums(in: openSegment(name))) { $1 }
        }
        // A segment that is gone was sealed, synced and done with.
        let lost = known.first {
            holder(of: $0.n) != nil && found[$0.n] != $0.checksum
        }
        if let lost { losses.add(lost.n) }
        unsynced = []
        generation = current
    }

    /// The segment that a record is in; `nil` if it is gone.
    private func holder(of n: UInt64) -> UInt64? { segments.last { $0 <= n } }

    /// Applies the lines behind `end`; sets a dead writer's unfinished tail aside.
    ///
    /// - Parameter settling: whether there is time for that.
    /// - Returns: where the first record begins that is not known to be durable, if one was read;
    /// and whether no tail is left.
    @discardableResult
    private mutating func readAppended(
        settling: Bool = true
    ) throws(JournalError) -> (unproven: UInt64?, isWhole: Bool) {
        var starts: [(n: UInt64, offset: UInt64)] = []
        if end == 0, let base = restoreBase() { starts.append((base, 0)) }
        var lines = LineReader(file, at: end)
        while true {
            var piece = LineReader.Piece.end
            try storing { () throws(SystemError) in piece = try lines.peek() }
            guard case .line(let bytes) = piece,
                let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }),
                frame.n == (end == 0 ? segment : nextN)
            else {
                // Behind room that a living process found at the end is nothing but room.
                let isTorn = piece != .end && (piece != .line([]) || !isLoaded)
                if isTorn, settling { try settleTail(at: lines.offset) }
                return (starts.first { $0.n > durable }?.offset, settling || !isTorn)
            }
            let location = RecordLocation(
                segment: segment, offset: lines.offset, length: UInt32(bytes.count + 1))
            do throws(StateError) {
                try apply(bytes[...], n: frame.n, time: frame.time, at: location)
            } catch {
                if error.isNewer {
                    throw .newerFormat(file: path(of: segment), reason: error.message)
                }
                throw damage(segment, lines.offset, error.message)
            }
            news += 1
            durable = max(durable, frame.durable)
            if starts.count > 2 * Int(clamping: frame.n - min(frame.n, durable)) + 64 {
                starts.removeAll { $0.n <= durable }
            }
            if frame.n > durable { starts.append((frame.n, lines.offset)) }
            accept(
                n: frame.n, time: frame.time, checksum: frame.checksum,
                length: UInt64(bytes.count + 1))
            lines.advance(over: bytes)
        }
    }

    /// Reads the segment's base record in pieces, if it is long and good.
    /// - Returns: its number.
    private mutating func restoreBase() -> UInt64? {
        guard fileSize > LongLine.pieceLength, let line = LongLine(file, longAt: 0),
            line.start.n == segment
        else { return nil }
        let length = UInt64(line.length + 1)
        let location = RecordLocation(
            segment: segment, offset: 0, length: UInt32(clamping: length))
        do throws(StateError) {
            try state.restore(line, at: location)
        } catch {
            state = State()
            return nil
        }
        news += 1
        durable = max(durable, line.start.durable)
        accept(
            n: line.start.n, time: line.start.time, checksum: line.start.checksum, length: length)
        return line.start.n
    }

    /// The line at `offset` is not good, or empty. If it was durable, that is damage; else it and
    /// all behind it is what a writer left that died before anybody was told of it: kept beside,
    /// and cut off, lest it be taken for records once others have been written up to it. Where
    /// there is nothing but room, that stays.
    private mutating func settleTail(at offset: UInt64) throws(JournalError) {
        let content = try storing { () throws(SystemError) in
            try file.endOfContent(from: offset)
        }
        guard content > offset else { return }
        var claimed = durable
        var lines = LineReader(file, at: offset, limit: content)
        try storing { () throws(SystemError) in
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
            let torn = try file.bytes(at: offset, count: Int(content - offset))
            do throws(SystemError) {
                try keep(torn: torn)
            } catch {
                // To go on is what the reserve is for.
                guard error.isDiskFull, cutReserve() else { throw error }
                try keep(torn: torn)
            }
            crashPoint("before-torn-cut")
        }
        // No sync of it would prove anything: what takes its place has no tail.
        if isSuspect { return try replaceSegment() }
        try storing { () throws(SystemError) in
            try cutRoom()
            try syncs.sync(file, identity)
        }
    }

    /// Sets what a dead writer left aside, durably, in a file of its own: or in the one that
    /// somebody began for it who died before the cut.
    private func keep(torn: [UInt8]) throws(SystemError) {
        var tears = 1
        while true {
            let path = "\(folder)/\(TornName.file(nextN, tears))"
            let kept = try storage.open(path, creating: true)
            let size = try kept.status().size
            tears += 1
            guard size <= torn.count,
                try torn.starts(with: kept.bytes(at: 0, count: Int(size)))
            else { continue }
            do throws(SystemError) {
                try kept.writeAll(torn, at: 0)
                try kept.sync()
            } catch {
                try? storage.remove(path)
                throw error
            }
            return try storage.syncDirectory(folder)
        }
    }

    /// Makes the first segment: a base record of the empty state.
    /// - Throws: `damaged` if there was one.
    private mutating func begin(creating: Bool) throws(JournalError) {
        try storing { () throws(SystemError) in try readLock() }
        let words = lockWords
        // A journal that was begun has a higher generation.
        guard creating, words.isBlank || (words.generation ?? 2) <= 1 && words.durable == 0 else {
            let last = words.durable ?? 0
            throw .damaged(
                file: folder, offset: 0,
                reason: "its segments are missing"
                    + (last > 0 ? ", with the records 1 to \(last) at least" : ""))
        }
        try write(generation: 0)
        let session = self
        _ = try writeSegment(name: 1) { file throws(SystemError) in
            try session.writeBase(n: 1, to: file)
        }
        segments = [1]
        keepReserve()
    }

    /// Writes the base record of the present state, with which a segment begins.
    func writeBase(n: UInt64, to file: any JournalFile) throws(SystemError) {
        _ = try state.write(n: n, time: now, durable: durable, to: file)
    }

    /// Writes a whole segment beside the others and renames it into place, durably. From before the
    /// renaming until the name is on the disk the generation is odd: should this process end
    /// between, whoever comes next sees that and brings it to its end. From then on the session is
    /// not loaded: it may know of a file that nobody reads any more.
    ///
    /// - Returns: the new generation, even again.
    mutating func writeSegment(
        name: UInt64, _ fill: (any JournalFile) throws(SystemError) -> Void
    ) throws(JournalError) -> UInt64 {
        let temporary = path(of: name) + DiskStorage.unfinished
        do throws(SystemError) {
            try storage.remove(temporary)
            let file = try storage.open(temporary, creating: true)
            try fill(file)
            try file.sync()
        } catch {
            try? storage.remove(temporary)
            throw .storage(error)
        }
        let present = try storing { () throws(SystemError) in try readGeneration() }
        let unfinished = (present == Self.unknown ? freshGeneration : present) | 1
        try write(generation: unfinished)
        try storing { () throws(SystemError) in
            crashPoint("before-segment-rename")
            generation = LockWords.ended
            try storage.rename(temporary, to: path(of: name))
            crashPoint("after-segment-rename")
            try storage.syncDirectory(folder)
            crashPoint("before-generation")
        }
        try write(generation: unfinished + 1)
        return unfinished + 1
    }

    /// - Throws: `removed` if the journal was, whatever stands in its place now.
    private mutating func checkPlace() throws(JournalError) {
        let isOurs = try storing { () throws(SystemError) in
            try readLock()
            switch lockWords.generation {
            case LockWords.ended: return false
            case LockWords.replaced:
                let there = try storage.open("\(folder)/lock", creating: false).status()
                return try there.inode == lockFile.status().inode
            default: return true
            }
        }
        guard isOurs else { throw .removed }
    }

    /// The generation, after what a dead process began to rename is on the disk under its name; and
    /// after what is not known of it was set anew, to what it never was.
    private mutating func settleNames() throws(JournalError) -> UInt64 {
        var current = try storing { () throws(SystemError) in try readGeneration() }
        switch current {
        case LockWords.replaced, Self.unknown: current = freshGeneration
        default: guard !current.isMultiple(of: 2) else { return current }
        }
        try storing { () throws(SystemError) in
            try storage.syncDirectory(folder)
            try syncParents()
        }
        let settled = current + current % 2
        try write(generation: settled)
        return settled
    }

    /// Runs `body`, which gives the folder its name, and brings that to the disk. The generation is
    /// odd meanwhile: should this process end between, whoever comes next sees to it before
    /// anything in the journal counts as on the disk.
    mutating func settleName(_ body: () throws -> Void) throws {
        try write(generation: generation | 1)
        try body()
        crashPoint("after-queue-rename")
        try storing { () throws(SystemError) in try syncParents() }
        generation = (generation | 1) + 1
        try write(generation: generation)
    }

    /// The folder's name, and those of the folders above it, which it may be the first to need.
    private func syncParents() throws(SystemError) {
        var path = folder
        for _ in 0..<3 {
            path = FileSystem.parent(of: path)
            try storage.syncDirectory(path)
        }
    }

    /// Even, and none that a process can have which knows of other files: it tells of the moment,
    /// and of the newest segment's name and identity.
    private var freshGeneration: UInt64 {
        let newest = segments.last ?? 0
        let file = try? storage.open(path(of: newest), creating: false).status().inode
        let mark = Array("\(newest) \(file ?? 0) \(lastN)".utf8)
        let checksum = mark.withUnsafeBytes { RecordFrame.checksum(of: $0) }
        return UInt64(clamping: max(now.milliseconds, 1)) << 22 | UInt64(checksum >> 11) << 1
    }

    /// The lock file's generation; `unknown` if it is harmed.
    mutating func readGeneration() throws(SystemError) -> UInt64 {
        try readLock()
        durable = max(durable, lockWords.durable ?? 0)
        if lockWords.deletions != deletions {
            deletions = lockWords.deletions ?? deletions
            mustList = true
        }
        return lockWords.generation ?? Self.unknown
    }

    /// Brings `lockWords` up to date.
    private mutating func readLock() throws(SystemError) {
        let changed = try lockFile.bytes(at: 0, count: LockWords.length, unless: lockBytes)
        if let changed { (lockBytes, lockWords) = (changed, LockWords(changed)) }
    }

    private static var unknown: UInt64 { LockWords.replaced - 1 }

    /// From here on nobody can use the journal, not even who has it open.
    func markEnded() throws(JournalError) { try write(generation: LockWords.ended) }

    /// Tells later writers what is on the disk, so that they know damage from an unfinished write.
    mutating func publishDurable() {
        let part = LockWords.encode(durable: durable)
        let start = Int(LockWords.durableOffset)
        try? lockFile.writeAll(part, at: LockWords.durableOffset)
        // What stands there now is known, unless others write as well: then the bytes differ.
        guard lockWords.isWhole, lockBytes.count == LockWords.length else { return }
        lockBytes.replaceSubrange(start..<start + part.count, with: part)
        lockWords.durable = durable
    }

    /// Tells others that they must look which segments there are: before some go.
    mutating func announceDeletion() throws(JournalError) {
        deletions &+= 1
        let bytes = LockWords.encode(deletions: deletions)
        try storing { () throws(SystemError) in
            try lockFile.writeAll(bytes, at: LockWords.deletionsOffset)
        }
    }

    private func write(generation: UInt64) throws(JournalError) {
        let bytes = LockWords.encode(
            generation: generation, durable: durable, deletions: deletions)
        try storing { () throws(SystemError) in try lockFile.writeAll(bytes, at: 0) }
    }
}
