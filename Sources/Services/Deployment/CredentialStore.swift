import Crypto
import JSON
import Posix

/// The stack's own access keys: one for the developer, one for each function's role. Never leave
/// this machine, and mean nothing outside it.
package struct CredentialStore: Sendable {
    /// Who the developer's own key belongs to.
    package static let developer = "developer"

    private let path: String

    package init(stateDirectory: String) { path = Self.path(stateDirectory) }

    static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/credentials" }

    /// Every key by its owner: a function's name, or `developer`.
    package func load() throws -> [String: Credentials] {
        guard FileSystem.exists(path) else { return [:] }
        let json = try JSONValue.parse(try FileSystem.read(path))
        return Dictionary(
            (json.objectValue?.members ?? []).map { owner, key in
                (
                    owner,
                    Credentials(
                        accessKeyID: key["accessKeyId"]?.stringValue ?? "",
                        secretAccessKey: key["secretAccessKey"]?.stringValue ?? "",
                        sessionToken: key["sessionToken"]?.stringValue ?? "")
                )
            }, uniquingKeysWith: { $1 })
    }

    /// Makes a key for whoever has none; the file is for its owner's eyes only.
    package func ensure(_ owners: [String]) throws {
        var keys = try load()
        let missing = owners.filter { keys[$0] == nil }
        guard !missing.isEmpty else { return }
        for owner in missing { keys[owner] = Self.make(isRole: owner != Self.developer) }
        let json = JSONObject(
            keys.sorted { $0.key < $1.key }.map { owner, key in
                (
                    key: owner,
                    value: [
                        "accessKeyId": .string(key.accessKeyID),
                        "secretAccessKey": .string(key.secretAccessKey),
                        "sessionToken": .string(key.sessionToken),
                    ]
                )
            })
        let text = JSONValue.object(json).serialized(pretty: true) + "\n"
        try FileSystem.replace(path, with: Array(text.utf8))
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
