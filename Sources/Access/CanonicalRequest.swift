import Crypto
import JSON

/// The one spelling of a request that both sides sign (IAM User Guide, *Create a signed AWS API
/// request*).
package struct CanonicalRequest: Equatable, Sendable {
    package let text: String

    /// - Parameters:
    ///   - signedHeaders: lower case, in the order in which the signer names them.
    ///   - normalizesPath: whether `.`, `..` and doubled slashes go; every service but S3 does so.
    ///   - signsToken: whether a session token in the query is signed; a few services leave it out.
    ///   - payloadHash: what stands for the body.
    package init(
        _ request: SignedRequest, signedHeaders: [String], normalizesPath: Bool = true,
        signsToken: Bool = true, payloadHash: String
    ) {
        let path = normalizesPath ? Self.normalized(request.path) : request.path
        let headers = signedHeaders.map { "\($0):\(Self.value(of: $0, in: request))\n" }
        text = [
            request.method,
            PercentEncoding.encode(path.isEmpty ? "/" : path, keepsSlash: true),
            Self.query(request, without: signsToken ? [] : ["X-Amz-Security-Token"]),
            headers.joined(),
            signedHeaders.joined(separator: ";"),
            payloadHash,
        ].joined(separator: "\n")
    }

    package var hash: String { Digest.sha256Hex(text.utf8) }

    /// Sorted by encoded name, then value; a signature does not sign itself.
    private static func query(_ request: SignedRequest, without names: [String]) -> String {
        request.parameters.filter { !(names + ["X-Amz-Signature"]).contains($0.name) }
            .map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
            .sorted { $0 < $1 }
            .map { "\($0)=\($1)" }.joined(separator: "&")
    }

    /// Values of one name are joined by commas; spaces at the ends go, and runs become one.
    private static func value(of name: String, in request: SignedRequest) -> String {
        let values = request.headers.lazy.filter { SignedRequest.isNamed($0.name, name) }
            .map { header in single(header.value) }
        return values.joined(separator: ",")
    }

    private static func single(_ value: String) -> String {
        let words = value.utf8.split(whereSeparator: \.isSpace)
        guard words.count > 1 || words.first?.count != value.utf8.count else { return value }
        return words.map { String(Substring($0)) }.joined(separator: " ")
    }

    private static func normalized(_ path: String) -> String {
        var segments: [Substring] = []
        for segment in path.split(separator: "/") {
            switch segment {
            case ".": break
            case "..": _ = segments.popLast()
            default: segments.append(segment)
            }
        }
        let isFolder = path.hasSuffix("/") || path.hasSuffix("/.") || path.hasSuffix("/..")
        return "/" + segments.joined(separator: "/") + (isFolder && !segments.isEmpty ? "/" : "")
    }
}
