import Crypto
import JSON

/// Checks requests' signatures for one service of one region.
package struct SignatureVerifier: Sendable {
    /// How far a signature's date may be from now, on AWS.
    package static let defaultSkew = Duration.seconds(15 * 60)

    package var region: String
    package var service: String
    /// Whether `.` and `..` in a path are resolved before it is signed.
    package var normalizesPath = true
    /// Whether a path must be the one that is signed: where requests are told apart by their paths
    /// as they stand, one signature must not be good for `/a` and `/b/../a`.
    package var requiresNormalizedPath = false
    /// Whether a session token in the query is part of what is signed.
    package var signsToken = true
    /// Whether old and future dates are refused; frozen test clocks sign with odd ones.
    package var checksDates = true
    /// How far a signature's date may be from now.
    package var allowedSkew = SignatureVerifier.defaultSkew
    /// Derives what a secret signs with; whoever checks many requests remembers it.
    package var signingKey: @Sendable (_ secret: String, CredentialScope) -> [UInt8] = {
        SignatureV4.signingKey(secret: $0, $1)
    }

    package init(region: String, service: String) {
        self.region = region
        self.service = service
    }

    /// - Parameter key: finds a key by its ID; `nil` if there is none.
    /// - Returns: the key that signed the request.
    package func verify(
        _ request: SignedRequest, at now: Timestamp, key: (String) -> AccessKey?
    ) throws(SignatureFailure) -> AccessKey {
        let signature = try RequestSignature(request)
        guard let date = SigningDate(signature.date),
            signature.date.utf8.prefix(8).elementsEqual(signature.scope.date.utf8)
        else {
            throw .incomplete(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                    + "from HTTP: '\(signature.scope.date)' != '\(signature.date)'.")
        }
        guard signature.signedHeaders.contains("host") else {
            throw .incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.")
        }
        try requireSignedHeaders(request, signature)
        guard signature.scope.region == region else {
            throw .wrongScope("Credential should be scoped to a valid region. ")
        }
        guard signature.scope.service == service else {
            throw .wrongScope("Credential should be scoped to correct service: '\(service)'. ")
        }
        guard let key = key(signature.keyID),
            MessageAuthentication.isEqual(
                Array((key.sessionToken ?? "").utf8), Array((signature.sessionToken ?? "").utf8))
        else { throw .unknownKey }
        if requiresNormalizedPath, CanonicalRequest.normalized(request.path) != request.path {
            throw .mismatch
        }
        let canonical = CanonicalRequest(
            request, signedHeaders: signature.signedHeaders, normalizesPath: normalizesPath,
            signsToken: signsToken, payloadHash: try payloadHash(request))
        let expected = SignatureV4.signature(
            of: SignatureV4.stringToSign(canonical, date: signature.date, signature.scope),
            signingKey: signingKey(key.secret, signature.scope))
        guard
            MessageAuthentication.isEqual(Array(expected.utf8), Array(signature.signature.utf8))
        else { throw .mismatch }
        if checksDates { try check(date, expires: signature.expires, at: now) }
        return key
    }

    /// A header that says what to do must not be anybody's to change. A session token may be added
    /// after signing, and what else a pre-signed request bears is not its signer's. Of two that say
    /// it, one would be gone by, and both be signed as one with a comma in between.
    private func requireSignedHeaders(
        _ request: SignedRequest, _ signature: RequestSignature
    ) throws(SignatureFailure) {
        var seen: [String] = []
        for header in request.headers {
            let isOurs = header.name.utf8.starts(with: "x-amz-".utf8) { $0 | 0x20 == $1 }
            guard
                isOurs || SignedRequest.isNamed(header.name, "authorization")
                    || SignedRequest.isNamed(header.name, "date")
            else { continue }
            let name = header.name.lowercased()
            guard !seen.contains(name) else {
                throw .incomplete("'\(header.name)' must be in the request once.")
            }
            seen.append(name)
            guard isOurs, name != "x-amz-security-token", !signature.signedHeaders.contains(name)
            else { continue }
            throw .incomplete("'\(header.name)' must be a 'SignedHeader' in the AWS Authorization.")
        }
    }

    /// The access key that an `Authorization` header names, at little cost; `nil` where it is not
    /// spelled as clients do: it may name one all the same.
    package static func keyID(authorization header: ArraySlice<UInt8>) -> String? {
        RequestSignature.keyID(plain: header)
    }

    /// The access key that a request names; nothing is checked. `nil` if it names none.
    package static func keyID(of request: SignedRequest) -> String? {
        RequestSignature.keyID(of: request)
    }

    /// The body's hash. Who names another in a header did not sign this body.
    private func payloadHash(_ request: SignedRequest) throws(SignatureFailure) -> String {
        let hash = Digest.sha256Hex(request.body)
        guard let named = request.header("x-amz-content-sha256") else { return hash }
        guard named == hash else { throw .mismatch }
        return hash
    }

    private func check(
        _ date: SigningDate, expires: Int64?, at now: Timestamp
    ) throws(SignatureFailure) {
        let skew = allowedSkew
        let end = date.timestamp + (expires.map { .seconds($0) } ?? skew)
        if now <= end, date.timestamp - now <= skew { return }
        let current = SigningDate(now).text
        let words = "\(skew.components.seconds / 60) min."
        guard now > end else {
            throw .expired(
                "Signature not yet current: \(date.text) is still later than "
                    + "\(SigningDate(now + skew).text) (\(current) + \(words))")
        }
        throw .expired(
            expires == nil
                ? "Signature expired: \(date.text) is now earlier than "
                    + "\(SigningDate(now - skew).text) (\(current) - \(words))"
                : "Signature expired: \(date.text) was good until \(SigningDate(end).text), "
                    + "now is \(current).")
    }
}
