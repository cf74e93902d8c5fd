import Posix

/// Reads a file's lines in order, in pieces that grow while there is more: a receive looks at a
/// few, a replay at all. Every queue that is received from keeps one.
struct LineReader {
    private static let largestPiece = 64 * 1024

    private let file: any JournalFile
    private var buffer: [UInt8] = []
    private var consumed = 0
    private var searched = 0
    private var pieceLength = 4096
    /// File offset of the next line.
    private(set) var offset: UInt64
    /// What stands there and behind is not read: it may change yet.
    var limit: UInt64

    /// - Parameter limit: at or behind `offset`.
    init(_ file: any JournalFile, at offset: UInt64, limit: UInt64 = .max) {
        self.file = file
        self.offset = offset
        self.limit = limit
    }

    /// What stands at `offset`.
    enum Piece: Equatable {
        case end
        /// A line, without its newline. An empty one is no record: prepared room begins there.
        case line([UInt8])
        /// Bytes without a newline up to the end of the file, or longer than a record may be.
        case fragment(Int)
    }

    /// Looks at the next line without stepping over it.
    mutating func peek() throws(SystemError) -> Piece {
        while true {
            // What was searched before holds no newline.
            if let newline = buffer.withUnsafeBytes({
                $0.firstIndex(of: 0x0A, from: consumed + searched)
            }) {
                searched = newline - consumed
                return .line(Array(buffer[consumed..<newline]))
            }
            let left = buffer.count - consumed
            searched = left
            guard left <= RecordFrame.maximumBaseLength else { return .fragment(left) }
            let start = offset + UInt64(left)
            let count = min(UInt64(pieceLength), limit - min(start, limit))
            let more = try file.bytes(at: start, count: Int(count))
            if more.count == pieceLength { pieceLength = min(2 * pieceLength, Self.largestPiece) }
            guard !more.isEmpty else { return left == 0 ? .end : .fragment(left) }
            if consumed > 0 {
                buffer.removeFirst(consumed)
                consumed = 0
            }
            buffer.append(contentsOf: more)
        }
    }

    /// Steps over a line that `peek` gave.
    mutating func advance(over line: [UInt8]) {
        consumed += line.count + 1
        searched = 0
        offset += UInt64(line.count + 1)
    }
}
