import Crypto

/// Ids that look like Cognito's, and are the same for the same names on every machine.
package enum PoolIdentifiers {
    /// `us-east-1_` and nine letters and digits.
    package static func pool(region: String, account: String, name: String) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        return "\(region)_" + text("pool/\(account)/\(name)", letters, count: 9)
    }

    /// 26 small letters and digits.
    package static func client(account: String, name: String) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        return text("client/\(account)/\(name)", letters, count: 26)
    }

    private static func text(_ seed: String, _ letters: [UInt8], count: Int) -> String {
        let bytes = Digest.sha256(seed.utf8).prefix(count)
        return String(decoding: bytes.map { letters[Int($0) % letters.count] }, as: UTF8.self)
    }
}
