import JSON
import Posix

/// Checkpoints, and what happens when a segment is full or a sync has failed. The caller holds the
/// lock.
extension JournalSession {
    /// A state at a place, and the checksum of the line before it.
    struct Checkpoint {
        var state: State
        var n: UInt64
        var time: Timestamp
        var durable: UInt64
        var segment: UInt64
        var offset: UInt64
        var checksum: UInt32
        var length: UInt64
    }

    private var checkpointPath: String { "\(folder)/\(CheckpointFile.name)" }

    /// The newest checkpoint, if it is whole and speaks of this very journal. Never an error:
    /// without one, opening reads from the segment's base record on.
    func readCheckpoint() -> Checkpoint? {
        let checkpoint = CheckpointFile(folder: folder, storage: storage)
        guard let place = checkpoint.place, place.segment == segment,
            let fileSize = try? file.status().size, place.offset <= fileSize,
            let line = checkpoint.line(at: place.offset, in: segment, file),
            let frame = line.bytes.withUnsafeBytes({ RecordFrame(checking: $0) })
        else { return nil }
        var state = State()
        let applied: Void? = line.bytes.withUnsafeBytes {
            try? state.apply($0, n: line.n, time: line.time, at: line.location)
        }
        guard applied != nil else { return nil }
        return Checkpoint(
            state: state, n: line.n, time: line.time, durable: frame.durable, segment: segment,
            offset: place.offset, checksum: place.checksum, length: UInt64(line.bytes.count + 1))
    }

    mutating func restore(_ checkpoint: Checkpoint) {
        state = checkpoint.state
        lastN = checkpoint.n
        lastTime = checkpoint.time
        durable = max(durable, checkpoint.durable)
        end = checkpoint.offset
        lastChecksum = checkpoint.checksum
        checkpointLength = checkpoint.length
    }

    /// What is to be done about the files.
    enum Chore {
        case roll
        case checkpoint
        case room
        /// Older segments may go. It may be that none can.
        case reclaim
    }

    var chore: Chore? {
        guard isLoaded else { return nil }
        if end >= options.segmentBytes || isWorthLeaving { return .roll }
        let due = max(options.checkpointBytes, 4 * checkpointLength)
        if state.isIndexDue || bytesSinceCheckpoint >= due { return .checkpoint }
        if isRoomDue { return .room }
        return state.isEmpty && segments.count > 1 ? .reclaim : nil
    }

    /// What a transaction owes before it unlocks, or soon after. A failure here is not the
    /// transaction's: its record is written, and the next one tries again.
    mutating func tidy() {
        switch chore {
        case .roll: try? roll()
        case .checkpoint:
            try? compact()
            try? writeCheckpoint()
        case .room: prepareRoom()
        case .reclaim: try? reclaim()
        case nil: break
        }
        if isReserveShort { keepReserve() }
    }

    /// What who opens a journal owes to the next: to read less.
    mutating func tidyAfterOpening() {
        tidy()
        guard bytesSinceCheckpoint >= max(options.openingBytes, checkpointLength / 8) else {
            return
        }
        try? writeCheckpoint()
    }

    /// Replaces the checkpoint, which speaks of what is on the disk only. Nobody syncs it: what
    /// power loss leaves of it fails its checksum, or is an older one.
    mutating func writeCheckpoint() throws(JournalError) {
        if durable < lastN { try syncHere() }
        writeIndex()
        var line: [UInt8] = []
        _ = RecordFrame.append(n: lastN, time: lastTime, durable: durable, to: &line) { members in
            JSONWriter.append("\"segment\":", &members)
            JSONWriter.appendInteger(segment, to: &members)
            JSONWriter.append(",\"offset\":", &members)
            JSONWriter.appendInteger(end, to: &members)
            JSONWriter.append(",\"before\":\"", &members)
            JSONWriter.appendHexadecimal(UInt64(lastChecksum), digits: 8, to: &members)
            JSONWriter.append("\",", &members)
            state.encodeBase(to: &members)
        }
        let temporary = checkpointPath + ".new"
        try storing { () throws(SystemError) in
            try storage.remove(temporary)
            let file = try storage.open(temporary, creating: true)
            try file.writeAll(line, at: 0)
            crashPoint("before-checkpoint-rename")
            try storage.rename(temporary, to: checkpointPath)
            crashPoint("after-checkpoint-rename")
        }
        bytesSinceCheckpoint = 0
        checkpointLength = UInt64(line.count)
        keepReserve()
    }

    /// Without it who opens the journal reads more of it; nothing else.
    private mutating func writeIndex() {
        let session = self
        try? state.writeIndex(session)
    }

    /// Seals the segment and begins the next with the whole state.
    mutating func roll() throws(JournalError) {
        try storing { () throws(SystemError) in try cutRoom() }
        try syncHere()
        writeIndex()
        now = max(now, lastTime)
        let name = nextN
        _ = try writeSegment(name: name, lines: [baseLine(n: name)])
        let mine = unsynced
        unsynced = []
        try load()
        unproven = nil  // it was synced before it had its name
        durable = max(durable, name)
        precondition(mine.allSatisfy { $0.n < name }, "a sealed segment was synced as a whole")
        keepReserve()
        try compact()
    }

    /// Syncs under the lock, before a roll or a checkpoint.
    mutating func syncHere() throws(JournalError) {
        do throws(SystemError) {
            crashPoint("before-sync")
            try syncs.sync(file, identity, writingAnew: unproven)
            crashPoint("after-sync")
        } catch {
            try replaceSegment()
        }
        unproven = nil
        markDurable(lastN)
    }

    mutating func markDurable(_ n: UInt64) {
        durable = max(durable, n)
        unsynced.removeFirst(unsynced.firstIndex { $0.n > n } ?? unsynced.count)
        publishDurable()
    }

    /// After a failed sync no page of the file can be trusted to reach the disk: whatever of it
    /// reads well goes to a new file, which is synced and takes the name. Records are acknowledged
    /// only then.
    mutating func replaceSegment() throws(JournalError) {
        var lines: [[UInt8]] = []
        var reader = LineReader(file, at: 0)
        try storing { () throws(SystemError) in
            while reader.offset < end, case .line(let bytes) = try reader.peek() {
                guard bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) != nil else { break }
                lines.append(bytes + [0x0A])
                reader.advance(over: bytes)
            }
        }
        guard reader.offset == end else {
            throw damage(segment, reader.offset, "a failed sync left this record unreadable")
        }
        let replaced = try writeSegment(name: segment, lines: lines)
        try storing { () throws(SystemError) in
            file = try storage.open(
                path(of: segment), creating: false)
            identity = try file.status().inode
        }
        (fileSize, room.isOurs) = (end, false)
        syncs.forget()
        generation = replaced
        markDurable(lastN)
    }
}
