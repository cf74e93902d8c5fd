import Posix

/// Reads a file's lines from the last to the first, in pieces that grow.
struct BackwardLineReader {
    private static let firstPiece = 16 * 1024
    private static let largestPiece = 1024 * 1024

    private let file: any JournalFile
    /// The file's bytes before `end` as far as they were read; `end` is behind a newline.
    private var buffer: [UInt8] = []
    private var end: UInt64
    private var pieceLength = firstPiece

    /// - Parameter end: behind a line's newline.
    init(_ file: any JournalFile, endingAt end: UInt64) {
        self.file = file
        self.end = end
    }

    /// The line that ends here, without its newline, and where it begins; `nil` at the start of the
    /// file.
    mutating func previous() throws(JournalError) -> (offset: UInt64, line: [UInt8])? {
        guard end > 0 else { return nil }
        while true {
            if let newline = buffer.dropLast().lastIndex(of: 0x0A) {
                return take(from: newline + 1)
            }
            let unread = end - UInt64(buffer.count)
            guard unread > 0 else { return take(from: 0) }
            let count = min(UInt64(pieceLength), unread)
            let piece = try storing { () throws(SystemError) in
                try file.bytes(at: unread - count, count: Int(count))
            }
            guard piece.count == Int(count) else { return nil }  // cut by others meanwhile
            buffer.insert(contentsOf: piece, at: 0)
            pieceLength = min(2 * pieceLength, Self.largestPiece)
        }
    }

    private mutating func take(from start: Int) -> (offset: UInt64, line: [UInt8]) {
        let line = Array(buffer[start...].dropLast())
        end -= UInt64(buffer.count - start)
        buffer.removeLast(buffer.count - start)
        return (end, line)
    }
}
