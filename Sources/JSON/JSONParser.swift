/// A strict RFC 8259 parser: UTF-8 checked, nothing trailing, nesting bounded.
package struct JSONParser {
    /// Deeper nesting is refused: it serves no reader, and recursion costs stack.
    package static let defaultMaximumDepth = 512

    private let bytes: [UInt8]
    private let maximumDepth: Int
    private let tracksPositions: Bool
    private var at = 0
    private var depth = 0
    // The last place asked for: places only move forward, so each byte is counted once.
    private var mark = JSONPosition(line: 1, column: 1, offset: 0)

    package init(bytes: [UInt8], maximumDepth: Int, tracksPositions: Bool) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
        self.tracksPositions = tracksPositions
    }

    /// Parses the whole text as one value.
    package mutating func located() throws(JSONError) -> LocatedJSON {
        skipSpace()
        let value = try parseValue()
        skipSpace()
        guard at == bytes.count else {
            throw failure("unexpected text after the end of the JSON value")
        }
        return value
    }

    private mutating func parseValue() throws(JSONError) -> LocatedJSON {
        let start = position()
        guard at < bytes.count else { throw failure("the text ends where a value is expected") }
        let kind: LocatedJSON.Kind
        switch bytes[at] {
        case UInt8(ascii: "{"): kind = try parseObject()
        case UInt8(ascii: "["): kind = try parseArray()
        case UInt8(ascii: "\""): kind = .string(try parseString())
        case UInt8(ascii: "t"): kind = try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): kind = try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): kind = try parseWord("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): kind = try parseNumber()
        default: throw failure("expected a JSON value")
        }
        return LocatedJSON(value: kind, position: start)
    }

    private mutating func parseObject() throws(JSONError) -> LocatedJSON.Kind {
        try enter()
        var members: [LocatedMember] = []
        if accept("}") { return .object(leave(members)) }
        while true {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
                throw failure(
                    members.isEmpty
                        ? "expected a member's name in double quotes, or '}'"
                        : "expected a member's name in double quotes")
            }
            let keyPosition = position()
            let key = try parseString()
            guard accept(":") else { throw failure("expected ':' after a member's name") }
            skipSpace()
            members.append(
                LocatedMember(key: key, keyPosition: keyPosition, value: try parseValue()))
            if accept(",") { continue }
            guard accept("}") else { throw failure("expected ',' or '}' in an object") }
            return .object(leave(members))
        }
    }

    private mutating func parseArray() throws(JSONError) -> LocatedJSON.Kind {
        try enter()
        var elements: [LocatedJSON] = []
        if accept("]") { return .array(leave(elements)) }
        while true {
            skipSpace()
            elements.append(try parseValue())
            if accept(",") { continue }
            guard accept("]") else { throw failure("expected ',' or ']' in an array") }
            return .array(leave(elements))
        }
    }

    private mutating func enter() throws(JSONError) {
        depth += 1
        guard depth <= maximumDepth else {
            throw JSONError(position: place(of: at), tooDeepBeyond: maximumDepth)
        }
        at += 1
    }

    private mutating func leave<T>(_ parsed: T) -> T {
        depth -= 1
        return parsed
    }

    private mutating func parseWord(
        _ word: StaticString, _ kind: LocatedJSON.Kind
    ) throws(JSONError) -> LocatedJSON.Kind {
        let length = word.utf8CodeUnitCount
        guard at + length <= bytes.count,
            (0..<length).allSatisfy({ bytes[at + $0] == word.utf8Start[$0] })
        else { throw failure("expected '\(word)'") }
        at += length
        return kind
    }

    private mutating func parseNumber() throws(JSONError) -> LocatedJSON.Kind {
        let start = at
        switch bytes.withUnsafeBytes({ JSONText.endOfNumber($0, from: start) }) {
        case .success(let end): at = end
        case .failure(let failure):
            throw JSONError(position: place(of: failure.offset), message: failure.message)
        }
        return .number(JSONNumber(text: String(decoding: bytes[start..<at], as: UTF8.self)))
    }

    private mutating func parseString() throws(JSONError) -> String {
        let start = at + 1
        let end: Int
        do {
            end = try JSONText.endOfString(bytes, from: start)
        } catch {
            throw JSONError(position: place(of: error.offset), message: error.message)
        }
        at = end + 1
        return String(decoding: JSONText.unescape(bytes[start..<end]), as: UTF8.self)
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private mutating func position() -> JSONPosition {
        tracksPositions ? place(of: at) : mark
    }

    private mutating func place(of offset: Int) -> JSONPosition {
        if offset < mark.offset { mark = JSONPosition(line: 1, column: 1, offset: 0) }
        for byte in bytes[mark.offset..<Swift.min(offset, bytes.count)] {
            if byte == UInt8(ascii: "\n") {
                mark.line += 1
                mark.column = 1
            } else if byte & 0xC0 != 0x80 {
                mark.column += 1
            }
        }
        mark.offset = offset
        return mark
    }

    private mutating func failure(_ message: String) -> JSONError {
        JSONError(position: place(of: at), message: message)
    }
}

extension JSONValue {
    /// - Throws: `JSONError` at the first byte that is not JSON.
    package static func parse(
        _ bytes: [UInt8], maximumDepth: Int = JSONParser.defaultMaximumDepth
    ) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes: bytes, maximumDepth: maximumDepth, tracksPositions: false)
        return try parser.located().plain
    }

    package static func parse(
        _ text: String, maximumDepth: Int = JSONParser.defaultMaximumDepth
    ) throws(JSONError) -> JSONValue {
        try parse(Array(text.utf8), maximumDepth: maximumDepth)
    }
}
