/// Walks JSON bytes without building values: the hot path's reader.
///
/// Strings are handed out as ranges of their escaped inside, so that a body can be carried from a
/// request to the journal and back without being decoded. Lives no longer than its buffer.
package struct JSONScanner {
    package let bytes: UnsafeRawBufferPointer
    package private(set) var at: Int
    private var depth = 0

    package init(_ bytes: UnsafeRawBufferPointer, at start: Int = 0) {
        self.bytes = bytes
        at = start
    }

    /// Calls `member` for each member with the range of its name's escaped inside; `member` must
    /// read the value (`skipValue` if it does not care).
    package mutating func object(
        _ member: (_ key: Range<Int>, inout JSONScanner) throws(JSONError) -> Void
    ) throws(JSONError) {
        try expect("{", "expected '{'")
        try enter()
        if accept("}") { return leave() }
        repeat {
            try member(try name(), &self)
        } while accept(",")
        try expect("}", "expected ',' or '}' in an object")
        leave()
    }

    /// Calls `element` at each element; it must read the value.
    package mutating func array(
        _ element: (inout JSONScanner) throws(JSONError) -> Void
    ) throws(JSONError) {
        try expect("[", "expected '['")
        try enter()
        if accept("]") { return leave() }
        repeat { try element(&self) } while accept(",")
        try expect("]", "expected ',' or ']' in an array")
        leave()
    }

    /// The range of the next string's escaped inside.
    package mutating func string() throws(JSONError) -> Range<Int> {
        try expect("\"", "expected a string")
        let start = at
        switch JSONText.scan(bytes, from: start) {
        case .success(let end):
            at = end + 1
            return start..<end
        case .failure(let failure): throw self.failure(failure.message, at: failure.offset)
        }
    }

    // MARK: one step at a time, for who does not have all bytes at once

    /// Steps into an object or a list.
    package mutating func begin(_ bracket: Unicode.Scalar) throws(JSONError) {
        try expect(bracket, "expected another kind of value")
    }

    /// Whether another member or element stands next; if not, steps out of it.
    package mutating func goesOn(
        isFirst: Bool, until end: Unicode.Scalar
    ) throws(JSONError) -> Bool {
        if accept(end) { return false }
        if !isFirst { try expect(",", "expected ',' or an end") }
        return true
    }

    /// A member's name; its value stands next.
    package mutating func name() throws(JSONError) -> Range<Int> {
        let name = try string()
        try expect(":", "expected ':' after a member's name")
        return name
    }

    // MARK: text in the one spelling that we write ourselves

    /// Steps to a place that was looked at in `bytes`.
    package mutating func step(to place: Int) { at = min(max(at, place), bytes.count) }

    /// Steps over exactly these bytes, if they stand next.
    package mutating func steps(over literal: StaticString) -> Bool {
        let end = at + literal.utf8CodeUnitCount
        guard end <= bytes.count, matches(at..<end, literal) else { return false }
        at = end
        return true
    }

    /// The number whose digits stand next, 18 at most.
    package mutating func digits() -> UInt64? {
        let start = at
        var value: UInt64 = 0
        while let eight = Decimal.value(bytes, at: at) {
            value = value &* Decimal.limit &+ eight
            at += 8
        }
        while at < bytes.count, case let digit = bytes[at] &- UInt8(ascii: "0"), digit < 10 {
            value = value &* 10 &+ UInt64(digit)
            at += 1
        }
        return (1...18).contains(at - start) ? value : nil
    }

    /// The decimal digit that stands next.
    package mutating func digit() -> UInt8? {
        guard at < bytes.count, case let digit = bytes[at] &- UInt8(ascii: "0"), digit < 10 else {
            return nil
        }
        at += 1
        return digit
    }

    /// The number whose hexadecimal digits stand next, exactly 16 in lower case.
    package mutating func hexadecimalDigits() -> UInt64? {
        guard let high = Hexadecimal.value(bytes, at: at),
            let low = Hexadecimal.value(bytes, at: at + 8)
        else { return nil }
        at += 16
        return UInt64(high) << 32 | UInt64(low)
    }

    package mutating func eightHexadecimalDigits() -> UInt32? {
        guard let value = Hexadecimal.value(bytes, at: at) else { return nil }
        at += 8
        return value
    }

    /// Printable ASCII up to the next quote, and steps over that; `nil` where there is an escape
    /// or anything else.
    package mutating func plainText() -> String? {
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            guard (0x20...0x7E).contains(bytes[at]), bytes[at] != UInt8(ascii: "\\") else {
                return nil
            }
            at += 1
        }
        guard at < bytes.count else { return nil }
        defer { at += 1 }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    // MARK: values

    package mutating func int() throws(JSONError) -> Int64 {
        skipSpace()
        let start = at
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
        var value: Int64 = 0
        var overflow = false
        let digits = at
        while at < bytes.count, case let digit = bytes[at] &- UInt8(ascii: "0"), digit < 10 {
            let (shifted, first) = value.multipliedReportingOverflow(by: 10)
            let (sum, second) = shifted.addingReportingOverflow(Int64(digit))
            overflow = overflow || first || second
            value = sum
            at += 1
        }
        let isPlain = at == digits + 1 || at > digits && bytes[digits] != UInt8(ascii: "0")
        guard isPlain, !overflow, !isNumberByte(peek) else {
            throw failure("expected an integer", at: start)
        }
        return bytes[start] == UInt8(ascii: "-") ? -value : value
    }

    package mutating func bool() throws(JSONError) -> Bool {
        switch nextByte {
        case UInt8(ascii: "t"):
            try word("true")
            return true
        case UInt8(ascii: "f"):
            try word("false")
            return false
        default: throw failure("expected true or false", at: at)
        }
    }

    /// Steps over any value, and gives the range of its bytes.
    @discardableResult
    package mutating func skipValue() throws(JSONError) -> Range<Int> {
        let first = nextByte
        let start = at
        switch first {
        case UInt8(ascii: "{"):
            try object { (_, scanner) throws(JSONError) in _ = try scanner.skipValue() }
        case UInt8(ascii: "["):
            try array { (scanner) throws(JSONError) in _ = try scanner.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default:
            switch JSONText.endOfNumber(bytes, from: start) {
            case .success(let end): at = end
            case .failure: throw failure("expected a JSON value", at: start)
            }
        }
        return start..<at
    }

    /// The first byte of what stands next; `nil` at the end.
    package var nextByte: UInt8? {
        mutating get {
            skipSpace()
            return peek
        }
    }

    /// Fails unless only white space is left.
    package mutating func end() throws(JSONError) {
        guard nextByte == nil else { throw failure("unexpected text after the value", at: at) }
    }

    /// Whether the bytes of `range` are exactly `literal`.
    @inline(__always)
    package func matches(_ range: Range<Int>, _ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard range.count == count else { return false }
        let wanted = UnsafeRawBufferPointer(start: literal.utf8Start, count: count)
        var index = 0
        while index + 8 <= count {
            guard
                bytes.loadUnaligned(fromByteOffset: range.lowerBound + index, as: UInt64.self)
                    == wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            else { return false }
            index += 8
        }
        while index < count {
            guard bytes[range.lowerBound + index] == wanted[index] else { return false }
            index += 1
        }
        return true
    }

    package func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    /// The decoded text of a string's range.
    package func text(_ range: Range<Int>) -> String {
        let inside = slice(range)
        return JSONText.endOfUnescaped(inside, from: 0) == inside.count
            ? String(decoding: inside, as: UTF8.self)
            : String(decoding: JSONText.unescape(inside), as: UTF8.self)
    }

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    @inline(__always)
    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard nextByte == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    @inline(__always)
    private mutating func expect(
        _ character: Unicode.Scalar, _ message: StaticString
    ) throws(JSONError) {
        guard accept(character) else { throw failure("\(message)", at: at) }
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        let end = at + word.utf8CodeUnitCount
        guard end <= bytes.count, matches(at..<end, word) else {
            throw failure("expected '\(word)'", at: at)
        }
        at = end
    }

    private func isNumberByte(_ byte: UInt8?) -> Bool {
        guard let byte else { return false }
        return switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
            UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private mutating func enter() throws(JSONError) {
        depth += 1
        guard depth <= JSONParser.defaultMaximumDepth else {
            throw JSONError(
                position: JSONPosition(offset: at, in: Array(bytes)),
                tooDeepBeyond: JSONParser.defaultMaximumDepth)
        }
    }

    private mutating func leave() { depth -= 1 }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    /// An error at `offset` of this scanner's bytes.
    package func failure(_ message: String, at offset: Int) -> JSONError {
        JSONError(position: JSONPosition(offset: offset, in: Array(bytes)), message: message)
    }
}
