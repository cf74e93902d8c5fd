import Access
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// Whose tokens `jwt` routes take: the user pool's own, or those of an issuer whose keys lie in a
/// file. Keys that change are seen at the next request.
package final class TokenAuthorizer: TokenJudge {
    private enum Keys: Sendable {
        case pool(UserPool)
        case file(String)
    }

    private struct Cache {
        var keys: TokenKeySet?
        var stamp: FileStamp?
        /// What keeps the file from being used was told.
        var isTroubled = false
    }

    private let rules: TokenRules
    private let keys: Keys
    private let clock: StackClock
    private let warn: @Sendable (String) -> Void
    private let cache = Mutex(Cache())

    /// `nil` if the stack has neither `security.jwt` nor a user pool.
    ///
    /// - Parameter warn: gets what a person should know, a sentence each; from any thread.
    package init?(
        _ deployment: Deployment, pool: UserPool?, clock: StackClock,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.clock = clock
        self.warn = warn
        if let issuer = deployment.stack.tokenIssuer {
            rules = TokenRules(issuer: issuer.issuer, audiences: issuer.audiences)
            keys = .file(issuer.keySetFile)
        } else if let pool {
            rules = TokenRules(
                issuer: pool.definition.issuer, audiences: pool.definition.clientIDs)
            keys = .pool(pool)
        } else {
            return nil
        }
    }

    /// With or without `Bearer`.
    package func claims(
        of request: HTTPRequest, scopes: [String]
    ) throws(TokenFailure) -> JSONObject {
        let fields = request.headers.all("Authorization")
        let words = fields.first?.split(separator: " ") ?? []
        let isBearer = words.count == 2 && words[0].lowercased() == "bearer"
        guard fields.count == 1, isBearer || words.count == 1, let token = words.last else {
            throw .malformed("Authorization holds no bearer token")
        }
        let now = clock.now()
        return try rules.verify(
            String(token), keys: try keySet(at: now), scopes: scopes, at: now)
    }

    private func keySet(at now: Timestamp) throws(TokenFailure) -> TokenKeySet {
        switch keys {
        case .pool(let pool):
            guard let loaded = try? pool.keys.load(at: now) else {
                throw .badKeySet("the pool's keys cannot be read")
            }
            return loaded.verifying
        case .file(let path):
            do throws(TokenFailure) {
                return try keySet(from: path)
            } catch {
                let isNews = cache.withLock { cache in
                    defer { cache.isTroubled = true }
                    return !cache.isTroubled
                }
                if isNews { warn("jwt routes answer 500: \(error.message); the file is \(path).") }
                throw error
            }
        }
    }

    private func keySet(from path: String) throws(TokenFailure) -> TokenKeySet {
        let stamp = FileSystem.stamp(of: path)
        if let stamp, let keys = cache.withLock({ $0.stamp == stamp ? $0.keys : nil }) {
            return keys
        }
        guard let bytes = try? FileSystem.read(path) else {
            throw .badKeySet("\(path) cannot be read")
        }
        let keys = try TokenKeySet(text: bytes)
        cache.withLock { $0 = Cache(keys: keys, stamp: stamp) }
        return keys
    }
}
