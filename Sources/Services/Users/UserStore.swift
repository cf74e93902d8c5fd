import JSON
import Posix
import Synchronization

/// The pool's users on disk: `users.json`, which any process may change.
package struct UserStore: Sendable {
    /// The file is read and written whole.
    package static let limitUsers = 10_000
    /// What a list shows at once; Cognito's limit.
    static let pageUsers = 60

    private struct Cache {
        var users: [ExactText: User] = [:]
        var stamp: FileStamp?
    }

    private let file: StateFile
    private let cache = CacheBox()

    private final class CacheBox: Sendable {
        let state = Mutex(Cache())
    }

    package init(stateDirectory: String) {
        file = StateFile(path: "\(stateDirectory)/users.json")
    }

    /// Every user, by name without case.
    package func all() throws -> [ExactText: User] {
        let stamp = file.stamp
        if let known = cache.state.withLock({ $0.stamp == stamp ? $0.users : nil }) { return known }
        let users = try Self.users(file.read() ?? JSONObject(), file.path)
        cache.state.withLock { $0 = Cache(users: users, stamp: stamp) }
        return users
    }

    /// - Returns: `nil` if there is none of that name.
    package func user(_ username: String) throws -> User? { try all()[User.key(username)] }

    /// In the order of their names.
    package func sorted() throws -> [User] {
        try all().sorted { $0.key < $1.key }.map(\.value)
    }

    /// Changes one user, on the disk when this returns. `change` gets `nil` if there is none, and
    /// leaves `nil` to remove it; if it throws, nothing is written.
    ///
    /// - Parameter evenUnchanged: whether that takes as long when nothing changes.
    package func update<R>(
        _ username: String, evenUnchanged: Bool = false, _ change: (inout User?) throws -> R
    ) throws -> R {
        try file.update(evenUnchanged: evenUnchanged) { json in
            let key = User.key(username).text
            var members = json["users"]?.objectValue ?? JSONObject()
            var user = try members[key].map { try Self.user($0, key, file.path) }
            let isNew = user == nil
            let result = try change(&user)
            if isNew, user != nil, members.count >= Self.limitUsers {
                throw UserPoolError.tooManyUsers
            }
            members[key] = user?.json
            json["users"] = .object(members)
            return result
        }
    }

    private static func users(_ json: JSONObject, _ path: String) throws -> [ExactText: User] {
        var users: [ExactText: User] = [:]
        for (key, json) in json["users"]?.objectValue?.members ?? [] {
            users[ExactText(key)] = try user(json, key, path)
        }
        return users
    }

    private static func user(_ json: JSONValue, _ key: String, _ path: String) throws -> User {
        guard let user = User(json: json) else {
            throw StateFileError.unreadable(path, "the user '\(key)' is not whole")
        }
        return user
    }
}
