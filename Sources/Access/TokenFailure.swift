/// Why a token is not taken. The words are for `www-authenticate` and the log; they tell nothing
/// that a forger does not know.
package enum TokenFailure: Error, Equatable, Sendable {
    /// It is no JSON Web Token in compact form.
    case malformed(String)
    /// An algorithm that is not taken: `none`, one with a shared secret, or an unknown one.
    case algorithm(String)
    /// No key of the issuer has the token's `kid`, or the key is not for its algorithm.
    case unknownKey
    case signature
    case expired
    case notYetValid
    case issuer
    case audience
    case use
    /// None of the scopes that were asked for.
    case scope
    /// The issuer's own keys cannot be read.
    case badKeySet(String)

    package var message: String {
        switch self {
        case .malformed(let what): "the token is malformed: \(what)"
        case .algorithm(let name): "the token's signature algorithm '\(name)' is not supported"
        case .unknownKey: "the token was not signed by a key of its issuer"
        case .signature: "the token's signature is not valid"
        case .expired: "the token has expired"
        case .notYetValid: "the token is not valid yet"
        case .issuer: "the token does not have a valid issuer"
        case .audience: "the token does not have a valid audience"
        case .use: "the token is not for this use"
        case .scope: "the token does not have a required scope"
        case .badKeySet(let what): "the issuer's key set cannot be used: \(what)"
        }
    }
}
