import CCrypto

/// What a signature's digest is made by.
package enum SignatureDigest: Sendable {
    case sha256
    case sha384
    case sha512

    var algorithm: OpaquePointer? {
        switch self {
        case .sha256: EVP_sha256()
        case .sha384: EVP_sha384()
        case .sha512: EVP_sha512()
        }
    }
}

/// The curves of RFC 7518, and how long a coordinate of each is.
package enum EllipticCurve: String, Sendable {
    case p256 = "P-256"
    case p384 = "P-384"
    case p521 = "P-521"

    package var coordinateBytes: Int {
        switch self {
        case .p256: 32
        case .p384: 48
        case .p521: 66
        }
    }
}

/// A key that tells whether a signature is its owner's, by libcrypto. libcrypto's keys may be used
/// by several threads as long as nobody changes them.
package final class PublicKey: @unchecked Sendable {
    /// Smaller RSA keys can be broken (RFC 7518 section 3.3).
    package static let leastModulusBits = 2048
    /// A larger one costs whoever checks more than it protects.
    package static let mostModulusBits = 8192

    private let key: OpaquePointer
    /// `nil` for RSA.
    package let curve: EllipticCurve?

    private init(_ key: OpaquePointer, curve: EllipticCurve?) {
        self.key = key
        self.curve = curve
    }

    deinit { EVP_PKEY_free(key) }

    /// An RSA key from its numbers, big end first. `nil` if it is too small or too large, its
    /// exponent is even or 1, or it is of the kind that a faulty chip made (CVE-2017-15361).
    package convenience init?(modulus: [UInt8], exponent: [UInt8]) {
        guard let n = BigNumber(modulus), let e = BigNumber(exponent), !n.isFromFaultyChip,
            Self.leastModulusBits...Self.mostModulusBits ~= n.bits, e.isOdd, e.bits > 1,
            let key = Self.make("RSA", { msorch_push_rsa($0, n.pointer, e.pointer) == 1 })
        else { return nil }
        self.init(key, curve: nil)
    }

    /// A key on a curve from its point, big end first. `nil` if the point is not on it.
    package convenience init?(curve: EllipticCurve, x: [UInt8], y: [UInt8]) {
        guard x.count == curve.coordinateBytes, y.count == curve.coordinateBytes else {
            return nil
        }
        let point = [4] + x + y
        let made = curve.rawValue.withCString { name in
            point.withUnsafeBufferPointer { point in
                Self.make(
                    "EC", { msorch_push_point($0, name, point.baseAddress, point.count) == 1 })
            }
        }
        guard let made else { return nil }
        self.init(made, curve: curve)
    }

    /// A key from its parts, which need live no longer than this call; `nil` if they make none.
    private static func make(
        _ kind: String, _ push: (OpaquePointer) -> Bool
    ) -> OpaquePointer? {
        defer { ERR_clear_error() }
        guard let builder = OSSL_PARAM_BLD_new() else { return nil }
        defer { OSSL_PARAM_BLD_free(builder) }
        guard push(builder), let parts = OSSL_PARAM_BLD_to_param(builder) else { return nil }
        defer { OSSL_PARAM_free(parts) }
        guard let context = EVP_PKEY_CTX_new_from_name(nil, kind, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_fromdata_init(context) == 1,
            EVP_PKEY_fromdata(context, &key, msorch_public_key_parts(), parts) == 1
        else { return nil }
        return key
    }

    /// Whether its owner signed `message`: by RSA with PKCS #1 v1.5's padding, or by ECDSA, whose
    /// signatures are two numbers of the curve's length (RFC 7518 section 3.4).
    package func verify(
        _ signature: [UInt8], of message: [UInt8], _ digest: SignatureDigest
    ) -> Bool {
        guard let curve else { return verifyEncoded(signature, message, digest) }
        let length = curve.coordinateBytes
        guard signature.count == 2 * length, let pair = ECDSA_SIG_new() else { return false }
        defer { ECDSA_SIG_free(pair) }
        let r = BN_bin2bn(Array(signature.prefix(length)), CInt(length), nil)
        let s = BN_bin2bn(Array(signature.suffix(length)), CInt(length), nil)
        // The pair owns its numbers from here on.
        guard ECDSA_SIG_set0(pair, r, s) == 1 else { return false }
        var encoded: UnsafeMutablePointer<UInt8>?
        let count = i2d_ECDSA_SIG(pair, &encoded)
        defer { CRYPTO_free(encoded, nil, 0) }
        guard count > 0, let encoded else { return false }
        let bytes = Array(UnsafeBufferPointer(start: encoded, count: Int(count)))
        return verifyEncoded(bytes, message, digest)
    }

    private func verifyEncoded(
        _ signature: [UInt8], _ message: [UInt8], _ digest: SignatureDigest
    ) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, digest.algorithm, nil, key) == 1 else {
            return false
        }
        let result = EVP_DigestVerify(
            context, signature, signature.count, message, message.count)
        // What is wrong with a signature is nobody's to read later.
        ERR_clear_error()
        return result == 1
    }
}
