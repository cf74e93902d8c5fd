import JSON

/// A moment as requests are signed with: ISO 8601's basic format, whole seconds, UTC.
struct SigningDate: Equatable {
    let timestamp: Timestamp

    init(_ timestamp: Timestamp) { self.timestamp = timestamp }

    /// `nil` unless it is `YYYYMMDD'T'HHMMSS'Z'` and such a moment exists.
    init?(_ text: String) {
        let digits = Array(text)
        guard digits.count == 16, digits[8] == "T", digits[15] == "Z" else { return nil }
        let day = "\(String(digits[0..<4]))-\(String(digits[4..<6]))-\(String(digits[6..<8]))"
        let time =
            "\(String(digits[9..<11])):\(String(digits[11..<13])):\(String(digits[13..<15]))"
        guard let timestamp = Timestamp(iso8601: "\(day)T\(time)Z") else { return nil }
        self.timestamp = timestamp
    }

    var text: String {
        let plain = timestamp.iso8601.prefix(19).filter { $0 != "-" && $0 != ":" }
        return "\(plain)Z"
    }
}
