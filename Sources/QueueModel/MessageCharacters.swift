/// Which characters a message may hold: #x9, #xA, #xD, #x20–#xD7FF, #xE000–#xFFFD, #x10000–#x10FFFF
/// (SendMessage, API Reference).
package enum MessageCharacters {
    /// Whether the bytes are UTF-8 of such characters only.
    package static func areValid(_ bytes: [UInt8]) -> Bool {
        guard !arePlain(bytes) else { return true }
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x9, 0xA, 0xD, 0x20...0xFFFD, 0x10000...0x10FFFF: true
            default: false
            }
        }
    }

    /// Whether all of it is printable ASCII, or 0x7F.
    private static func arePlain(_ bytes: [UInt8]) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        return bytes.withUnsafeBytes { bytes in
            var at = 0
            // A byte's top bit is set where it is 0x80 or more, or less than what is taken away.
            while at + 8 <= bytes.count,
                case let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                (word | (word &- ones &* 0x20)) & (ones << 7) == 0
            { at += 8 }
            return bytes[at...].allSatisfy { (0x20..<0x80).contains($0) }
        }
    }
}
