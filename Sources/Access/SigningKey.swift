import Crypto
import JSON

/// An access key and its secret. Never printed whole: `description` names the key alone.
package struct AccessKey: Equatable, Sendable, CustomStringConvertible {
    package var id: String
    package var secret: String
    /// Temporary credentials carry one; `nil` for a long-term key.
    package var sessionToken: String?

    package init(id: String, secret: String, sessionToken: String? = nil) {
        self.id = id
        self.secret = secret
        self.sessionToken = sessionToken
    }

    package var description: String { id }
}

/// What a signature is good for: `20150830/us-east-1/service/aws4_request`.
package struct CredentialScope: Equatable, Sendable {
    /// `YYYYMMDD`.
    package var date: String
    package var region: String
    package var service: String

    package init(date: String, region: String, service: String) {
        self.date = date
        self.region = region
        self.service = service
    }

    package var text: String { "\(date)/\(region)/\(service)/aws4_request" }
}

package enum SignatureV4 {
    package static let algorithm = "AWS4-HMAC-SHA256"

    /// - Parameter date: `YYYYMMDD'T'HHMMSS'Z'`.
    package static func stringToSign(
        _ request: CanonicalRequest, date: String, _ scope: CredentialScope
    ) -> String {
        algorithm + "\n" + date + "\n" + scope.text + "\n" + request.hash
    }

    /// What a secret is good for on one day, in one region, for one service.
    package static func signingKey(secret: String, _ scope: CredentialScope) -> [UInt8] {
        var key = Array("AWS4\(secret)".utf8)
        for part in [scope.date, scope.region, scope.service, "aws4_request"] {
            key = MessageAuthentication.sha256(key: key, part.utf8)
        }
        return key
    }

    /// 64 hexadecimal digits.
    package static func signature(of stringToSign: String, signingKey: [UInt8]) -> String {
        Digest.hex(MessageAuthentication.sha256(key: signingKey, stringToSign.utf8))
    }

    package static func signature(
        of stringToSign: String, secret: String, _ scope: CredentialScope
    ) -> String {
        signature(of: stringToSign, signingKey: signingKey(secret: secret, scope))
    }

    /// Signs a request by headers: what must be added to it, in order. The body's hash is signed
    /// in any case.
    package static func sign(
        _ request: SignedRequest, with key: AccessKey, region: String, service: String,
        at now: Timestamp
    ) -> [(name: String, value: String)] {
        let date = SigningDate(now).text
        let scope = CredentialScope(
            date: String(date.prefix(8)), region: region, service: service)
        var added: [(name: String, value: String)] = [(name: "X-Amz-Date", value: date)]
        if let token = key.sessionToken { added.append(("X-Amz-Security-Token", token)) }
        var signed = request
        signed.headers += added
        let names = Set(signed.headers.map { $0.name.lowercased() })
            .subtracting(["connection", "user-agent", "content-length"]).sorted()
        let canonical = CanonicalRequest(
            signed, signedHeaders: names, payloadHash: Digest.sha256Hex(request.body))
        let signature = signature(
            of: stringToSign(canonical, date: date, scope), secret: key.secret, scope)
        added.append(
            (
                "Authorization",
                "\(algorithm) Credential=\(key.id)/\(scope.text), "
                    + "SignedHeaders=\(names.joined(separator: ";")), Signature=\(signature)"
            ))
        return added
    }
}
