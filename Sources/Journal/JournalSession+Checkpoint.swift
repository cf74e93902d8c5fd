import JSON
import Posix

/// Checkpoints, and what happens when a segment is full or a sync has failed. The caller holds the
/// lock.
extension JournalSession {
    private var checkpointPath: String { "\(folder)/\(CheckpointFile.name)" }

    /// Goes on from the newest checkpoint, if it is whole and speaks of this very journal. Never an
    /// error: without one, opening reads from the segment's base record on.
    mutating func restoreCheckpoint() {
        let checkpoint = CheckpointFile(folder: folder, storage: storage)
        guard let place = checkpoint.place, place.segment == segment,
            let fileSize = try? file.status().size, place.offset <= fileSize,
            checkpoint.fits(file)
        else { return }
        guard let (record, length) = checkpoint.read(&state) else {
            state = State()
            return
        }
        lastN = record.n
        lastTime = record.time
        durable = max(durable, record.durable)
        end = place.offset
        lastChecksum = place.checksum
        checkpointLength = length
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
        if state.isIndexDue || bytesSinceCheckpoint >= due || hasPassedSegments {
            return .checkpoint
        }
        if isRoomDue { return .room }
        return state.isEmpty && segments.count > 1 ? .reclaim : nil
    }

    /// What a transaction owes before it unlocks, or soon after. A failure here is not the
    /// transaction's: its record is written, and a later one tries again.
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
        if state.isEmpty, end >= options.emptyBytes { lookAfterReserve() }
        tidy()
        guard bytesSinceCheckpoint >= max(options.openingBytes, checkpointLength / 8) else {
            return
        }
        try? writeCheckpoint()
    }

    /// Replaces the checkpoint, which speaks of what is on the disk only. Nobody syncs it: what
    /// power loss leaves of it fails its checksum, or is an older one. One that fails is due again
    /// after as many bytes as one that does not.
    mutating func writeCheckpoint() throws(JournalError) {
        guard isLoaded else { return }
        bytesSinceCheckpoint = 0
        // It is a shortcut: what a full disk has left is for records.
        try storing { () throws(SystemError) in try requireReserve() }
        if durable < lastN { try syncHere() }
        writeIndex()
        var place: [UInt8] = []
        JSONWriter.append("\"segment\":", &place)
        JSONWriter.appendInteger(segment, to: &place)
        JSONWriter.append(",\"offset\":", &place)
        JSONWriter.appendInteger(end, to: &place)
        JSONWriter.append(",\"before\":\"", &place)
        JSONWriter.appendHexadecimal(UInt64(lastChecksum), digits: 8, to: &place)
        JSONWriter.append("\",", &place)
        var length: UInt64 = 0
        try storing { () throws(SystemError) in
            try storage.replace(checkpointPath) { file throws(SystemError) in
                length = try state.write(
                    n: lastN, time: lastTime, durable: durable, behind: place, to: file)
                crashPoint("before-checkpoint-rename")
            }
            crashPoint("after-checkpoint-rename")
        }
        checkpointLength = length
        keepReserve()
    }

    /// Without it who opens the journal reads more of it; nothing else.
    private mutating func writeIndex() {
        guard (try? requireReserve()) != nil else { return }
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
        let session = self
        _ = try writeSegment(name: name) { file throws(SystemError) in
            try session.writeBase(n: name, to: file)
        }
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
        let replaced = try writeSegment(name: segment) { file throws(SystemError) in
            var offset: UInt64 = 0
            for line in lines {
                try file.writeAll(line, at: offset)
                offset += UInt64(line.count)
            }
        }
        try storing { () throws(SystemError) in
            file = try storage.open(
                path(of: segment), creating: false)
            identity = try file.status().inode
        }
        edition += 1
        (fileSize, room.isOurs) = (end, false)
        syncs.forget()
        generation = replaced
        markDurable(lastN)
    }
}
