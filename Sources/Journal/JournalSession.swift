import JSON
import Posix

/// One queue's journal as one process sees it while it holds the lock: the transaction's view.
///
/// Everything that touches files is here or in its extensions; `Journal` adds threads, waiting and
/// group commit around it.
package struct JournalSession<State: JournaledState>: Sendable {
    package internal(set) var state = State()
    /// Never below the last record's, however the clock steps.
    package internal(set) var now = Timestamp(milliseconds: 0)

    let folder: String
    let storage: any JournalStorage
    let options: JournalOptions
    let lockFile: any JournalFile

    /// The segment that grows, and its name.
    var segment: UInt64 = 0
    var file: any JournalFile
    var identity: UInt64 = 0
    /// Names of all segments, oldest first.
    var segments: [UInt64] = []
    /// Where the next record goes: right behind the last good one.
    var end: UInt64 = 0
    var lastN: UInt64 = 0
    var lastTime = Timestamp(milliseconds: 0)
    var lastChecksum: UInt32 = 0
    /// The highest `n` known to be on the disk, by a sync of ours or another writer's word.
    var durable: UInt64 = 0
    /// The lock file's number, raised whenever another file takes over from the one that grows.
    var generation: UInt64 = 0
    /// Bytes appended since the newest checkpoint, and that checkpoint's size.
    var bytesSinceCheckpoint: UInt64 = 0
    var checkpointLength: UInt64 = 0
    /// Our own records that no sync has covered yet: (n, checksum), to find them again after a
    /// repair.
    var unsynced: [(n: UInt64, checksum: UInt32)] = []
    /// Those of them that a repair could not bring over.
    var lost: Set<UInt64> = []

    /// The sequence number that the next record will get.
    package var nextN: UInt64 { lastN + 1 }
    /// The place that the next record will get.
    package var endLocation: RecordLocation {
        RecordLocation(segment: segment, offset: end, length: 0)
    }

    /// Appends one record and applies it: `members` is what follows `d`, such as `"op":"send",…`.
    ///
    /// - Parameter usesReserve: whether it may be written where a full disk has kept room.
    /// - Throws: `storage` if the system refused; then nothing was appended.
    @discardableResult
    package mutating func append(
        _ members: [UInt8], usesReserve: Bool = false
    ) throws(JournalError) -> RecordLocation {
        let (location, line) = try write(members, usesReserve: usesReserve)
        do throws(StateError) {
            try apply(line.dropLast(), n: lastN, time: now, at: location)
        } catch {
            preconditionFailure("a state takes the records that it decided on: \(error.message)")
        }
        return location
    }

    /// As above, for who has the record at hand: `change` does what applying the line would do.
    package mutating func append(
        _ members: [UInt8], usesReserve: Bool,
        applying change: (inout State, _ n: UInt64, Timestamp, RecordLocation) -> Void
    ) throws(JournalError) {
        let (location, _) = try write(members, usesReserve: usesReserve)
        change(&state, lastN, now, location)
    }

    private mutating func write(
        _ members: [UInt8], usesReserve: Bool
    ) throws(JournalError) -> (location: RecordLocation, line: [UInt8]) {
        let n = nextN
        let (line, checksum) = RecordFrame.encode(
            n: n, time: now, durable: durable, members: members)
        guard line.count <= RecordFrame.maximumLength else {
            throw .recordTooLarge(bytes: line.count)
        }
        do throws(SystemError) {
            try writeAtEnd(line)
        } catch {
            guard usesReserve, error.isNoSpace, releaseReserve() else { throw .storage(error) }
            try storing { () throws(SystemError) in try writeAtEnd(line) }
        }
        let location = RecordLocation(segment: segment, offset: end, length: UInt32(line.count))
        accept(n: n, time: now, checksum: checksum, length: UInt64(line.count))
        unsynced.append((n, checksum))
        return (location, line)
    }

    /// Writes all of it, or leaves the file as it was.
    private func writeAtEnd(_ line: [UInt8]) throws(SystemError) {
        do throws(SystemError) {
            try file.writeAll(line, at: end)
        } catch {
            try? file.truncate(to: end)
            throw error
        }
    }

    private var reservePath: String { "\(folder)/reserve" }

    /// Keeps room for what must go on when the disk is full. Without it a journal works as well;
    /// it is tried again whenever a segment or a checkpoint is written.
    func keepReserve() {
        if let file = try? storage.open(reservePath, creating: false),
            let size = try? file.status().size, size >= UInt64(options.reserveBytes)
        {
            return
        }
        do throws(SystemError) {
            let file = try storage.open(reservePath, creating: true)
            try file.writeAll([UInt8](repeating: 0, count: options.reserveBytes), at: 0)
            try file.sync()
        } catch {
            try? storage.remove(reservePath)
        }
    }

    /// Gives the room away; whether there was any.
    private func releaseReserve() -> Bool {
        guard (try? storage.open(reservePath, creating: false)) != nil else { return false }
        return (try? storage.remove(reservePath)) != nil
    }

    /// The line of a record, without its newline.
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

    /// The records from `location` on, up to now.
    package func records(from location: RecordLocation) -> RecordCursor {
        RecordCursor(session: self, from: location)
    }

    mutating func accept(n: UInt64, time: Timestamp, checksum: UInt32, length: UInt64) {
        lastN = n
        lastTime = max(lastTime, time)
        lastChecksum = checksum
        end += length
        bytesSinceCheckpoint += length
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
        } catch {
            throw .storage(error)
        }
    }

    func path(of segment: UInt64) -> String { "\(folder)/\(SegmentName.file(segment))" }

    func damage(_ segment: UInt64, _ offset: UInt64, _ reason: String) -> JournalError {
        .damaged(file: path(of: segment), offset: offset, reason: reason)
    }
}

/// Segments are named by the sequence number of their first record, 20 digits.
package enum SegmentName {
    package static func file(_ name: UInt64) -> String {
        let digits = String(name)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits + ".jsonl"
    }

    package static func parse(_ file: String) -> UInt64? {
        guard file.utf8.count == 26, file.hasSuffix(".jsonl") else { return nil }
        return UInt64(file.dropLast(6))
    }
}

/// Reads records one after the other, across segments, up to where the journal ended when it was
/// made. It keeps no part of the state, so a transaction may go on changing that.
package struct RecordCursor {
    private let folder: String
    private let storage: any JournalStorage
    private let segments: [UInt64]
    private let newest: UInt64
    private let newestFile: any JournalFile
    private let end: UInt64
    private var segment: UInt64
    private var offset: UInt64
    private var lines: LineReader?

    init<State>(session: JournalSession<State>, from location: RecordLocation) {
        folder = session.folder
        storage = session.storage
        segments = session.segments
        newest = session.segment
        newestFile = session.file
        end = session.end
        segment = location.segment
        offset = location.offset
    }

    /// - Throws: `damaged` at a record that fails its checksum.
    package mutating func next() throws(JournalError) -> RecordLine? {
        while true {
            let start = lines?.offset ?? offset
            if segment == newest, start >= end { return nil }
            if lines == nil { lines = LineReader(try open(segment), at: offset) }
            switch try storing({ () throws(SystemError) in try lines?.peek() ?? .end }) {
            case .line(let bytes):
                guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) else {
                    throw damage(start, "the record fails its checksum")
                }
                lines?.advance(over: bytes)
                return RecordLine(
                    n: frame.n, time: frame.time,
                    location: RecordLocation(
                        segment: segment, offset: start, length: UInt32(bytes.count + 1)),
                    bytes: bytes)
            case .fragment: throw damage(start, "a sealed segment ends inside a record")
            case .end:
                guard let following = segments.first(where: { $0 > segment }) else { return nil }
                segment = following
                offset = 0
                lines = nil
            }
        }
    }

    private func open(_ name: UInt64) throws(JournalError) -> any JournalFile {
        if name == newest { return newestFile }
        let path = "\(folder)/\(SegmentName.file(name))"
        return try storing { () throws(SystemError) in try storage.open(path, creating: false) }
    }

    private func damage(_ offset: UInt64, _ reason: String) -> JournalError {
        .damaged(file: "\(folder)/\(SegmentName.file(segment))", offset: offset, reason: reason)
    }
}
