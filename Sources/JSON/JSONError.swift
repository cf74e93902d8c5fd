/// A place in a text, as an editor shows it.
package struct JSONPosition: Hashable, Sendable {
    /// Line, from 1.
    package var line: Int
    /// Column in Unicode scalars, from 1.
    package var column: Int
    /// Bytes before it.
    package var offset: Int

    package init(line: Int, column: Int, offset: Int) {
        self.line = line
        self.column = column
        self.offset = offset
    }

    /// Counts lines and scalars up to `offset`: paid only by whoever needs a place to show.
    package init(offset: Int, in bytes: [UInt8]) {
        var line = 1
        var column = 1
        for byte in bytes.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.init(line: line, column: column, offset: offset)
    }
}

/// Text that is not JSON (RFC 8259), and where.
package struct JSONError: Error, Equatable, Sendable {
    package var position: JSONPosition
    /// What is wrong, without a full stop: "expected ':' after a member's name".
    package var message: String
    /// Whether it may well be JSON, of more levels than are read.
    package private(set) var isTooDeep = false

    package init(position: JSONPosition, message: String) {
        self.position = position
        self.message = message
    }

    init(position: JSONPosition, tooDeepBeyond levels: Int) {
        self.init(position: position, message: "nested deeper than \(levels) levels")
        isTooDeep = true
    }
}
