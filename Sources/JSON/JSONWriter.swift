/// Writes JSON into a byte buffer.
public enum JSONWriter {
    private static let hexDigits = Array("0123456789abcdef".utf8)

    /// Appends `text` as a quoted string; only what JSON demands is escaped.
    package static func appendString(_ text: String, to output: inout [UInt8]) {
        var text = text
        output.append(UInt8(ascii: "\""))
        text.withUTF8 { escape($0, to: &output) }
        output.append(UInt8(ascii: "\""))
    }

    /// Appends the escaped inside of a string, without quotes.
    package static func appendEscaped(_ utf8: some Sequence<UInt8>, to output: inout [UInt8]) {
        // One step out of the generic code: bytes are looked at where their type is known.
        let isDone: Void? = utf8.withContiguousStorageIfAvailable { escape($0, to: &output) }
        if isDone == nil { Array(utf8).withUnsafeBufferPointer { escape($0, to: &output) } }
    }

    private static func escape(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        var plain = 0
        var index = JSONText.endOfUnescaped(UnsafeRawBufferPointer(bytes), from: 0)
        while index < bytes.count {
            let byte = bytes[index]
            output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[plain..<index]))
            plain = index + 1
            index = JSONText.endOfUnescaped(UnsafeRawBufferPointer(bytes), from: plain)
            switch byte {
            case 0x0A: append("\\n", &output)
            case 0x0D: append("\\r", &output)
            case 0x09: append("\\t", &output)
            case 0..<0x20:
                append("\\u00", &output)
                output.append(hexDigits[Int(byte >> 4)])
                output.append(hexDigits[Int(byte & 15)])
            default:
                output.append(UInt8(ascii: "\\"))
                output.append(byte)
            }
        }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[plain...]))
    }

    /// Appends ASCII text that needs no escaping, such as `,"id":`.
    @inline(__always)
    package static func append(_ literal: StaticString, _ output: inout [UInt8]) {
        output.append(
            contentsOf: UnsafeBufferPointer(
                start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends short pieces at once: `body` writes them, at most `limit` bytes.
    @inlinable
    public static func gather(
        upTo limit: Int, to output: inout [UInt8], _ body: (inout JSONPieces) -> Void
    ) {
        withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { room in
            var pieces = JSONPieces(room)
            body(&pieces)
            output.append(contentsOf: pieces.written)
        }
    }

    /// Appends a decimal integer.
    package static func appendInteger(_ value: Int64, to output: inout [UInt8]) {
        if value < 0 { output.append(UInt8(ascii: "-")) }
        appendInteger(value.magnitude, to: &output)
    }

    package static func appendInteger(_ value: Int, to output: inout [UInt8]) {
        appendInteger(Int64(value), to: &output)
    }

    package static func appendInteger(_ value: UInt64, to output: inout [UInt8]) {
        gather(upTo: 20, to: &output) { $0.append(value) }
    }

    /// Appends the lowest `digits` hexadecimal digits, lower case, up to 16.
    package static func appendHexadecimal(
        _ value: UInt64, digits count: Int, to output: inout [UInt8]
    ) {
        gather(upTo: 16, to: &output) { $0.appendHexadecimal(value, digits: count) }
    }
}

extension JSONValue {
    /// Compact JSON, or two-space indented; members in their own order unless `sortedKeys`.
    package func serialized(pretty: Bool = false, sortedKeys: Bool = false) -> String {
        var output: [UInt8] = []
        append(to: &output, pretty: pretty, sortedKeys: sortedKeys)
        return String(decoding: output, as: UTF8.self)
    }

    /// Compact JSON on one line of ASCII, for a header: what is not printed in ASCII stands
    /// escaped.
    package func serializedASCII() -> String {
        // It occurs within strings alone.
        serialized().utf16.reduce(into: "") { text, unit in
            if (0x20..<0x7F).contains(unit), let scalar = Unicode.Scalar(unit) {
                text.unicodeScalars.append(scalar)
            } else {
                let digits = String(unit, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
    }

    package func append(
        to output: inout [UInt8], pretty: Bool = false, sortedKeys: Bool = false, level: Int = 0
    ) {
        func line(_ level: Int) {
            guard pretty else { return }
            output.append(0x0A)
            output.append(contentsOf: repeatElement(0x20, count: 2 * level))
        }
        switch self {
        case .null: JSONWriter.append("null", &output)
        case .bool(let value): JSONWriter.append(value ? "true" : "false", &output)
        case .number(let value): output.append(contentsOf: value.text.utf8)
        case .string(let value): JSONWriter.appendString(value, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                line(level + 1)
                element.append(
                    to: &output, pretty: pretty, sortedKeys: sortedKeys, level: level + 1)
            }
            if !elements.isEmpty { line(level) }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            let members =
                sortedKeys
                ? object.members.sorted { ExactText($0.key) < ExactText($1.key) } : object.members
            for (index, member) in members.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                line(level + 1)
                JSONWriter.appendString(member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                if pretty { output.append(0x20) }
                member.value.append(
                    to: &output, pretty: pretty, sortedKeys: sortedKeys, level: level + 1)
            }
            if !members.isEmpty { line(level) }
            output.append(UInt8(ascii: "}"))
        }
    }
}
