import Access
import Crypto
import JSON
import Posix

/// The stack's own access keys: one for the developer, one for each function's role, and those that
/// the developer has made. They never leave this machine, and mean nothing outside it.
package struct CredentialStore: Sendable {
    /// Who the developer's own key belongs to.
    package static let developer = "developer"
    /// More would make each request's look-up slower.
    package static let limitUsers = 1000
    /// No function is called so.
    private static let userPrefix = "user/"

    private let file: StateFile

    package init(stateDirectory: String) {
        file = StateFile(path: Self.path(stateDirectory))
    }

    static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/credentials" }

    /// Every key by its owner: a function's name, `developer`, or `user/NAME`.
    package func load() throws -> [String: Credentials] {
        let members = try file.read()?.members ?? []
        return Dictionary(members.map { ($0.key, Credentials(json: $0.value)) }) { $1 }
    }

    /// Makes a key for whoever has none.
    package func ensure(_ owners: [String]) throws {
        try file.update { keys in
            for owner in owners where keys[owner] == nil {
                keys[owner] = Self.make(isRole: owner != Self.developer).json
            }
        }
    }

    /// The keys that the developer has made, in the order of their names.
    package func users() throws -> [UserKey] {
        (try file.read()?.members ?? []).compactMap { owner, json in
            owner.hasPrefix(Self.userPrefix)
                ? UserKey(name: String(owner.dropFirst(Self.userPrefix.count)), json: json) : nil
        }.sorted { $0.name < $1.name }
    }

    /// Makes a key with a policy of its own.
    /// - Throws: `CredentialError`.
    package func create(_ name: String, policy: JSONValue, at now: Timestamp) throws -> UserKey {
        guard Self.isName(name) else { throw CredentialError.invalidName(name) }
        let key = UserKey(
            name: name, credentials: Self.make(isRole: false), policy: policy, createdAt: now)
        try file.update { keys in
            guard keys[Self.userPrefix + name] == nil, name != Self.developer else {
                throw CredentialError.exists(name)
            }
            let count = keys.members.filter { $0.key.hasPrefix(Self.userPrefix) }.count
            guard count < Self.limitUsers else { throw CredentialError.tooMany }
            keys[Self.userPrefix + name] = key.json
        }
        return key
    }

    /// From the next request on, nobody takes it.
    /// - Throws: `CredentialError`.
    package func remove(_ name: String) throws {
        try file.update { keys in
            guard keys[Self.userPrefix + name] != nil else {
                let names = keys.members.map(\.key).filter { $0.hasPrefix(Self.userPrefix) }
                throw CredentialError.noSuchKey(
                    name, existing: names.map { String($0.dropFirst(Self.userPrefix.count)) })
            }
            keys[Self.userPrefix + name] = nil
        }
    }

    /// As IAM names users.
    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 48...57, 65...90, 97...122: true
                default: "_+=,.@-".utf8.contains(byte)
                }
            }
    }

    private static func make(isRole: Bool) -> Credentials {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        let id = RandomBytes.make(count: 16).map { letters[Int($0 % 32)] }
        let secret = Base64.encode(RandomBytes.make(count: 30))
        return Credentials(
            accessKeyID: (isRole ? "ASIA" : "AKIA") + String(decoding: id, as: UTF8.self),
            secretAccessKey: secret,
            sessionToken: isRole ? Base64.encode(RandomBytes.make(count: 48)) : "")
    }
}

/// A key that the developer has made for somebody.
package struct UserKey: Sendable {
    package var name: String
    package var credentials: Credentials
    /// A policy document, a statement, or a list of them.
    package var policy: JSONValue
    package var createdAt: Timestamp

    fileprivate var json: JSONValue {
        var json = credentials.json.objectValue ?? JSONObject()
        json["policy"] = policy
        json["createdAt"] = .string(createdAt.iso8601)
        return .object(json)
    }
}

extension UserKey {
    fileprivate init(name: String, json: JSONValue) {
        self.name = name
        credentials = Credentials(json: json)
        policy = json["policy"] ?? []
        createdAt =
            json["createdAt"]?.stringValue.flatMap { Timestamp(iso8601: $0) }
            ?? Timestamp(milliseconds: 0)
    }
}

/// Why a key cannot be made, or is not there.
package enum CredentialError: Error, Equatable, Sendable {
    case invalidName(String)
    case exists(String)
    case tooMany
    case noSuchKey(String, existing: [String])
}

extension Credentials {
    fileprivate init(json: JSONValue) {
        self.init(
            accessKeyID: json["accessKeyId"]?.stringValue ?? "",
            secretAccessKey: json["secretAccessKey"]?.stringValue ?? "",
            sessionToken: json["sessionToken"]?.stringValue ?? "")
    }

    fileprivate var json: JSONValue {
        [
            "accessKeyId": .string(accessKeyID), "secretAccessKey": .string(secretAccessKey),
            "sessionToken": .string(sessionToken),
        ]
    }
}
