import JSON
import Posix

/// One queue's journal as one process sees it while it holds the lock: the transaction's view.
///
/// Everything that touches files is here or in its extensions; `Journal` adds threads, waiting and
/// group commit around it.
package struct JournalSession<State: JournaledState>: Sendable {
    /// Never below the last record's, however the clock steps.
    package internal(set) var now = Timestamp(milliseconds: 0)

    let folder: String
    package let storage: any JournalStorage
    let options: JournalOptions
    let lockFile: any JournalFile

    /// The segment that grows, and its name.
    var segment: UInt64 = 0
    var file: any JournalFile
    var identity: UInt64 = 0
    let syncs = SegmentSyncs()
    /// Whether a sync of the file failed: it must be replaced.
    var isSuspect: Bool { syncs.isSuspect(identity) }
    /// What stood in the file when it was opened, and nobody is known to have synced. A sync of it
    /// may have failed before: this handle would not hear of that.
    var unproven: Range<UInt64>?
    /// Names of all segments, oldest first.
    var segments: [UInt64] = []
    /// Sizes of sealed segments, as far as they were asked for: they never change.
    var sealedSizes: [UInt64: UInt64] = [:]
    /// Where the next record goes: right behind the last good one.
    var end: UInt64 = 0
    /// The file's size when it was last looked at; more than `end` where room was prepared.
    var fileSize: UInt64 = 0
    var room = PreparedRoom()
    package internal(set) var lastN: UInt64 = 0
    /// Lines that count as appended, but are not in the file yet; none whenever the lock is free.
    private var pending: [UInt8] = []
    private var pendingRecords: UInt64 = 0
    private var isGathering = false
    /// What there was before the transaction that runs, or stays of it, whatever happens.
    private(set) var start: (end: UInt64, n: UInt64) = (0, 0)
    /// Room on the disk that others may not use.
    var reserve: (any JournalFile)?
    /// Whether it was seen to be whole since the lock was taken.
    var isReserveKept = false
    /// Whether who tidies next must bring it to its size.
    var isReserveShort = false
    /// Why gathered lines could not be written.
    private var failure: JournalError?
    package internal(set) var lastTime = Timestamp(milliseconds: 0)
    var lastChecksum: UInt32 = 0
    /// The highest `n` known to be on the disk, by a sync of ours or another writer's word.
    var durable: UInt64 = 0
    /// The lock file's number, raised whenever another file takes over from the one that grows.
    /// Odd in the lock file alone: names are being changed.
    var generation: UInt64 = 0
    /// Another one whenever a cursor made before may know of what is in no file any more.
    var edition: UInt64 = 0
    /// How often segments were deleted, as far as is known, and whether that has changed.
    var deletions: UInt64 = 0
    var mustList = false
    /// What the lock file held when it was last read: mostly nobody has changed it since.
    var lockBytes: [UInt8] = []
    var lockWords = LockWords([])
    /// Whether this speaks of what is in the files: not after a load that failed.
    var isLoaded: Bool { generation != LockWords.ended }
    /// Whether it speaks of the files of that generation. One that is not loaded speaks of none,
    /// not even of a journal that was ended meanwhile.
    func isUp(to current: UInt64) -> Bool { isLoaded && generation == current }
    /// What whoever goes on is told after another file has begun to take over, and could not be
    /// read: the next look reads everything anew.
    var unread: JournalError { .storage(.unreadable(folder)) }
    /// Bytes appended since the newest checkpoint, or the last attempt at one, and that
    /// checkpoint's size.
    var bytesSinceCheckpoint: UInt64 = 0
    var checkpointLength: UInt64 = 0
    /// Up to which segment, excluded, it was last looked whether older ones can go.
    var lookedUpTo: UInt64 = 0
    /// Our own records that no sync has covered yet: (n, checksum), to find them again after a
    /// repair.
    var unsynced: [(n: UInt64, checksum: UInt32)] = []
    /// Those of them that a repair could not bring over.
    var losses = Losses()
    /// Raised with whatever those may wait for who follow the journal (`Journal.follow`).
    package var news: UInt64 = 0
    /// Last, so that code which knows nothing of `State` finds all else without asking.
    package var state = State()

    /// Gathered lines beyond this are written before the transaction ends.
    private static var pendingLimit: Int { 1024 * 1024 }

    /// A segment that cannot grow is only left if it is larger.
    private static var smallestSegment: UInt64 { 16 * 1024 }

    /// The last record that is in the file.
    var writtenN: UInt64 { lastN - pendingRecords }

    /// How far it got; `nil` if it is not loaded.
    var reach: Reach? {
        guard isLoaded else { return nil }
        return Reach(
            appended: lastN, durable: durable, file: file, identity: identity,
            unproven: unproven, isSuspect: isSuspect, losses: losses)
    }

    /// For all that is here now.
    var ticket: DurabilityTicket { DurabilityTicket(n: lastN, epoch: losses.epoch) }

    /// The sequence number that the next record will get.
    package var nextN: UInt64 { lastN + 1 }
    /// The place that the next record will get.
    package var endLocation: RecordLocation {
        RecordLocation(segment: segment, offset: end, length: 0)
    }

    /// Appends one record and applies it: `members` is what follows `d`, such as `"op":"send",…`.
    ///
    /// - Parameters:
    ///   - usesReserve: whether it may be written where a full disk has kept room.
    ///   - mayRoll: whether another segment may be begun for it.
    /// - Throws: `storage` if the system refused; then nothing was appended.
    @discardableResult
    package mutating func append(
        _ members: [UInt8], usesReserve: Bool = false, mayRoll: Bool = true
    ) throws(JournalError) -> RecordLocation {
        let location = try write(usesReserve: usesReserve, mayRoll: mayRoll) {
            $0.append(contentsOf: members)
        }
        news += 1
        let line = Array("{".utf8) + members + Array("}".utf8)
        do throws(StateError) {
            try apply(line[...], n: lastN, time: now, at: location)
        } catch {
            preconditionFailure("a state takes the records that it decided on: \(error.message)")
        }
        return location
    }

    /// As above, for who has the record at hand: `members` writes it. The caller must do to
    /// `state` what applying the line would, and raise `news` if it is any.
    package mutating func append(
        usesReserve: Bool, unapplied members: (inout [UInt8]) -> Void
    ) throws(JournalError) -> RecordLocation {
        try write(usesReserve: usesReserve, members)
    }

    private mutating func write(
        usesReserve: Bool, mayRoll: Bool = true, _ members: (inout [UInt8]) -> Void
    ) throws(JournalError) -> RecordLocation {
        guard isLoaded else { throw unread }
        if pending.count >= Self.pendingLimit { try flush() }
        if !usesReserve, !isReserveKept {
            try storing { () throws(SystemError) in try requireReserve() }
        }
        let start = pending.count
        let checksum = RecordFrame.append(
            n: nextN, time: now, durable: durable, to: &pending, members: members)
        let length = pending.count - start
        do throws(JournalError) {
            if let failure { throw failure }
            guard length <= RecordFrame.maximumLength else {
                throw .recordTooLarge(bytes: length)
            }
            if !isGathering { try writePending(at: end, usesReserve: usesReserve) }
        } catch {
            pending.removeLast(pending.count - start)
            guard !isGathering, usesReserve, mayRoll, case .storage(let reason) = error,
                reason.isFileTooLarge,
                end > Self.smallestSegment
            else { throw error }
            // This file may not grow; another may.
            try roll()
            return try write(usesReserve: usesReserve, members)
        }
        let location = RecordLocation(segment: segment, offset: end, length: UInt32(length))
        if isGathering { pendingRecords += 1 }
        accept(n: nextN, time: now, checksum: checksum, length: UInt64(length))
        unsynced.append((lastN, checksum))
        return location
    }

    /// A transaction begins, which is taken back if not all of it can be written.
    mutating func markStart() { start = (end, lastN) }

    /// Brings what was appended into the file, so that it can be read.
    package mutating func flush() throws(JournalError) {
        if let failure { throw failure }
        guard !pending.isEmpty else { return }
        do throws(JournalError) {
            try writePending(at: writtenEnd, usesReserve: false)
        } catch {
            failure = error
            throw error
        }
    }

    /// Brings what was appended to the disk. That much of the transaction stays, whatever becomes
    /// of the rest.
    package mutating func settle() throws(JournalError) {
        try flush()
        try syncHere()
        markStart()
    }

    /// What a transaction that began there has brought into the file goes: it will run again, as
    /// all behind it.
    private mutating func takeBack(to start: (end: UInt64, n: UInt64)) {
        guard writtenN > start.n, (try? file.truncate(to: start.end)) != nil else { return }
        fileSize = start.end
        pendingRecords = lastN - start.n
    }

    /// Writes all of it, or leaves the file as it was.
    private mutating func writePending(
        at offset: UInt64, usesReserve: Bool
    ) throws(JournalError) {
        do throws(SystemError) {
            try write(at: offset)
        } catch {
            guard usesReserve, error.isDiskFull, makeRoom() else { throw .storage(error) }
            try storing { () throws(SystemError) in try write(at: offset) }
        }
        pending.removeAll(keepingCapacity: true)
        pendingRecords = 0
    }

    private mutating func write(at offset: UInt64) throws(SystemError) {
        crashPoint("before-append")
        if isCrashPoint("half-append") {
            try? file.writeAll(Array(pending.prefix(pending.count / 2)), at: offset)
            ProcessEnvironment.killSelf()
        }
        do throws(SystemError) {
            try file.writeAll(pending, at: offset)
            crashPoint("after-append")
        } catch {
            try? file.truncate(to: offset)
            fileSize = offset
            throw error
        }
    }

    /// Runs all, with few writes.
    ///
    /// - Returns: those whose records could be written. If these are not all, the state is ahead of
    /// the file: `forgetPending` or `abandonPending` must follow.
    mutating func runTogether(_ batch: [Lined]) -> ArraySlice<Lined> {
        isGathering = true
        run(batch[...])
        try? flush()
        isGathering = false
        guard failure != nil else { return batch[...] }
        let written = batch.prefix { $0.ticket.n <= writtenN }
        // One that is there in part goes: it will run again.
        if written.count < batch.count { takeBack(to: batch[written.count].start) }
        return written
    }

    /// After a write that failed: back to what is in the file.
    mutating func forgetPending() throws(JournalError) {
        abandonPending()
        try load()
    }

    /// As above, for who cannot wait for the files to be read: the next `catchUp` does that.
    mutating func abandonPending() {
        let last = writtenN
        pending = []
        pendingRecords = 0
        failure = nil
        unsynced.removeAll { $0.n > last }
        generation = LockWords.ended
    }

    /// The line of a record, without its newline. What was appended just now needs `flush` first.
    package func read(_ location: RecordLocation) throws(JournalError) -> [UInt8] {
        let file = try openSegment(location.segment)
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try file.bytes(at: location.offset, count: Int(location.length))
        } catch {
            throw .storage(error)
        }
        let line = bytes.dropLast()
        guard bytes.last == 0x0A, line.withUnsafeBytes({ RecordFrame(checking: $0) }) != nil else {
            throw damage(location.segment, location.offset, "the record fails its checksum")
        }
        return Array(line)
    }

    package var folderPath: String { folder }
    /// Every segment's name, oldest first.
    package var segmentNames: [UInt64] { segments }

    /// Whether something was appended that `flush` has yet to bring into the file.
    package var hasUnwritten: Bool { !pending.isEmpty }

    /// Where the records end that are in the file.
    var writtenEnd: UInt64 { end - UInt64(pending.count) }

    /// The records from `location` on that are in the file: all, unless there are unwritten ones.
    package func records(from location: RecordLocation) -> RecordCursor {
        RecordCursor(session: self, from: location)
    }

    /// Lets a cursor go on to where the records in the file end now.
    /// - Returns: `false` if the files were read anew since, and the cursor is of no use.
    package mutating func extend(_ cursor: inout RecordCursor) -> Bool {
        cursor.extend(to: writtenEnd, edition)
    }

    mutating func accept(n: UInt64, time: Timestamp, checksum: UInt32, length: UInt64) {
        lastN = n
        lastTime = max(lastTime, time)
        lastChecksum = checksum
        end += length
        fileSize = max(fileSize, end)
        bytesSinceCheckpoint += length
        room.bytes += length
    }

    mutating func apply(
        _ line: ArraySlice<UInt8>, n: UInt64, time: Timestamp, at location: RecordLocation
    ) throws(StateError) {
        let result = line.withUnsafeBytes { bytes -> Result<Void, StateError> in
            do throws(StateError) {
                return .success(try state.apply(bytes, n: n, time: time, at: location))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    func openSegment(_ name: UInt64) throws(JournalError) -> any JournalFile {
        if name == segment { return file }
        do throws(SystemError) {
            return try storage.open(path(of: name), creating: false)
        } catch  where error.isNotFound && !segments.contains(name) {
            // It was gone before the segments were listed: nobody has just consumed it.
            throw damage(name, 0, "the segment is missing")
        } catch {
            throw .storage(error)
        }
    }

    func path(of segment: UInt64) -> String { "\(folder)/\(SegmentName.file(segment))" }

    func damage(_ segment: UInt64, _ offset: UInt64, _ reason: String) -> JournalError {
        .damaged(file: path(of: segment), offset: offset, reason: reason)
    }
}
