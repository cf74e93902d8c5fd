import Access
import Crypto
import JSON
import Posix
import Synchronization

/// What a pool signs with: RSA keys for tokens that others check, and a secret for those that only
/// it reads. In `user-pool-keys` of the state directory.
package struct UserPoolKeys: Sendable {
    struct SigningKey: Sendable {
        var id: String
        var key: PrivateKey
    }

    struct Loaded: Sendable {
        /// What new tokens are signed with.
        var current: SigningKey
        var secret: [UInt8]
        /// What others need to check tokens: the current key, and those that were before it for as
        /// long as a token of theirs may be good.
        var keySet: JSONValue
        var verifying: TokenKeySet
    }

    private final class CacheBox: Sendable {
        let state = Mutex<(stamp: FileStamp, loaded: Loaded, until: Timestamp)?>(nil)
    }

    private let file: StateFile
    /// The longest that a token is good.
    private let validity: Duration
    private let cache = CacheBox()

    package init(stateDirectory: String, validity: Duration) {
        file = StateFile(path: "\(stateDirectory)/user-pool-keys")
        self.validity = validity
    }

    /// The keys as they are now; made if there are none, which takes a moment.
    func load(at now: Timestamp) throws -> Loaded {
        if let stamp = file.stamp,
            let known = cache.state.withLock({ state in
                state.flatMap { $0.stamp == stamp && now < $0.until ? $0.loaded : nil }
            })
        {
            return known
        }
        try ensure(at: now)
        guard let stamp = file.stamp, let json = try file.read() else {
            throw StateFileError.unreadable(file.path, "it has gone")
        }
        let loaded = try loaded(json, at: now)
        // Old keys leave the set by time alone: it is made anew now and then.
        let until = now + .seconds(60)
        cache.state.withLock { $0 = (stamp, loaded, until) }
        return loaded
    }

    /// Makes the first key if there is none.
    package func ensure(at now: Timestamp) throws {
        guard try file.read() == nil else { return }
        try file.update { json in
            guard json["keys"] == nil else { return }
            json["secret"] = .string(Base64.encode(RandomBytes.make(count: 32)))
            json["keys"] = [Self.make(at: now)]
        }
    }

    /// From now on a new key signs; tokens of the old one stay good until their time is over.
    /// - Returns: the new key's id.
    package func rotate(at now: Timestamp) throws -> String {
        try ensure(at: now)
        return try file.update { json in
            let new = Self.make(at: now)
            let old = (json["keys"]?.arrayValue ?? []).filter { !isOver($0, at: now) }
            json["keys"] = .array(
                [new]
                    + old.map { key in
                        var key = key.objectValue ?? JSONObject()
                        key["retiredAt"] = key["retiredAt"] ?? .string(now.iso8601)
                        return .object(key)
                    })
            return new["kid"]?.stringValue ?? ""
        }
    }

    /// The public halves, a JWK Set (RFC 7517).
    package func keySet(at now: Timestamp) throws -> JSONValue { try load(at: now).keySet }

    private func isOver(_ key: JSONValue, at now: Timestamp) -> Bool {
        guard let retired = key["retiredAt"]?.stringValue.flatMap({ Timestamp(iso8601: $0) })
        else { return false }
        return retired + validity < now
    }

    private func loaded(_ json: JSONObject, at now: Timestamp) throws -> Loaded {
        var keys: [SigningKey] = []
        for json in json["keys"]?.arrayValue ?? [] where !isOver(json, at: now) {
            guard let id = json["kid"]?.stringValue,
                let bytes = json["privateKey"]?.stringValue.flatMap(Base64.decode),
                let key = PrivateKey(encoded: bytes)
            else { throw StateFileError.unreadable(file.path, "a key is not whole") }
            keys.append(SigningKey(id: id, key: key))
        }
        guard let current = keys.first,
            let secret = json["secret"]?.stringValue.flatMap(Base64.decode), secret.count >= 32
        else { throw StateFileError.unreadable(file.path, "it has no key") }
        let set: JSONValue = ["keys": .array(keys.map(\.publicJSON))]
        return Loaded(
            current: current, secret: secret, keySet: set,
            verifying: try TokenKeySet(json: set))
    }

    private static func make(at now: Timestamp) -> JSONValue {
        let key = PrivateKey.makeRSA()
        // RFC 7638's thumbprint names a key by what it is.
        let text =
            #"{"e":"\#(Base64.encodeURL(key.exponent))","kty":"RSA","#
            + #""n":"\#(Base64.encodeURL(key.modulus))"}"#
        return [
            "kid": .string(Base64.encodeURL(Digest.sha256(text.utf8))),
            "createdAt": .string(now.iso8601),
            "privateKey": .string(Base64.encode(key.encoded)),
        ]
    }
}

extension UserPoolKeys.SigningKey {
    /// As Cognito publishes its keys.
    fileprivate var publicJSON: JSONValue {
        [
            "alg": "RS256", "e": .string(Base64.encodeURL(key.exponent)), "kid": .string(id),
            "kty": "RSA", "n": .string(Base64.encodeURL(key.modulus)), "use": "sig",
        ]
    }
}
