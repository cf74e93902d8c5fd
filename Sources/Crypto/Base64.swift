import CCrypto

/// Base64 with the standard alphabet and padding (RFC 4648 section 4), and base64url without
/// padding (section 5), by libcrypto.
package enum Base64 {
    package static func encode(_ bytes: [UInt8]) -> String {
        var output = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let length = EVP_EncodeBlock(&output, bytes, CInt(bytes.count))
        return String(decoding: output.prefix(Int(length)), as: UTF8.self)
    }

    /// `nil` unless `text` is canonical: whole groups of four, no white space.
    package static func decode(_ text: String) -> [UInt8]? {
        let input = Array(text.utf8)
        guard input.count.isMultiple(of: 4) else { return nil }
        guard !input.isEmpty else { return [] }
        let padding = input.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2,
            input.dropLast(padding).allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                    true
                default: false
                }
            })
        else { return nil }
        var output = [UInt8](repeating: 0, count: input.count / 4 * 3)
        guard EVP_DecodeBlock(&output, input, CInt(input.count)) >= 0 else { return nil }
        return Array(output.dropLast(padding))
    }

    package static func encodeURL(_ bytes: [UInt8]) -> String {
        let text = encode(bytes).utf8.filter { $0 != UInt8(ascii: "=") }.map { byte in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `nil` unless `text` is what `encodeURL` gives: one spelling for each value.
    package static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        var input = text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): UInt8(ascii: " ")
            default: byte
            }
        }
        input += [UInt8](repeating: UInt8(ascii: "="), count: (4 - input.count % 4) % 4)
        guard let bytes = decode(String(decoding: input, as: UTF8.self)),
            encodeURL(bytes).utf8.elementsEqual(text.utf8)
        else { return nil }
        return bytes
    }
}
