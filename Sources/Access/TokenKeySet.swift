import Crypto
import JSON

/// The keys that an issuer signs with (RFC 7517, a JWK Set), by their ids.
package struct TokenKeySet: Sendable {
    package static let limitBytes = 262_144
    private static let limitKeys = 100

    struct Key: Sendable {
        var publicKey: PublicKey
        /// The only one that it is for; `nil`: any of its kind.
        var algorithm: TokenAlgorithm?

        func mayVerify(_ algorithm: TokenAlgorithm) -> Bool {
            publicKey.curve == algorithm.curve && (self.algorithm ?? algorithm) == algorithm
        }
    }

    private let keys: [ExactText: Key]

    package var isEmpty: Bool { keys.isEmpty }
    package var identifiers: [String] { keys.keys.sorted().map(\.text) }

    /// Keys that cannot check a token's signature are left out: those for encryption, symmetric
    /// ones, those of an algorithm that is not known, RSA keys that are too small, points beside
    /// their curve, and those without an id.
    ///
    /// - Throws: `TokenFailure.badKeySet` if it is no key set, or two keys have the same id.
    package init(json: JSONValue) throws(TokenFailure) {
        guard let list = json["keys"]?.arrayValue else { throw .badKeySet("it has no keys") }
        guard list.count <= Self.limitKeys else {
            throw .badKeySet("it has more than \(Self.limitKeys) keys")
        }
        var keys: [ExactText: Key] = [:]
        var ids: Set<ExactText> = []
        for json in list {
            guard let id = json["kid"]?.stringValue, !id.isEmpty else { continue }
            guard ids.insert(ExactText(id)).inserted else {
                throw .badKeySet("two keys have the kid '\(id)'")
            }
            keys[ExactText(id)] = Key(json: json)
        }
        self.keys = keys
    }

    /// - Parameter text: at most `limitBytes`.
    package init(text: [UInt8]) throws(TokenFailure) {
        guard text.count <= Self.limitBytes else {
            throw .badKeySet("it has more than \(Self.limitBytes) bytes")
        }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue.parse(text)
        } catch {
            throw .badKeySet(error.message)
        }
        try self.init(json: json)
    }

    subscript(id: String) -> Key? { keys[ExactText(id)] }
}

extension TokenKeySet.Key {
    fileprivate init?(json: JSONValue) {
        if let use = json["use"], use != "sig" { return nil }
        if let operations = json["key_ops"]?.arrayValue, !operations.contains("verify") {
            return nil
        }
        if let name = json["alg"] {
            guard let known = name.stringValue.flatMap(TokenAlgorithm.init(rawValue:)) else {
                return nil
            }
            algorithm = known
        }
        func number(_ name: String) -> [UInt8]? {
            json[name]?.stringValue.flatMap { Base64.decodeURL($0) }
        }
        switch json["kty"]?.stringValue {
        case "RSA":
            guard let modulus = number("n"), let exponent = number("e"),
                let key = PublicKey(modulus: modulus, exponent: exponent)
            else { return nil }
            publicKey = key
        case "EC":
            guard let curve = json["crv"]?.stringValue.flatMap(EllipticCurve.init(rawValue:)),
                let x = number("x"), let y = number("y"),
                let key = PublicKey(curve: curve, x: x, y: y)
            else { return nil }
            publicKey = key
        default: return nil
        }
        // An algorithm of another kind or curve is good for nothing.
        if let algorithm, algorithm.curve != publicKey.curve { return nil }
    }
}
