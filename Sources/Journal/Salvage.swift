import Posix

/// Reads what is left of a damaged journal.
package enum Salvage {
    package enum Piece: Sendable {
        case record(RecordLine)
        /// Bytes that are no record any more; up to the next newline.
        case harmed(file: String, offset: UInt64, bytes: Int)
    }

    /// Runs `body` while nobody else can use the journal in `folder`; when it returns, whoever has
    /// the journal open gets `removed` from then on.
    package static func replace(
        folder: String, storage: any JournalStorage = DiskStorage(), _ body: () throws -> Void
    ) throws {
        let lockFile = try storing { () throws(SystemError) in
            try storage.open("\(folder)/lock", creating: true)
        }
        try lockFile.lock(JournalOptions())
        defer { lockFile.unlock() }
        try body()
        try storing { () throws(SystemError) in
            try lockFile.writeAll(Array(String(UInt64.max).utf8), at: 0)
        }
    }

    /// Every line of every segment, oldest first, good or not.
    package static func read(
        folder: String, storage: any JournalStorage = DiskStorage(),
        _ visit: (Piece) throws -> Void
    ) throws {
        for name in try storage.list(folder).compactMap(SegmentName.parse) {
            let fileName = SegmentName.file(name)
            let file = try storage.open("\(folder)/\(fileName)", creating: false)
            var lines = LineReader(file, at: 0)
            reading: while true {
                switch try lines.peek() {
                case .end: break reading
                case .fragment(let bytes):
                    try visit(.harmed(file: fileName, offset: lines.offset, bytes: bytes))
                    break reading
                case .line(let bytes):
                    if let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) {
                        let location = RecordLocation(
                            segment: name, offset: lines.offset, length: UInt32(bytes.count + 1))
                        try visit(
                            .record(
                                RecordLine(
                                    n: frame.n, time: frame.time, location: location, bytes: bytes))
                        )
                    } else {
                        try visit(
                            .harmed(file: fileName, offset: lines.offset, bytes: bytes.count + 1))
                    }
                    lines.advance(over: bytes)
                }
            }
        }
    }
}
