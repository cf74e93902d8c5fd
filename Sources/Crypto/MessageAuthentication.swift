import CCrypto

/// HMAC by libcrypto (RFC 2104), and comparing without telling how far two values agree.
package enum MessageAuthentication {
    /// HMAC-SHA-256: 32 bytes.
    package static func sha256(key: [UInt8], _ message: some Sequence<UInt8>) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: 32)
        var length: CUnsignedInt = 0
        let message = Array(message)
        let result = HMAC(
            EVP_sha256(), key, CInt(key.count), message, message.count, &output, &length)
        precondition(result != nil && length == 32, "libcrypto knows SHA-256")
        return output
    }

    /// Whether two values are the same; takes as long wherever they differ.
    package static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.count == other.count && CRYPTO_memcmp(one, other, one.count) == 0
    }
}
