import Crypto
import JSON

/// What a pool gives out to get it back unchanged: refresh tokens, and sessions of challenges. Only
/// its secret makes one; anybody may read it.
enum SealedText {
    enum Purpose: String {
        case refresh
        case newPassword
    }

    /// Letters, digits, `-`, `_` and one `.`.
    static func seal(_ json: JSONObject, for purpose: Purpose, _ secret: [UInt8]) -> String {
        let payload = Base64.encodeURL(Array(JSONValue.object(json).serialized().utf8))
        return "\(payload).\(Base64.encodeURL(code(payload, purpose, secret)))"
    }

    /// - Returns: `nil` unless it was sealed for this purpose with this secret.
    static func open(_ text: String, for purpose: Purpose, _ secret: [UInt8]) -> JSONObject? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let given = Base64.decodeURL(parts[1]),
            MessageAuthentication.isEqual(given, code(String(parts[0]), purpose, secret)),
            let payload = Base64.decodeURL(parts[0])
        else { return nil }
        return (try? JSONValue.parse(payload))?.objectValue
    }

    private static func code(_ payload: String, _ purpose: Purpose, _ secret: [UInt8]) -> [UInt8] {
        MessageAuthentication.sha256(key: secret, "\(purpose.rawValue).\(payload)".utf8)
    }
}
