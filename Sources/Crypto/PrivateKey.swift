import CCrypto

/// An RSA key that signs, by libcrypto. As with `PublicKey`, several threads may use it.
package final class PrivateKey: @unchecked Sendable {
    private let key: OpaquePointer

    private init(_ key: OpaquePointer) { self.key = key }

    deinit { EVP_PKEY_free(key) }

    /// Makes a new key; takes a tenth of a second or so.
    package static func makeRSA(bits: Int = 2048) -> PrivateKey {
        let context = EVP_PKEY_CTX_new_from_name(nil, "RSA", nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1,
            EVP_PKEY_CTX_set_rsa_keygen_bits(context, CInt(bits)) == 1,
            EVP_PKEY_generate(context, &key) == 1, let key
        else { preconditionFailure("libcrypto makes RSA keys of \(bits) bits") }
        return PrivateKey(key)
    }

    /// - Parameter encoded: what `encoded` gave. `nil` if it is no key.
    package init?(encoded: [UInt8]) {
        let found = encoded.withUnsafeBufferPointer { bytes in
            var at = bytes.baseAddress
            return d2i_AutoPrivateKey(nil, &at, bytes.count)
        }
        ERR_clear_error()
        guard let found else { return nil }
        key = found
    }

    /// The key as DER, secret parts included.
    package var encoded: [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_PrivateKey(key, &bytes)
        precondition(count > 0 && bytes != nil, "a key has an encoding")
        defer { CRYPTO_clear_free(bytes, Int(count), nil, 0) }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// The public parts, big end first.
    package var modulus: [UInt8] { number("n") }
    package var exponent: [UInt8] { number("e") }

    private func number(_ name: String) -> [UInt8] {
        var found: OpaquePointer?
        guard EVP_PKEY_get_bn_param(key, name, &found) == 1, let found else { return [] }
        return BigNumber(owning: found).bytes
    }

    /// Signs by RSA with SHA-256 and PKCS #1 v1.5's padding (`RS256`).
    package func sign(_ message: [UInt8]) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var length = Int(EVP_PKEY_get_size(key))
        var signature = [UInt8](repeating: 0, count: length)
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, &signature, &length, message, message.count) == 1
        else { preconditionFailure("a private key signs") }
        return Array(signature.prefix(length))
    }
}
