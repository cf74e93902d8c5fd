import JSON
import Posix

/// Reads records one after the other, across segments, up to where the journal ended when it was
/// made. It keeps no part of the state, so a transaction may go on changing that.
package struct RecordCursor: Sendable {
    private let folder: String
    private let storage: any JournalStorage
    private var segments: [UInt64]
    private var newest: UInt64
    private var newestFile: any JournalFile
    private let edition: UInt64
    private var end: UInt64
    private var segment: UInt64
    private var offset: UInt64
    private var lines: LineReader?
    /// The last record that was read; `nil` at first.
    private var last: UInt64?
    /// Whether a segment that is not there any more is passed over rather than an error.
    private var passesMissingSegments = false

    init<State>(session: JournalSession<State>, from location: RecordLocation) {
        folder = session.folder
        storage = session.storage
        segments = session.segments
        newest = session.segment
        newestFile = session.file
        edition = session.edition
        end = session.writtenEnd
        segment = location.segment
        offset = location.offset
    }

    /// Another one of the same journal, for who can do without what is deleted meanwhile.
    func passingMissingSegments(from location: RecordLocation) -> RecordCursor {
        var cursor = from(location)
        cursor.passesMissingSegments = true
        return cursor
    }

    mutating func extend(to end: UInt64, _ edition: UInt64) -> Bool {
        guard edition == self.edition, end >= self.end else { return false }
        self.end = end
        if segment == newest { lines?.limit = end }
        return true
    }

    /// The same records, from another place on.
    package func from(_ location: RecordLocation) -> RecordCursor {
        var other = self
        other.segment = location.segment
        other.offset = location.offset
        other.lines = nil
        other.last = nil
        return other
    }

    /// - Throws: `damaged` at a record that fails its checksum.
    package mutating func next() throws(JournalError) -> RecordLine? {
        while true {
            let start = lines?.offset ?? offset
            if segment == newest, start >= end { return nil }
            if lines == nil {
                guard let file = try open(segment) else {
                    guard try advance(from: nil) else { return nil }
                    continue
                }
                lines = LineReader(file, at: offset, limit: segment == newest ? end : .max)
            }
            switch try storing({ () throws(SystemError) in try lines?.peek() ?? .end }) {
            case .line(let bytes):
                guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) else {
                    throw damage(start, "the record fails its checksum")
                }
                guard frame.n == last.map({ $0 + 1 }) ?? frame.n || passesMissingSegments else {
                    throw damage(start, "the records before \(frame.n) are missing")
                }
                lines?.advance(over: bytes)
                last = frame.n
                return RecordLine(
                    n: frame.n, time: frame.time,
                    location: RecordLocation(
                        segment: segment, offset: start, length: UInt32(bytes.count + 1)),
                    bytes: bytes)
            case .fragment: throw damage(start, "a sealed segment ends inside a record")
            case .end: guard try advance(from: start) else { return nil }
            }
        }
    }

    /// Goes to the start of the next segment, if there is one.
    /// - Throws: `damaged` if the record before that is not where this one ends.
    private mutating func advance(from end: UInt64?) throws(JournalError) -> Bool {
        guard let following = segments.first(where: { $0 > segment }) else { return false }
        if let end, !passesMissingSegments {
            if last == nil, let file = try open(segment) {
                let size = try storing { () throws(SystemError) in try file.status().size }
                var lines = BackwardLineReader(file, endingAt: size)
                last = try lines.previous()?.line.withUnsafeBytes {
                    RecordFrame(checking: $0)?.n
                }
            }
            guard last == following - 1 else {
                throw damage(end, "the records up to \(following - 1) are missing")
            }
        }
        segment = following
        offset = 0
        lines = nil
        return true
    }

    /// `nil` if it is gone and may be.
    private func open(_ name: UInt64) throws(JournalError) -> (any JournalFile)? {
        if name == newest { return newestFile }
        let path = "\(folder)/\(SegmentName.file(name))"
        do throws(SystemError) {
            return try storage.open(path, creating: false)
        } catch  where passesMissingSegments && error.isNotFound {
            return nil
        } catch  where error.isNotFound && !segments.contains(name) {
            throw damage(0, "the segment is missing")
        } catch {
            throw .storage(error)
        }
    }

    private func damage(_ offset: UInt64, _ reason: String) -> JournalError {
        .damaged(file: "\(folder)/\(SegmentName.file(segment))", offset: offset, reason: reason)
    }
}
