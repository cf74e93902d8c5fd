/// Percent-encoding (RFC 3986 section 2.1), as paths, queries, forms and signatures use it.
package enum PercentEncoding {
    /// Everything but letters, digits, `-`, `.`, `_`, `~`, and `/` where `keepsSlash`: what
    /// Signature Version 4 wants.
    package static func encode(_ text: some StringProtocol, keepsSlash: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                output.append(byte)
            case UInt8(ascii: "/") where keepsSlash: output.append(byte)
            default:
                output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// A `%` without two hexadecimal digits stays as it is; bytes that are not UTF-8 become U+FFFD.
    /// - Parameter plusIsSpace: as in a query string that a form has made.
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String {
        let isPlain = !text.utf8.contains { byte in
            byte == UInt8(ascii: "%") || plusIsSpace && byte == UInt8(ascii: "+")
        }
        guard !isPlain else { return String(text) }
        let (bytes, _) = bytes(Array(text.utf8)[...], plusIsSpace: plusIsSpace)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A form's name or value, where `+` is a space; `nil` if a `%` has not two hexadecimal digits,
    /// or the bytes are not UTF-8.
    package static func decodeForm(_ text: ArraySlice<UInt8>) -> String? {
        let (bytes, isWhole) = bytes(text, plusIsSpace: true)
        return isWhole ? String(validating: bytes, as: UTF8.self) : nil
    }

    /// - Returns: also whether every `%` had its two hexadecimal digits.
    private static func bytes(
        _ text: ArraySlice<UInt8>, plusIsSpace: Bool
    ) -> (bytes: [UInt8], isWhole: Bool) {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var isWhole = true
        var at = text.startIndex
        while at < text.endIndex {
            let byte = text[at]
            at += 1
            guard byte == UInt8(ascii: "%") else {
                output.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                continue
            }
            // Not `UInt8(_:radix:)`, which takes a sign: two spellings would be signed as one.
            if at + 1 < text.endIndex, let high = JSONText.hexValue(text[at]),
                let low = JSONText.hexValue(text[at + 1])
            {
                output.append(high << 4 | low)
                at += 2
            } else {
                output.append(byte)
                isWhole = false
            }
        }
        return (output, isWhole)
    }
}
