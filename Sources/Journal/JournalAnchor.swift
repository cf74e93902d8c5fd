import JSON
import Posix

/// A place in a journal that can be told from the same place in another: where a record ends, and
/// its checksum.
package struct JournalAnchor: Equatable, Sendable {
    package var n: UInt64
    package var segment: UInt64
    /// Right behind the record.
    package var offset: UInt64
    package var checksum: UInt32

    package init(n: UInt64, segment: UInt64, offset: UInt64, checksum: UInt32) {
        self.n = n
        self.segment = segment
        self.offset = offset
        self.checksum = checksum
    }

    /// The end of a record that was read.
    package init(_ line: RecordLine) {
        n = line.n
        segment = line.location.segment
        offset = line.location.next.offset
        checksum = line.bytes.withUnsafeBytes { RecordFrame.checksum(inSuffixOf: $0) ?? 0 }
    }
}

extension JournalSession {
    /// Where the journal ends now.
    package var anchor: JournalAnchor {
        JournalAnchor(n: lastN, segment: segment, offset: end, checksum: lastChecksum)
    }

    /// Whether this journal still has that place.
    package func holds(_ anchor: JournalAnchor) throws(JournalError) -> Bool {
        let length = UInt64(RecordFrame.suffixLength + 1)
        guard segments.contains(anchor.segment), anchor.offset >= length, anchor.n <= lastN
        else { return false }
        let file: any JournalFile
        do throws(JournalError) {
            file = try openSegment(anchor.segment)
        } catch .storage(let error) where error.isNotFound {
            return false  // another process has deleted it
        }
        let suffix = try storing { () throws(SystemError) in
            try file.bytes(at: anchor.offset - length, count: Int(length))
        }
        return suffix.last == 0x0A
            && suffix.dropLast().withUnsafeBytes { RecordFrame.checksum(inSuffixOf: $0) }
                == anchor.checksum
    }

    /// The time of a segment's first record: no record before it is younger.
    package func time(ofSegment name: UInt64) throws(JournalError) -> Timestamp {
        let file = try openSegment(name)
        let start = try storing { () throws(SystemError) in
            try file.bytes(at: 0, count: RecordFrame.longestNumbers)
        }
        guard let time = start.withUnsafeBytes({ RecordFrame.numbers(inStartOf: $0)?.time }) else {
            throw damage(name, 0, "the segment does not begin with a record")
        }
        return time
    }
}
