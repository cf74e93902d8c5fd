import Crypto

/// The signature algorithms that tokens may name (RFC 7518 section 3.1): those with a public key
/// alone. `none` and `HS256` are no cases: whoever can read a public key could sign with it.
package enum TokenAlgorithm: String, Sendable, CaseIterable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"

    var digest: SignatureDigest {
        switch self {
        case .rs256, .es256: .sha256
        case .rs384, .es384: .sha384
        case .rs512, .es512: .sha512
        }
    }

    /// The one curve that it goes with; `nil` for RSA.
    var curve: EllipticCurve? {
        switch self {
        case .rs256, .rs384, .rs512: nil
        case .es256: .p256
        case .es384: .p384
        case .es512: .p521
        }
    }
}
