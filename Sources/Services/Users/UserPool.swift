import Access
import Crypto
import JSON
import StackModel

/// The stack's user pool: who its users are, and how they show it. Passwords take a fifth of a
/// second of one core each: callers are not on the event loop.
package final class UserPool: Sendable {
    /// How long a challenge may be answered, and a password for the first time be used.
    static let sessionValidity = Duration.seconds(180)
    static let temporaryPasswordValidity = Duration.seconds(7 * 86_400)

    package let definition: UserPoolDefinition
    package let store: UserStore
    package let keys: UserPoolKeys
    let clock: StackClock
    let attempts: SignInAttempts
    /// Wrong codes count as wrong passwords do: a new code must not mean new guesses.
    let codeAttempts: SignInAttempts
    /// Told each code that a user must know: there is no e-mail to send it by.
    let deliver: @Sendable (_ username: String, _ code: String, _ purpose: String) -> Void

    /// - Parameter previous: whose failed sign-ins still count.
    package init(
        _ definition: UserPoolDefinition, stateDirectory: String, clock: StackClock,
        after previous: UserPool? = nil,
        deliver: @escaping @Sendable (String, String, String) -> Void = { _, _, _ in }
    ) {
        self.definition = definition
        self.clock = clock
        attempts = previous?.attempts ?? SignInAttempts()
        codeAttempts = previous?.codeAttempts ?? SignInAttempts()
        self.deliver = deliver
        store = UserStore(stateDirectory: stateDirectory)
        keys = Self.keys(definition, stateDirectory: stateDirectory)
    }

    package static func keys(
        _ definition: UserPoolDefinition, stateDirectory: String
    ) -> UserPoolKeys {
        UserPoolKeys(
            stateDirectory: stateDirectory,
            validity: max(definition.accessTokenValidity, definition.idTokenValidity))
    }

    /// What a sign-in comes to.
    package enum SignIn: Sendable {
        case tokens(Tokens)
        /// The user must choose a password first; the session says who that is.
        case newPasswordRequired(session: String, user: User)
    }

    /// Signs a user in by password.
    /// - Throws: `UserPoolError`.
    package func signIn(
        _ username: String, password: String, client: String
    ) throws -> SignIn {
        try requireClient(client)
        let now = clock.now()
        guard !attempts.isLocked(username, at: now) else { throw UserPoolError.lockedOut }
        guard let user = try store.user(username) else {
            // Takes as long as a wrong password does.
            _ = Self.nobody.matches(password)
            if UserAttributes.isUsername(username) {
                attempts.failed(username, isUser: false, at: now)
            }
            throw definition.hidesUnknownUsers
                ? UserPoolError.wrongPassword : UserPoolError.noSuchUser
        }
        let isRight = (user.password ?? Self.nobody).matches(password)
        guard isRight, user.password != nil else {
            attempts.failed(username, isUser: true, at: now)
            throw UserPoolError.wrongPassword
        }
        attempts.succeeded(username)
        guard user.isEnabled else { throw UserPoolError.disabled }
        switch user.status {
        case .unconfirmed: throw UserPoolError.notConfirmed
        case .resetRequired: throw UserPoolError.resetRequired
        case .forceChangePassword:
            if let end = user.passwordExpiresAt, end <= now {
                throw UserPoolError.notAuthorized(
                    "Temporary password has expired and must be reset by an administrator.")
            }
            return .newPasswordRequired(
                session: try session(user, client: client, at: now), user: user)
        case .confirmed:
            return .tokens(try issue(user, client: client, authenticatedAt: now))
        }
    }

    /// Answers a challenge: the user's own password from now on.
    package func chooseNewPassword(
        _ username: String, password: String, attributes: [(name: String, value: String)],
        session: String, client: String
    ) throws -> Tokens {
        try requireClient(client)
        let now = clock.now()
        let secret = try keys.load(at: now).secret
        let invalid = UserPoolError.notAuthorized("Invalid session for the user.")
        guard let content = SealedText.open(session, for: .newPassword, secret),
            content["client"]?.stringValue == client,
            let subject = content["sub"]?.stringValue, let end = content["end"]?.intValue
        else { throw invalid }
        guard now.milliseconds < end else {
            throw UserPoolError.notAuthorized("Invalid session for the user, session is expired.")
        }
        try UserAttributes.check(attributes, mayVerify: false)
        let hash = try hash(password)
        let user = try store.update(username) { user in
            guard var changed = user, changed.subject == subject, changed.isEnabled,
                changed.status == .forceChangePassword,
                changed.modifiedAt.milliseconds == content["changed"]?.intValue
            else { throw invalid }
            changed.set(attributes)
            try UserAttributes.check(total: changed)
            changed.password = hash
            changed.passwordExpiresAt = nil
            changed.status = .confirmed
            changed.modifiedAt = now
            user = changed
            return changed
        }
        return try issue(user, client: client, authenticatedAt: now)
    }

    private func session(_ user: User, client: String, at now: Timestamp) throws -> String {
        let end = now + Self.sessionValidity
        return SealedText.seal(
            [
                "sub": .string(user.subject), "client": .string(client),
                "end": .int(end.milliseconds), "changed": .int(user.modifiedAt.milliseconds),
            ], for: .newPassword, try keys.load(at: now).secret)
    }

    func requireClient(_ id: String) throws(UserPoolError) {
        guard definition.clientIDs.contains(where: id.isExactly) else { throw .noSuchClient(id) }
    }

    /// A password that the pool takes, as it is kept.
    func hash(_ password: String) throws(UserPoolError) -> PasswordHash {
        if let complaint = definition.passwordPolicy.complaint(about: password) {
            throw .badPassword(complaint)
        }
        return PasswordHash(of: password)
    }

    /// Of no password at all, and checked as slowly as any.
    private static let nobody: PasswordHash = {
        let hash = PasswordHash(
            salt: RandomBytes.make(count: 16), rounds: PasswordHash.rounds,
            blockSize: PasswordHash.blockSize, parallelism: PasswordHash.parallelism,
            hash: [UInt8](repeating: 0, count: 32))
        guard let hash else { preconditionFailure("the standard costs are taken") }
        return hash
    }()
}
