import Crypto
import JSON

/// A JSON Web Token in compact form (RFC 7519, RFC 7515), taken apart and not yet believed.
package struct WebToken: Sendable {
    /// A longer one fits no header that API Gateway takes (its limit is 10,240 bytes in all).
    package static let limitBytes = 10_240
    private static let maximumDepth = 16

    package let algorithm: TokenAlgorithm
    package let keyID: String
    /// The payload; members of an object where it is one.
    let payload: [UInt8]
    private let signedBytes: [UInt8]
    private let signature: [UInt8]

    /// - Throws: `malformed`, or `algorithm`.
    package init(_ text: String) throws(TokenFailure) {
        guard text.utf8.count <= Self.limitBytes else {
            throw .malformed("it has more than \(Self.limitBytes) bytes")
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("it does not have three parts") }
        guard let header = Base64.decodeURL(parts[0]), let payload = Base64.decodeURL(parts[1]),
            let signature = Base64.decodeURL(parts[2]), !signature.isEmpty
        else { throw .malformed("a part of it is not base64url") }
        let fields = try Self.members(of: header, "its header")
        guard let name = fields["alg"]?.stringValue else {
            throw .malformed("its header names no algorithm")
        }
        guard let algorithm = TokenAlgorithm(rawValue: name) else { throw .algorithm(name) }
        // Whoever must understand an extension and does not, must refuse (RFC 7515 section 4.1.11).
        guard fields["crit"] == nil, fields["b64"] == nil else {
            throw .malformed("its header asks for an extension")
        }
        guard let keyID = fields["kid"]?.stringValue, !keyID.isEmpty else {
            throw .malformed("its header names no key")
        }
        self.algorithm = algorithm
        self.keyID = keyID
        self.payload = payload
        self.signature = signature
        signedBytes = Array("\(parts[0]).\(parts[1])".utf8)
    }

    /// Keys that the token brings along (`jwk`, `jku`, `x5c`) count for nothing.
    /// - Throws: `unknownKey` or `signature`.
    package func checkSignature(_ keys: TokenKeySet) throws(TokenFailure) {
        guard let key = keys[keyID], key.mayVerify(algorithm) else { throw .unknownKey }
        guard key.publicKey.verify(signature, of: signedBytes, algorithm.digest) else {
            throw .signature
        }
    }

    /// - Throws: `malformed` if the payload is no JSON object.
    package func claims() throws(TokenFailure) -> JSONObject {
        try Self.members(of: payload, "its payload")
    }

    /// An object with a name that stands twice is refused, at any depth.
    private static func members(
        of bytes: [UInt8], _ what: String
    ) throws(TokenFailure) -> JSONObject {
        let located: LocatedJSON
        do throws(JSONError) {
            var parser = JSONParser(
                bytes: bytes, maximumDepth: maximumDepth, tracksPositions: false)
            located = try parser.located()
        } catch {
            throw .malformed("\(what) is not JSON")
        }
        guard located.twin == nil else { throw .malformed("\(what) has a member twice") }
        guard let object = located.plain.objectValue else {
            throw .malformed("\(what) is no JSON object")
        }
        return object
    }
}

extension WebToken {
    /// A signed token (`RS256`).
    package static func make(
        _ claims: JSONObject, keyID: String, signedBy key: PrivateKey
    ) -> String {
        let header: JSONValue = ["kid": .string(keyID), "alg": "RS256"]
        let parts = [header, .object(claims)].map {
            Base64.encodeURL(Array($0.serialized().utf8))
        }
        let text = parts.joined(separator: ".")
        return "\(text).\(Base64.encodeURL(key.sign(Array(text.utf8))))"
    }
}
