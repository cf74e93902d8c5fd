/// Strings and numbers: where they end, and what escapes mean.
package enum JSONText {
    /// A string that is not JSON, and the offset of the offending byte.
    package struct Failure: Error {
        package var offset: Int
        package var message: String
    }

    /// Offset of the closing quote of the string whose first byte is `start`; checks escapes,
    /// control characters and UTF-8 (RFC 3629: no overlong forms, no surrogates).
    package static func endOfString(
        _ bytes: some RandomAccessCollection<UInt8>, from start: Int
    ) throws(Failure) -> Int {
        let result = bytes.withContiguousStorageIfAvailable { buffer in
            scan(UnsafeRawBufferPointer(buffer), from: start)
        }
        switch result ?? Array(bytes).withUnsafeBytes({ scan($0, from: start) }) {
        case .success(let end): return end
        case .failure(let failure): throw failure
        }
    }

    /// As `endOfString`, on raw bytes, for the hot path.
    package static func scan(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) -> Result<Int, Failure> {
        var at = start
        while true {
            at = endOfPlain(bytes, from: at)
            guard at < bytes.count else { break }
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""): return .success(at)
            case UInt8(ascii: "\\"):
                guard let length = escapeLength(bytes, at) else {
                    return .failure(Failure(offset: at, message: "not an escape that JSON knows"))
                }
                at += length
            case 0..<0x20:
                return .failure(
                    Failure(offset: at, message: "a control character must be escaped in a string"))
            case 0x20..<0x80: at += 1
            default:
                guard let length = utf8Length(bytes, at) else {
                    return .failure(Failure(offset: at, message: "invalid UTF-8"))
                }
                at += length
            }
        }
        return .failure(
            Failure(offset: Swift.max(start - 1, 0), message: "a string is never closed"))
    }

    /// Steps over characters that mean themselves, eight at a time: no quote, backslash, control
    /// character or part of a longer one. May stop early, within the last eight bytes.
    private static func endOfPlain(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var at = start
        while at + 8 <= bytes.count {
            let eight = word(bytes, at)
            let found = (special(eight) | eight) & tops
            guard found == 0 else { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        return at
    }

    /// The first byte from `start` on that JSON demands to be escaped; the end if there is none.
    static func endOfUnescaped(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var at = start
        while at + 8 <= bytes.count {
            let found = special(word(bytes, at)) & tops
            guard found == 0 else { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < bytes.count {
            switch bytes[at] {
            case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"): return at
            default: at += 1
            }
        }
        return at
    }

    /// Eight bytes, the first in the lowest place.
    private static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops = ones << 7

    /// Eight characters at once: the lowest byte whose top bit is set is the first quote, backslash
    /// or control character; there is none where no byte's is.
    private static func special(_ word: UInt64) -> UInt64 {
        // A byte's top bit stays set where it was less than what is taken away.
        let isControl = (word &- ones &* 0x20) & ~word
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5C)
        return isControl | (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes
    }

    /// Offset behind the number that starts at `start` (RFC 8259 section 6: no leading zeros or
    /// plus).
    package static func endOfNumber(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) -> Result<Int, Failure> {
        var at = start
        func peek() -> UInt8 { at < bytes.count ? bytes[at] : 0 }
        func skipDigits() -> Bool {
            let first = at
            while case UInt8(ascii: "0")...UInt8(ascii: "9") = peek() { at += 1 }
            return at > first
        }
        func failed(_ message: String) -> Result<Int, Failure> {
            .failure(Failure(offset: at, message: message))
        }
        if peek() == UInt8(ascii: "-") { at += 1 }
        let whole = at
        guard skipDigits() else { return failed("expected a digit") }
        if bytes[whole] == UInt8(ascii: "0"), at - whole > 1 {
            at = whole
            return failed("a number may not start with 0")
        }
        if peek() == UInt8(ascii: ".") {
            at += 1
            guard skipDigits() else { return failed("expected a digit after '.'") }
        }
        if peek() | 0x20 == UInt8(ascii: "e") {
            at += 1
            if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { at += 1 }
            guard skipDigits() else { return failed("expected a digit in the exponent") }
        }
        return .success(at)
    }

    private static func escapeLength(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int? {
        guard at + 1 < bytes.count else { return nil }
        switch bytes[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            guard at + 6 <= bytes.count else { return nil }
            return (2..<6).allSatisfy { hexValue(bytes[at + $0]) != nil } ? 6 : nil
        default: return nil
        }
    }

    private static func utf8Length(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int? {
        func follows(_ distance: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            at + distance < bytes.count && range.contains(bytes[at + distance])
        }
        switch bytes[at] {
        case 0xC2...0xDF: return follows(1) ? 2 : nil
        case 0xE0: return follows(1, 0xA0...0xBF) && follows(2) ? 3 : nil
        case 0xED: return follows(1, 0x80...0x9F) && follows(2) ? 3 : nil
        case 0xE1...0xEF: return follows(1) && follows(2) ? 3 : nil
        case 0xF0: return follows(1, 0x90...0xBF) && follows(2) && follows(3) ? 4 : nil
        case 0xF1...0xF3: return follows(1) && follows(2) && follows(3) ? 4 : nil
        case 0xF4: return follows(1, 0x80...0x8F) && follows(2) && follows(3) ? 4 : nil
        default: return nil
        }
    }

    /// The decoded bytes of a checked string's inside. A lone surrogate escape becomes U+FFFD; ask
    /// `hasLoneSurrogate` where that must be refused.
    package static func unescape(_ escaped: some Collection<UInt8>) -> [UInt8] {
        escaped.withContiguousStorageIfAvailable(unescapeBytes)
            ?? Array(escaped).withUnsafeBufferPointer(unescapeBytes)
    }

    private static func unescapeBytes(_ escaped: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        guard escaped.contains(UInt8(ascii: "\\")) else { return Array(escaped) }
        var output: [UInt8] = []
        output.reserveCapacity(escaped.count)
        var rest = escaped[...]
        var pendingHigh: UInt32?
        while !rest.isEmpty {
            let plain = rest.prefix { $0 != UInt8(ascii: "\\") }
            if !plain.isEmpty { flush(&pendingHigh, &output) }
            output.append(contentsOf: plain)
            rest = rest[plain.endIndex...].dropFirst()
            guard let escape = rest.popFirst() else { break }
            guard escape == UInt8(ascii: "u") else {
                flush(&pendingHigh, &output)
                output.append(simpleEscape(escape))
                continue
            }
            var unit: UInt32 = 0
            for _ in 0..<4 { unit = unit << 4 | UInt32(rest.popFirst().flatMap(hexValue) ?? 0) }
            switch (pendingHigh, unit) {
            case (let high?, 0xDC00...0xDFFF):
                pendingHigh = nil
                append(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00), &output)
            case (_, 0xD800...0xDBFF):
                flush(&pendingHigh, &output)
                pendingHigh = unit
            default:
                flush(&pendingHigh, &output)
                append(unit, &output)
            }
        }
        flush(&pendingHigh, &output)
        return output
    }

    /// Whether a `\ud800`–`\udfff` escape stands without its partner: no character at all.
    package static func hasLoneSurrogate(_ escaped: some Collection<UInt8>) -> Bool {
        var rest = escaped.makeIterator()
        var expectsLow = false
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "\\"), let escape = rest.next(),
                escape == UInt8(ascii: "u")
            else {
                if expectsLow { return true }
                continue
            }
            var unit: UInt32 = 0
            for _ in 0..<4 { unit = unit << 4 | UInt32(rest.next().flatMap(hexValue) ?? 0) }
            let isLow = (0xDC00...0xDFFF).contains(unit)
            guard isLow == expectsLow else { return true }
            expectsLow = (0xD800...0xDBFF).contains(unit)
        }
        return expectsLow
    }

    private static func flush(_ high: inout UInt32?, _ output: inout [UInt8]) {
        if high.take() != nil { append(0xFFFD, &output) }
    }

    private static func append(_ value: UInt32, _ output: inout [UInt8]) {
        output.append(contentsOf: Array(String(Unicode.Scalar(value) ?? "\u{FFFD}").utf8))
    }

    private static func simpleEscape(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: byte
        }
    }

    /// What a hexadecimal digit counts; `nil` for any other byte.
    package static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
