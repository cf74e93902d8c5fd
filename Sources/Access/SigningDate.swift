import JSON

/// A moment as requests are signed with: ISO 8601's basic format, whole seconds, UTC.
struct SigningDate: Equatable {
    let timestamp: Timestamp

    init(_ timestamp: Timestamp) { self.timestamp = timestamp }

    /// `nil` unless it is `YYYYMMDD'T'HHMMSS'Z'` and such a moment exists.
    init?(_ text: String) {
        guard text.utf8.count == 16 else { return nil }
        // As ISO 8601's other format has it.
        var spelled: [UInt8] = []
        spelled.reserveCapacity(20)
        for (index, byte) in text.utf8.enumerated() {
            switch index {
            case 4, 6: spelled.append(UInt8(ascii: "-"))
            case 8: guard byte == UInt8(ascii: "T") else { return nil }
            case 11, 13: spelled.append(UInt8(ascii: ":"))
            case 15: guard byte == UInt8(ascii: "Z") else { return nil }
            default: break
            }
            spelled.append(byte)
        }
        guard let timestamp = Timestamp(iso8601: String(decoding: spelled, as: UTF8.self)) else {
            return nil
        }
        self.timestamp = timestamp
    }

    var text: String {
        let plain = timestamp.iso8601.utf8.prefix(19).filter {
            $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ":")
        }
        return String(decoding: plain, as: UTF8.self) + "Z"
    }
}
