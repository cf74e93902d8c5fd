import FunctionModel

/// Cuts what a process writes into log events: a line each, as long as an event may be.
struct LineBuffer {
    private var rest: [UInt8] = []

    mutating func append(_ bytes: some Collection<UInt8>) -> [String] {
        var lines: [String] = []
        for piece in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if piece.offset > 0 { lines += finish(keepingEmpty: true) }
            rest += piece.element
            while rest.count > FunctionLimits.logEventBytes {
                let cut = Self.cut(rest)
                lines.append(Self.text(rest[..<cut]))
                rest.removeFirst(cut)
            }
        }
        return lines
    }

    /// What is left without an end of line.
    mutating func finish() -> [String] { finish(keepingEmpty: false) }

    private mutating func finish(keepingEmpty: Bool) -> [String] {
        defer { rest = [] }
        return rest.isEmpty && !keepingEmpty ? [] : [Self.text(rest)]
    }

    /// Where an event has to end, at the latest: before a character of UTF-8, not inside.
    private static func cut(_ bytes: [UInt8]) -> Int {
        let latest = FunctionLimits.logEventBytes
        // A character has three bytes behind its first at most; what has more is no text.
        return (latest - 3...latest).last { bytes[$0] & 0xC0 != 0x80 } ?? latest
    }

    /// Runtime clients join the lines of one event by carriage returns.
    private static func text(_ bytes: some Sequence<UInt8>) -> String {
        var bytes = Array(bytes)
        if bytes.last == 0x0D { bytes.removeLast() }
        return String(decoding: bytes.map { $0 == 0x0D ? 0x0A : $0 }, as: UTF8.self)
    }
}
