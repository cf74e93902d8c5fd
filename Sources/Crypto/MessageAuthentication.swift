import CCrypto

/// HMAC by libcrypto (RFC 2104), and comparing without telling how far two values agree.
package enum MessageAuthentication {
    /// HMAC-SHA-256: 32 bytes.
    package static func sha256(key: [UInt8], _ message: some Sequence<UInt8>) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: 32)
        var length = 0
        let message = Array(message)
        let context = EVP_MAC_CTX_dup(prepared)
        defer { EVP_MAC_CTX_free(context) }
        let isDone =
            EVP_MAC_init(context, key, key.count, nil) == 1
            && EVP_MAC_update(context, message, message.count) == 1
            && EVP_MAC_final(context, &output, &length, output.count) == 1
        precondition(isDone && length == 32, "libcrypto knows HMAC and SHA-256")
        return output
    }

    /// Never used, only copied: libcrypto would look both algorithms up by their names each time.
    nonisolated(unsafe) private static let prepared: OpaquePointer? = {
        let context = EVP_MAC_CTX_new(EVP_MAC_fetch(nil, "HMAC", nil))
        precondition(msorch_hash_by_sha256(context) == 1, "libcrypto knows HMAC and SHA-256")
        return context
    }()

    /// Whether two values are the same; takes as long wherever they differ.
    package static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.count == other.count && CRYPTO_memcmp(one, other, one.count) == 0
    }
}
