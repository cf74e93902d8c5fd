import Posix

/// Room that is written ahead of the records, as padding: empty lines. A record that overwrites it
/// changes neither the file's size nor where its blocks lie, so that a sync of it has only the
/// record to write (`docs/decisions/0006-prepared-room.md`). The caller holds the lock.
struct PreparedRoom: Sendable {
    static let padding: UInt8 = 0x0A
    static let paddingByte = [padding]
    /// Padding is written in pieces of this size.
    fileprivate static let pieceBytes = 64 * 1024
    /// The first step, and the groups that are small enough to gain: these parts of the whole.
    fileprivate static let share: UInt64 = 8
    /// What is left when it is time for more: this part of a step.
    fileprivate static let restShare: UInt64 = 16

    /// This process' syncs, and all bytes that were appended, since it was last looked whether room
    /// pays.
    var syncs = 0
    var bytes: UInt64 = 0
    /// Whether this process has prepared what there is.
    var isOurs = false
    /// Whether it will not prepare any more.
    fileprivate var isClosed = false
    /// The segment that could not be padded.
    fileprivate var refused: UInt64?

    init() {}
}

extension JournalSession {
    private var roomStep: UInt64 {
        min(options.preparedBytes, max(options.preparedBytes / PreparedRoom.share, end))
    }

    /// Whether this process syncs often, and there is hardly any room left.
    var isRoomDue: Bool {
        room.syncs >= options.preparingSyncs && !room.isClosed
            && fileSize < end + roomStep / PreparedRoom.restShare
    }

    /// Prepares room, if what this process syncs at a time is little. Without it a journal works as
    /// well.
    mutating func prepareRoom() {
        guard room.syncs > 0 else { return }
        let group = room.bytes / UInt64(room.syncs)
        (room.syncs, room.bytes) = (0, 0)
        let target = min(end + roomStep, options.segmentBytes)
        guard group <= options.preparedBytes / PreparedRoom.share, target > fileSize,
            room.refused != segment
        else { return }
        do throws(SystemError) {
            try file.pad(from: fileSize, to: target)
            fileSize = target
            room.isOurs = true
        } catch {
            room.refused = segment
            try? cutRoom()
        }
    }

    /// Ends the file with its last record.
    mutating func cutRoom() throws(SystemError) {
        try file.truncate(to: end)
        fileSize = end
        room.isOurs = false
    }

    /// Leaves no room behind that nobody else has asked for. For who does not hold the lock yet.
    mutating func leaveRoom() {
        room.isClosed = true
        guard room.isOurs, (try? lockFile.lock(options)) != nil else { return }
        defer { lockFile.unlock() }
        guard (try? catchUp()) != nil, fileSize > end else { return }
        try? cutRoom()
    }
}

extension JournalFile {
    fileprivate func pad(from start: UInt64, to end: UInt64) throws(SystemError) {
        var offset = start
        let piece = [UInt8](repeating: PreparedRoom.padding, count: PreparedRoom.pieceBytes)
        while offset < end {
            let count = min(UInt64(piece.count), end - offset)
            try writeAll(count == piece.count ? piece : Array(piece.prefix(Int(count))), at: offset)
            offset += count
        }
    }

    /// Where what is not padding ends, from `start` on; `start` if there is nothing else. The
    /// newline of its last line belongs to it.
    func endOfContent(from start: UInt64) throws(SystemError) -> UInt64 {
        var end = start
        var offset = start
        while true {
            let piece = try bytes(at: offset, count: PreparedRoom.pieceBytes)
            guard !piece.isEmpty else { return end }
            if let last = piece.lastIndex(where: { $0 != PreparedRoom.padding }) {
                let behind = offset + UInt64(last) + 1
                end = behind + UInt64(try bytes(at: behind, count: 1).count)
            }
            offset += UInt64(piece.count)
        }
    }
}
