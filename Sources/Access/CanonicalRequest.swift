import Crypto
import JSON

/// The one spelling of a request that both sides sign (IAM User Guide, *Create a signed AWS API
/// request*).
package struct CanonicalRequest: Equatable, Sendable {
    private let bytes: [UInt8]

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
        let lines = [
            request.method, path == "/" ? path : Self.encoded(path),
            Self.query(request, without: signsToken ? [] : ["X-Amz-Security-Token"]),
        ]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024)
        for line in lines {
            bytes += line.utf8
            bytes.append(Self.lineEnd)
        }
        for name in signedHeaders {
            bytes += name.utf8
            bytes.append(UInt8(ascii: ":"))
            Self.append(valuesOf: name, in: request, to: &bytes)
            bytes.append(Self.lineEnd)
        }
        bytes.append(Self.lineEnd)
        bytes += signedHeaders.joined(separator: ";").utf8
        bytes.append(Self.lineEnd)
        bytes += payloadHash.utf8
        self.bytes = bytes
    }

    private static let lineEnd = UInt8(ascii: "\n")

    private static func encoded(_ path: String) -> String {
        PercentEncoding.encode(path.isEmpty ? "/" : path, keepsSlash: true)
    }

    package var text: String { String(decoding: bytes, as: UTF8.self) }
    package var hash: String { Digest.sha256Hex(bytes) }

    /// Sorted by encoded name, then value; a signature does not sign itself.
    private static func query(_ request: SignedRequest, without names: [String]) -> String {
        guard !request.query.isEmpty else { return "" }
        return request.parameters.filter { !(names + ["X-Amz-Signature"]).contains($0.name) }
            .map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
            .sorted { $0 < $1 }
            .map { "\($0)=\($1)" }.joined(separator: "&")
    }

    /// Values of one name are joined by commas; spaces at the ends go, and runs become one.
    private static func append(
        valuesOf name: String, in request: SignedRequest, to bytes: inout [UInt8]
    ) {
        var isFirst = true
        for header in request.headers where SignedRequest.isNamed(header.name, name) {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            bytes += single(header.value).utf8
        }
    }

    private static func single(_ value: String) -> String {
        var isBehindSpace = true
        let isSingle = value.utf8.allSatisfy { byte in
            defer { isBehindSpace = byte.isSpace }
            return !byte.isSpace || byte == 0x20 && !isBehindSpace
        }
        if isSingle, !isBehindSpace { return value }
        return value.utf8.split(whereSeparator: \.isSpace)
            .map { String(Substring($0)) }.joined(separator: " ")
    }

    /// Without `.`, `..` and doubled slashes.
    static func normalized(_ path: String) -> String {
        guard path != "/" else { return path }
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
