import JSON
import Posix

/// A journal's retained records as they stood at one moment, read without the lock while others go
/// on.
///
/// Consumed segments may be deleted meanwhile, the oldest first: reading then goes on with the
/// first that is still there.
package struct JournalHistory: Sendable {
    private let folder: String
    private let storage: any JournalStorage
    /// Every segment's name, oldest first.
    package let segments: [UInt64]
    private let newest: UInt64
    private let newestFile: any JournalFile
    /// Where it ended in the newest segment.
    private let length: UInt64
    private let cursor: RecordCursor

    /// Below so many bytes a segment is read line by line rather than halved.
    private static let smallest: UInt64 = 64 * 1024

    package init<State>(_ session: JournalSession<State>) {
        folder = session.folder
        storage = session.storage
        segments = session.segments
        newest = session.segment
        newestFile = session.file
        length = session.end
        cursor = session.records(from: session.endLocation)
    }

    /// Right behind its last record.
    package var end: RecordLocation {
        RecordLocation(segment: newest, offset: length, length: 0)
    }

    /// Where the oldest retained segment begins.
    package var start: RecordLocation {
        RecordLocation(segment: segments.first ?? newest, offset: 0, length: 0)
    }

    /// The records from `location` on, in order.
    package func records(from location: RecordLocation) -> RecordCursor {
        cursor.passingMissingSegments(from: location)
    }

    /// The first record of the oldest segment that is still there.
    package func oldest() throws(JournalError) -> RecordLine? {
        var records = records(from: start)
        return try records.next()
    }

    /// A segment's first record, the state before all others in it; `nil` if it is gone.
    package func base(of segment: UInt64) throws(JournalError) -> RecordLine? {
        var records = records(from: RecordLocation(segment: segment, offset: 0, length: 0))
        guard let line = try records.next(), line.location.segment == segment else { return nil }
        return line
    }

    /// Where the first record stands for which `isReached` holds, as it must for all behind it;
    /// `end` if there is none. Reads a few lines of a few segments.
    package func first(
        where isReached: (_ n: UInt64, _ time: Timestamp) -> Bool
    ) throws(JournalError) -> RecordLocation {
        var behind = end
        for name in segments.reversed() {
            guard let file = try open(name) else { return behind }
            let size = name == newest ? length : try size(of: file)
            guard let head = try numbers(file, name, at: 0) else { return behind }
            if isReached(head.n, head.time) {
                behind = RecordLocation(segment: name, offset: 0, length: 0)
                continue
            }
            let offset = try search(file, name, size, isReached)
            return offset.map { RecordLocation(segment: name, offset: $0, length: 0) } ?? behind
        }
        return behind
    }

    /// What is wrong where the records before `line` cannot be found: nothing if they are consumed
    /// and deleted, since those are the oldest.
    package func gap(before line: RecordLine) throws(JournalError) -> JournalError? {
        guard let oldest = try oldest(), oldest.n < line.n else { return nil }
        let (segment, offset) = (line.location.segment, line.location.offset)
        return damage(segment, offset, "the records before \(line.n) are missing")
    }

    /// The record `n`; `nil` if it is not retained, or not there yet.
    package func record(_ n: UInt64) throws(JournalError) -> RecordLine? {
        var records = records(from: try first { number, _ in number >= n })
        guard let line = try records.next(), line.n == n else { return nil }
        return line
    }

    /// Every record from the last to the first, until `visit` has had enough.
    ///
    /// - Parameter visit: whether to go on.
    package func backwards(_ visit: (RecordLine) throws -> Bool) throws {
        for name in segments.reversed() {
            guard let file = try open(name) else { return }
            var lines = BackwardLineReader(
                file, endingAt: name == newest ? length : try size(of: file))
            while let (offset, bytes) = try lines.previous() {
                guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) else {
                    throw damage(name, offset, "the record fails its checksum")
                }
                let location = RecordLocation(
                    segment: name, offset: offset, length: UInt32(bytes.count + 1))
                let line = RecordLine(
                    n: frame.n, time: frame.time, location: location, bytes: bytes)
                guard try visit(line) else { return }
            }
        }
    }

    /// The offset of the first line that is reached; the first one is not.
    private func search(
        _ file: any JournalFile, _ name: UInt64, _ size: UInt64,
        _ isReached: (UInt64, Timestamp) -> Bool
    ) throws(JournalError) -> UInt64? {
        // The line at `low` is not reached; every line from `high` on is.
        var low: UInt64 = 0
        var high = size
        while high - low > Self.smallest {
            let middle = low + (high - low) / 2
            var lines = LineReader(file, at: middle)
            let piece = try storing { () throws(SystemError) in try lines.peek() }
            guard case .line(let rest) = piece else {
                high = middle
                continue
            }
            lines.advance(over: rest)
            guard lines.offset < high, let found = try numbers(file, name, at: lines.offset) else {
                high = middle
                continue
            }
            if isReached(found.n, found.time) { high = middle } else { low = lines.offset }
        }
        var lines = LineReader(file, at: low)
        while lines.offset < size {
            guard let found = try numbers(file, name, at: lines.offset) else { return nil }
            if isReached(found.n, found.time) { return lines.offset }
            guard
                case .line(let bytes) = try storing({ () throws(SystemError) in try lines.peek() })
            else { return nil }
            lines.advance(over: bytes)
        }
        return nil
    }

    /// What the line at `offset` begins with; `nil` at the end of the file.
    private func numbers(
        _ file: any JournalFile, _ name: UInt64, at offset: UInt64
    ) throws(JournalError) -> (n: UInt64, time: Timestamp)? {
        let bytes = try storing { () throws(SystemError) in
            try file.bytes(at: offset, count: RecordFrame.longestNumbers)
        }
        guard !bytes.isEmpty else { return nil }
        guard let numbers = bytes.withUnsafeBytes({ RecordFrame.numbers(inStartOf: $0) }) else {
            throw damage(name, offset, "no record begins here")
        }
        return numbers
    }

    /// `nil` if the segment is gone.
    private func open(_ name: UInt64) throws(JournalError) -> (any JournalFile)? {
        if name == newest { return newestFile }
        do throws(SystemError) {
            return try storage.open("\(folder)/\(SegmentName.file(name))", creating: false)
        } catch  where error.isNotFound {
            return nil
        } catch {
            throw .storage(error)
        }
    }

    private func size(of file: any JournalFile) throws(JournalError) -> UInt64 {
        try storing { () throws(SystemError) in try file.status().size }
    }

    private func damage(_ name: UInt64, _ offset: UInt64, _ reason: String) -> JournalError {
        .damaged(file: "\(folder)/\(SegmentName.file(name))", offset: offset, reason: reason)
    }
}
