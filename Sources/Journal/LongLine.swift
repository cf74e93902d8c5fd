import JSON
import Posix

/// A line that holds a whole state, and may be longer than a process should have in memory: read in
/// pieces, and checked on the way.
package struct LongLine {
    /// Bytes of a piece, unless one value is longer.
    static let pieceLength = 16 * 1024

    private let file: any JournalFile
    /// Without its newline.
    package let length: Int
    private let begin: UInt64
    /// What it begins with. To be believed once `read` has come to its end.
    package let start: RecordFrame

    /// - Parameters:
    ///   - offset: where it begins.
    ///   - length: with its newline.
    /// - Returns: `nil` if no record stands there.
    init?(_ file: any JournalFile, at offset: UInt64, length: UInt64) {
        let numbers = RecordFrame.longestNumbers
        guard length > RecordFrame.suffixLength + 1, length <= RecordFrame.maximumBaseLength,
            let head = try? file.bytes(at: offset, count: Int(min(length, UInt64(numbers)))),
            let tail = try? file.bytes(
                at: offset + length - UInt64(RecordFrame.suffixLength + 1),
                count: RecordFrame.suffixLength + 1),
            tail.last == 0x0A,
            let checksum = tail.dropLast().withUnsafeBytes({
                RecordFrame.checksum(inSuffixOf: $0)
            }),
            let start = head.withUnsafeBytes({ RecordFrame(start: $0, checksum: checksum) })
        else { return nil }
        self.file = file
        self.length = Int(length) - 1
        begin = offset
        self.start = start
    }

    /// As above, of a line that is longer than a piece; `nil` if this one is not.
    init?(_ file: any JournalFile, longAt offset: UInt64) {
        var length = 0
        while let piece = try? file.bytes(
            at: offset + UInt64(length), count: Self.pieceLength), !piece.isEmpty
        {
            if let newline = piece.withUnsafeBytes({ $0.firstIndex(of: 0x0A, from: 0) }) {
                guard length > 0 else { return nil }
                self.init(file, at: offset, length: UInt64(length + newline + 1))
                return
            }
            length += piece.count
        }
        return nil
    }

    /// Shows the line piece by piece.
    ///
    /// - Parameter take: gets a piece, and whether it is the last; says how many of its bytes it
    ///   has done with. It is shown the others again, with more behind them.
    /// - Throws: what `take` does; a `StateError` if the line is harmed.
    package func read(
        _ take: (UnsafeRawBufferPointer, _ isLast: Bool) throws(StateError) -> Int
    ) throws(StateError) {
        var piece = [UInt8](repeating: 0, count: min(length, Self.pieceLength))
        var filled = 0
        var done = 0
        var checksum: UInt32 = 0
        while done < length {
            if filled == piece.count {
                piece.append(contentsOf: repeatElement(0, count: min(filled, length - done)))
            }
            let at = begin + UInt64(done)
            let count = min(piece.count - filled, length - done)
            let left = try piece.withMutableBytes { bytes throws(StateError) in
                let more = UnsafeMutableRawBufferPointer(rebasing: bytes[filled..<filled + count])
                guard let got = try? file.read(into: more, at: at), got > 0 else {
                    throw StateError("the record cannot be read")
                }
                let checked = min(got, max(0, length - RecordFrame.suffixLength - done))
                checksum = RecordFrame.checksum(
                    of: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(more)[..<checked]),
                    behind: checksum)
                done += got
                let all = UnsafeRawBufferPointer(rebasing: bytes[..<(filled + got)])
                let taken = try take(all, done == length)
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: all[taken...]))
                return all.count - taken
            }
            filled = left
        }
        guard checksum == start.checksum else { throw StateError("the record fails its checksum") }
    }

    /// All of it at once.
    package func whole() throws(StateError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        try read { piece, _ in
            bytes.append(contentsOf: piece)
            return piece.count
        }
        return bytes
    }

    /// Whether it is as it was written.
    var isWhole: Bool { (try? read { piece, _ in piece.count }) != nil }
}

extension JournaledState {
    /// Writes it as a record's line, the first of a file, in pieces.
    ///
    /// - Parameter place: members that stand before it.
    /// - Returns: the line's length.
    func write(
        n: UInt64, time: Timestamp, durable: UInt64, behind place: [UInt8] = [],
        to file: any JournalFile
    ) throws(SystemError) -> UInt64 {
        var length: UInt64 = 0
        var checksum: UInt32 = 0
        func bring(_ bytes: inout [UInt8]) throws(SystemError) {
            checksum = bytes.withUnsafeBytes { RecordFrame.checksum(of: $0, behind: checksum) }
            try file.writeAll(bytes, at: length)
            length += UInt64(bytes.count)
            bytes.removeAll(keepingCapacity: true)
        }
        var line: [UInt8] = []
        RecordFrame.appendStart(n: n, time: time, durable: durable, to: &line)
        line += place
        try encodeBase(to: &line) { line throws(SystemError) in
            if line.count >= LongLine.pieceLength { try bring(&line) }
        }
        checksum = line.withUnsafeBytes { RecordFrame.checksum(of: $0, behind: checksum) }
        RecordFrame.appendEnd(checksum, to: &line)
        try file.writeAll(line, at: length)
        return length + UInt64(line.count)
    }
}
