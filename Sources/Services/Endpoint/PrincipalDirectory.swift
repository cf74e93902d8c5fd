import Access
import Crypto
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// Somebody with an access key.
package final class Principal: Sendable {
    /// The developer's unique id; also of whoever sends by the command line.
    package static let developerID = "AIDAMSORCHDEVELOPER22"

    package let arn: String
    package let key: AccessKey
    package let policy: Policy
    /// IAM's unique id, as STS and `SenderId` tell it.
    package let userID: String

    fileprivate init(arn: String, _ own: Credentials, policy: JSONValue) throws {
        self.arn = arn
        userID = Self.uniqueID(ofARN: arn)
        key = AccessKey(
            id: own.accessKeyID, secret: own.secretAccessKey,
            sessionToken: own.sessionToken.isEmpty ? nil : own.sessionToken)
        self.policy = try Policy(json: policy)
    }

    /// Made from the ARN: `AIDA…`; of a role's session `AROA…:session`.
    package static func uniqueID(ofARN arn: String) -> String {
        guard !arn.hasSuffix(":user/\(CredentialStore.developer)") else { return developerID }
        let words = arn.split(separator: ":").last?.split(separator: "/") ?? []
        let isSession = words.first == "assumed-role"
        let base = isSession ? words.prefix(2).joined(separator: "/") : arn
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        let id = Digest.sha256(base.utf8).prefix(17).map { letters[Int($0 % 32)] }
        return (isSession ? "AROA" : "AIDA") + String(decoding: id, as: UTF8.self)
            + (isSession ? ":\(words.last ?? "")" : "")
    }
}

/// Whose access keys are good for a deployment. A key that is made or removed meanwhile, by any
/// process, counts from the next request on.
final class PrincipalDirectory: Sendable {
    private struct State {
        var principals: [ExactText: Principal]
        var developer: Principal?
        /// Whether nobody else has a key: then a request's is of no interest.
        let isDeveloperAlone: Bool
        var stamp: FileStamp?
        /// Nanoseconds on the monotonic clock, give or take a few milliseconds.
        var seenAt = SystemClock.recentNanoseconds()

        init(_ deployment: Deployment, stamp: FileStamp?) throws {
            let all = try deployment.principals()
            principals = Dictionary(
                all.map { (ExactText($0.key.id), $0) }, uniquingKeysWith: { $1 })
            developer = all.first { $0.arn == deployment.stack.developerARN }
            isDeveloperAlone = developer != nil && all.count == 1
            self.stamp = stamp
        }
    }

    /// How long `recent` goes by what it knows.
    private static let patience: UInt64 = 100_000_000

    private let deployment: Deployment
    private let path: String
    private let state: Mutex<State>

    init(_ deployment: Deployment) throws {
        self.deployment = deployment
        path = CredentialStore.path(deployment.stateDirectory)
        // Looked at first: what changes between is read again.
        let stamp = FileSystem.stamp(of: path)
        state = Mutex(try State(deployment, stamp: stamp))
    }

    /// Whose key it is; `nil` if nobody's.
    func principal(_ keyID: String) -> Principal? {
        current { $0.principals[ExactText(keyID)] }
    }

    /// Whose key a request names; nobody's, and none at all, are the developer's. Where nothing is
    /// refused, a look at the file for every request would be a waste: a new key may be the
    /// developer's for a tenth of a second.
    func owner(of request: HTTPRequest) -> Principal? {
        let (developer, isAlone) = recent { ($0.developer, $0.isDeveloperAlone) }
        guard !isAlone, let keyID = Authorizer.keyID(of: request) else { return developer }
        return recent { $0.principals[ExactText(keyID)] } ?? developer
    }

    private func recent<R>(_ body: (State) -> R) -> R {
        let now = SystemClock.recentNanoseconds()
        let recent: R? = state.withLock { state in
            now < state.seenAt + Self.patience ? .some(body(state)) : nil
        }
        return recent ?? current(body)
    }

    private func current<R>(_ body: (State) -> R) -> R {
        let stamp = FileSystem.stamp(of: path)
        return state.withLock { state in
            // A file that cannot be read now is tried again; what was known counts until then.
            if stamp != state.stamp, let read = try? State(deployment, stamp: stamp) {
                state = read
            }
            state.seenAt = SystemClock.recentNanoseconds()
            return body(state)
        }
    }
}

extension Deployment {
    /// The developer, who may do everything, every function's role, and who has a key besides.
    package func principals() throws -> [Principal] {
        let store = CredentialStore(stateDirectory: stateDirectory)
        let credentials = try store.load()
        let everything: JSONValue = ["Effect": "Allow", "Action": "*", "Resource": "*"]
        var owners = [(CredentialStore.developer, stack.developerARN, everything)]
        owners += stack.functions.map { ($0.functionName, stack.roleARN(of: $0), $0.policies) }
        let own = try owners.compactMap { owner, arn, policy in
            try credentials[owner].map { try Principal(arn: arn, $0, policy: policy) }
        }
        return try own
            + store.users().map { user in
                try Principal(arn: stack.userARN(user.name), user.credentials, policy: user.policy)
            }
    }
}
