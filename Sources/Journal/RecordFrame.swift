import CZlib
import JSON

/// One record's line: `{"n":17,"t":1764000000123,"d":15,…,"crc":"9ab3c4d5"}` and a newline.
///
/// The checksum is zlib's CRC-32 of every byte before the suffix `,"crc":"xxxxxxxx"}`, found by
/// position, never by search: no body can imitate it.
package struct RecordFrame: Equatable, Sendable {
    /// `,"crc":"xxxxxxxx"}`
    package static let suffixLength = 18
    /// A longer line is damage: nothing that we write comes near (a body of 1 MiB is up to 6 MiB
    /// with its escapes).
    package static let maximumLength = 16 * 1024 * 1024
    /// But for a base record, which holds every message in flight or delayed: a place's length
    /// is 32 bits.
    package static let maximumBaseLength = 3 * 1024 * 1024 * 1024

    package var n: UInt64
    package var time: Timestamp
    /// The highest `n` that the writer knew to be durable.
    package var durable: UInt64
    package var checksum: UInt32

    /// Reads and checks a line without its newline; `nil` if it is not whole and unharmed.
    package init?(checking line: UnsafeRawBufferPointer) {
        let checked = line.count - Self.suffixLength
        guard checked > 0, let checksum = Self.checksum(inSuffixOf: line),
            Self.checksum(of: UnsafeRawBufferPointer(rebasing: line[..<checked])) == checksum
        else { return nil }
        self.init(start: line, checksum: checksum)
    }

    /// Reads what a line begins with; `nil` if it is none of ours.
    init?(start: UnsafeRawBufferPointer, checksum: UInt32) {
        var at = 0
        guard let n = Self.member("{\"n\":", in: start, &at),
            let time = Self.member(",\"t\":", in: start, &at),
            let durable = Self.member(",\"d\":", in: start, &at),
            at < start.count, start[at] == UInt8(ascii: ",")
        else { return nil }
        self.n = n
        self.time = Timestamp(milliseconds: Int64(clamping: time))
        self.durable = durable
        self.checksum = checksum
    }

    /// The highest `d` of a whole record in `line`, which a harmed newline may have glued to
    /// another. No string can hold the unescaped quotes that a record begins with.
    package static func durable(claimedWithin line: [UInt8]) -> UInt64 {
        let start = Array("{\"n\":".utf8)
        return line.withUnsafeBytes { bytes in
            var highest: UInt64 = 0
            for index in 0..<max(0, bytes.count - suffixLength)
            where bytes[index...].starts(with: start) {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[index...])
                highest = max(highest, RecordFrame(checking: rest)?.durable ?? 0)
            }
            return highest
        }
    }

    /// Appends a record's line, with its newline. `members` writes what follows `d`, such as
    /// `"op":"send",…`.
    /// - Returns: its checksum.
    package static func append(
        n: UInt64, time: Timestamp, durable: UInt64, to buffer: inout [UInt8],
        members: (inout [UInt8]) -> Void
    ) -> UInt32 {
        let start = buffer.count
        appendStart(n: n, time: time, durable: durable, to: &buffer)
        members(&buffer)
        let checksum = buffer.withUnsafeBytes {
            Self.checksum(of: UnsafeRawBufferPointer(rebasing: $0[start...]))
        }
        appendEnd(checksum, to: &buffer)
        return checksum
    }

    static func appendStart(
        n: UInt64, time: Timestamp, durable: UInt64, to buffer: inout [UInt8]
    ) {
        JSONWriter.gather(upTo: 80, to: &buffer) { pieces in
            pieces.append("{\"n\":")
            pieces.append(n)
            pieces.append(",\"t\":")
            pieces.append(time.milliseconds)
            pieces.append(",\"d\":")
            pieces.append(durable)
            pieces.append(",")
        }
    }

    static func appendEnd(_ checksum: UInt32, to buffer: inout [UInt8]) {
        JSONWriter.gather(upTo: suffixLength + 1, to: &buffer) { pieces in
            pieces.append(",\"crc\":\"")
            pieces.appendHexadecimal(UInt64(checksum), digits: 8)
            pieces.append("\"}\n")
        }
    }

    /// The checksum that a line (without newline) claims; `nil` if its suffix has another shape.
    static func checksum(inSuffixOf line: UnsafeRawBufferPointer) -> UInt32? {
        let start = line.count - suffixLength
        let shape: StaticString = ",\"crc\":\"xxxxxxxx\"}"
        guard start >= 0 else { return nil }
        var checksum: UInt32 = 0
        for index in 0..<suffixLength {
            let byte = line[start + index]
            switch (index, byte) {
            case (8..<16, UInt8(ascii: "0")...UInt8(ascii: "9")):
                checksum = checksum << 4 | UInt32(byte - UInt8(ascii: "0"))
            case (8..<16, UInt8(ascii: "a")...UInt8(ascii: "f")):
                checksum = checksum << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case (8..<16, _): return nil
            default: guard byte == shape.utf8Start[index] else { return nil }
            }
        }
        return checksum
    }

    /// - Parameter before: the checksum of what stands before `bytes`.
    package static func checksum(
        of bytes: UnsafeRawBufferPointer, behind before: UInt32 = 0
    ) -> UInt32 {
        guard let base = bytes.baseAddress else { return before }
        return UInt32(
            truncatingIfNeeded: crc32_z(
                UInt(before), base.assumingMemoryBound(to: UInt8.self), bytes.count))
    }

    /// More bytes than a line's first three members can have.
    static let longestNumbers = 96

    /// The number and time that a line begins with, unchecked; `nil` if it is none of ours.
    static func numbers(
        inStartOf line: UnsafeRawBufferPointer
    ) -> (n: UInt64, time: Timestamp)? {
        var at = 0
        guard let n = member("{\"n\":", in: line, &at),
            let time = member(",\"t\":", in: line, &at)
        else { return nil }
        return (n, Timestamp(milliseconds: Int64(clamping: time)))
    }

    private static func member(
        _ name: StaticString, in line: UnsafeRawBufferPointer, _ at: inout Int
    ) -> UInt64? {
        let end = at + name.utf8CodeUnitCount
        guard end < line.count else { return nil }
        for index in at..<end where line[index] != name.utf8Start[index - at] { return nil }
        at = end
        var value: UInt64 = 0
        while at < line.count, at - end < 19, case let digit = line[at] &- 48, digit < 10 {
            value = value * 10 + UInt64(digit)
            at += 1
        }
        return at > end ? value : nil
    }
}
