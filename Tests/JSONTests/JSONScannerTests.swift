import JSON
import Testing

@Suite struct JSONScannerTests {
    private func scan<R>(
        _ text: String, _ body: (inout JSONScanner) throws(JSONError) -> R
    ) throws -> R {
        try Array(text.utf8).withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            let result = try body(&scanner)
            try scanner.end()
            return result
        }
    }

    @Test("a string's inside is handed on as it stands")
    func rawStrings() throws {
        let raw = try scan(#" {"skip":[1,{"x":null}], "body" : "a\"\u00e9"} "#) {
            (scanner) throws(JSONError) in
            var raw = ""
            var decoded = ""
            try scanner.object { (key, scanner) throws(JSONError) in
                guard scanner.matches(key, "body") else {
                    try scanner.skipValue()
                    return
                }
                let range = try scanner.string()
                raw = String(decoding: scanner.slice(range), as: UTF8.self)
                decoded = scanner.text(range)
            }
            return raw + "|" + decoded
        }
        #expect(raw == #"a\"\u00e9|a"é"#)
    }

    @Test(
        arguments: [
            ("0", 0), ("-7", -7), ("9223372036854775807", .max), (" 12 ", 12),
        ] as [(String, Int64)])
    func integers(text: String, value: Int64) throws {
        #expect(try scan(text) { (scanner) throws(JSONError) in try scanner.int() } == value)
    }

    @Test(arguments: ["", "-", "1.5", "1e3", "9223372036854775808", "\"1\"", "x", "007", "-01"])
    func notIntegers(text: String) {
        #expect(throws: JSONError.self) {
            try scan(text) { (scanner) throws(JSONError) in try scanner.int() }
        }
    }

    @Test(arguments: ["[1,]", "{\"a\"}", "[1 2]", "tru", "{", "\"", "[1]]", "+1", "1-2"])
    func refused(text: String) {
        #expect(throws: JSONError.self) {
            try scan(text) { (scanner) throws(JSONError) in _ = try scanner.skipValue() }
        }
    }

    @Test("a nesting bomb is refused")
    func nesting() {
        #expect(throws: JSONError.self) {
            try scan(String(repeating: "[", count: 1 << 20)) { (scanner) throws(JSONError) in
                _ = try scanner.skipValue()
            }
        }
    }

    @Test(arguments: [
        (#"abc"#, false), (#"\ud83d\ude00"#, false), (#"\ud83d"#, true), (#"\ude00"#, true),
        (#"\ud83d\n"#, true), (#"\ud83d\ud83d\ude00"#, true), (#"\\ud83d"#, false),
    ])
    func loneSurrogates(escaped: String, isLone: Bool) {
        #expect(JSONText.hasLoneSurrogate(Array(escaped.utf8)) == isLone)
    }

    @Test("digits are read as far as they go, however many there are and whatever follows")
    func digits() {
        for length in 0...24 {
            for start in 0..<10 {
                let text = (0..<length).map { Character("\((start + $0) % 10)") }
                for end in ["", ",", "/", ":", "a", "0"] {
                    let bytes = Array((String(text) + end).utf8)
                    let count = end == "0" ? length + 1 : length
                    let expected =
                        (1...18).contains(count)
                        ? UInt64(String(decoding: bytes.prefix(count), as: UTF8.self)) : nil
                    bytes.withUnsafeBytes { bytes in
                        var scanner = JSONScanner(bytes)
                        #expect(scanner.digits() == expected)
                        #expect(scanner.at == count)
                    }
                }
            }
        }
    }

    @Test("each byte of eight must be a digit")
    func eightDigits() {
        for place in 0..<8 {
            for byte in UInt8.min...UInt8.max {
                var bytes = Array("12345678".utf8)
                bytes[place] = byte
                let value = bytes.withUnsafeBytes { bytes in
                    var scanner = JSONScanner(bytes)
                    return scanner.digits().map { ($0, scanner.at) }
                }
                let digits = bytes.prefix { (48...57).contains($0) }
                #expect(value?.0 == UInt64(String(decoding: digits, as: UTF8.self)))
                #expect(value == nil || value?.1 == digits.count)
            }
        }
    }

    @Test("a literal is stepped over only if each of its bytes is there", arguments: 1...20)
    func literals(length: Int) {
        let literal: StaticString = "abcdefghijklmnopqrst"
        let whole = Array("abcdefghijklmnopqrst".utf8)
        #expect(literal.utf8CodeUnitCount == 20)
        func steps(_ bytes: [UInt8]) -> Bool {
            bytes.withUnsafeBytes { bytes in
                var scanner = JSONScanner(bytes)
                let done = scanner.steps(over: literal)
                return done && scanner.at == 20
            }
        }
        #expect(steps(whole) && steps(whole + [0]))
        #expect(!steps(Array(whole.prefix(length - 1))))
        var other = whole
        other[length - 1] ^= 1
        #expect(!steps(other))
    }

    @Test(arguments: [0, 7, 10, 1_234_567, Int64.max, -1, Int64.min])
    func writtenIntegers(value: Int64) {
        var output: [UInt8] = []
        JSONWriter.appendInteger(value, to: &output)
        #expect(String(decoding: output, as: UTF8.self) == String(value))
    }

    @Test("every byte is looked at, wherever it stands among eight", arguments: 0..<20)
    func everyPlace(place: Int) throws {
        for byte in UInt8.min..<0x80 {
            var text = [UInt8](repeating: UInt8(ascii: "a"), count: 20)
            text[place] = byte
            // Next to it, what is less by one than what is looked for, or is that itself.
            if place < 19 { text[place + 1] = byte ^ 1 }
            var written: [UInt8] = []
            JSONWriter.appendString(String(decoding: text, as: UTF8.self), to: &written)
            let wanted = text.map(escaped).joined()
            #expect(String(decoding: written, as: UTF8.self) == "\"\(wanted)\"")
            let back = try scan("\"\(wanted)\"") { (scanner) throws(JSONError) in
                scanner.text(try scanner.string())
            }
            #expect(Array(back.utf8) == text)
        }
    }

    private func escaped(_ byte: UInt8) -> String {
        let short: [UInt8: String] = [9: "\\t", 10: "\\n", 13: "\\r", 34: "\\\"", 92: "\\\\"]
        if let escape = short[byte] { return escape }
        guard byte < 0x20 else { return String(Unicode.Scalar(byte)) }
        return "\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    @Test("every control character is escaped, and comes back")
    func controlCharacters() throws {
        let text = String(String.UnicodeScalarView((0..<0x80).compactMap(Unicode.Scalar.init)))
        let written = JSONValue.string(text).serialized()
        #expect(written.utf8.allSatisfy { $0 >= 0x20 })
        #expect(try JSONValue.parse(written) == .string(text))
    }
}
