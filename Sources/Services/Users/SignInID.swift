import Crypto
import JSON

/// Names a sign-in in all its tokens (`origin_jti`): a UUID that begins with the time, to the
/// millisecond (version 7 of RFC 9562). Tokens count whole seconds only, and whoever signs out must
/// be able to sign in again within one.
enum SignInID {
    static func make(at now: Timestamp) -> String {
        let time = UInt64(max(0, now.milliseconds))
        var bytes = (0..<6).map { UInt8(truncatingIfNeeded: time >> (40 - 8 * $0)) }
        bytes += RandomBytes.make(count: 10)
        bytes[6] = bytes[6] & 0x0F | 0x70
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array(Digest.hex(bytes))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }
            .joined(separator: "-")
    }

    /// `nil` if it is none.
    static func time(of id: String) -> Timestamp? {
        let digits = id.prefix(13).filter { $0 != "-" }
        guard id.utf8.count == 36, digits.utf8.count == 12 else { return nil }
        return Int64(digits, radix: 16).map { Timestamp(milliseconds: $0) }
    }
}
