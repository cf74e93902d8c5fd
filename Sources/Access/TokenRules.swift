import JSON

/// What a token must say to be taken, as API Gateway's JWT authorizers judge (API Gateway developer
/// guide, *http-api-jwt-authorizer*).
package struct TokenRules: Equatable, Sendable {
    package var issuer: String
    /// One of these must be the token's audience, or its client where it has none.
    package var audiences: [String]
    /// Cognito's `token_use`; `nil` takes any.
    package var use: String?

    package init(issuer: String, audiences: [String], use: String? = nil) {
        self.issuer = issuer
        self.audiences = audiences
        self.use = use
    }

    /// Checks signature and claims; nothing of a token is believed before its signature is.
    ///
    /// - Parameter scopes: it must have one of these; none are asked for if empty.
    /// - Returns: the claims.
    package func verify(
        _ text: String, keys: TokenKeySet, scopes: [String] = [], at now: Timestamp
    ) throws(TokenFailure) -> JSONObject {
        let token = try WebToken(text)
        try token.checkSignature(keys)
        let claims = try token.claims()
        try check(claims, at: now)
        let granted = Self.scopes(of: claims)
        guard scopes.isEmpty || scopes.contains(where: { granted.contains(ExactText($0)) }) else {
            throw .scope
        }
        return claims
    }

    func check(_ claims: JSONObject, at now: Timestamp) throws(TokenFailure) {
        let seconds = Double(now.milliseconds) / 1000
        guard let expiry = try Self.moment("exp", of: claims) else {
            throw .malformed("it never expires")
        }
        guard seconds < expiry else { throw .expired }
        for name in ["nbf", "iat"] {
            guard let start = try Self.moment(name, of: claims) else { continue }
            guard start <= seconds else { throw .notYetValid }
        }
        guard claims["iss"] == .string(issuer) else { throw .issuer }
        let named: [String]
        switch claims["aud"] {
        case nil: named = [claims["client_id"]?.stringValue].compactMap { $0 }
        case .string(let one): named = [one]
        case .array(let list): named = list.compactMap(\.stringValue)
        default: named = []
        }
        guard audiences.contains(where: { named.contains(where: $0.isExactly) }) else {
            throw .audience
        }
        guard use == nil || claims["token_use"]?.stringValue == use else { throw .use }
    }

    /// Seconds since 1970; `nil` if it is not there.
    private static func moment(
        _ name: String, of claims: JSONObject
    ) throws(TokenFailure) -> Double? {
        guard let value = claims[name] else { return nil }
        guard let number = value.doubleValue, number.isFinite else {
            throw .malformed("its '\(name)' is no number")
        }
        return number
    }

    /// `scope`, words with spaces between them, or `scp`, also a list.
    package static func scopes(of claims: JSONObject) -> Set<ExactText> {
        let claim = claims["scope"] ?? claims["scp"]
        let list = claim?.arrayValue?.compactMap(\.stringValue)
        let words = claim?.stringValue?.split(separator: " ").map(String.init)
        return Set((list ?? words ?? []).map { ExactText($0) })
    }
}
