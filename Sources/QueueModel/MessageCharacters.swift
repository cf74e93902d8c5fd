/// Which characters a message may hold: #x9, #xA, #xD, #x20–#xD7FF, #xE000–#xFFFD, #x10000–#x10FFFF
/// (SendMessage, API Reference).
package enum MessageCharacters {
    /// Whether the bytes are UTF-8 of such characters only.
    package static func areValid(_ bytes: [UInt8]) -> Bool {
        guard bytes.contains(where: { $0 >= 0x80 || $0 < 0x20 }) else { return true }
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x9, 0xA, 0xD, 0x20...0xFFFD, 0x10000...0x10FFFF: true
            default: false
            }
        }
    }
}
