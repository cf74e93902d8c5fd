import Access
import Crypto
import JSON
import StackModel

/// Users as their administrator has them; and what a user changes of his own.
extension UserPool {
    /// - Parameter temporaryPassword: good for a week, and for one sign-in; `nil` makes one up.
    /// - Returns: the user, and its password.
    /// - Throws: `UserPoolError`.
    package func create(
        _ username: String, temporaryPassword: String?,
        attributes: [(name: String, value: String)]
    ) throws -> (user: User, password: String) {
        try UserAttributes.check(username: username)
        try UserAttributes.check(attributes, mayVerify: true)
        let exists = UserPoolError("UsernameExistsException", "User account already exists")
        guard try store.user(username) == nil else { throw exists }
        let password = temporaryPassword ?? makePassword()
        let hash = try hash(password)
        let now = clock.now()
        var new = User(
            username: username, status: .forceChangePassword, attributes: attributes, at: now)
        new.password = hash
        new.passwordExpiresAt = now + Self.temporaryPasswordValidity
        let made = new
        try store.update(username) { user in
            guard user == nil else { throw exists }
            user = made
        }
        return (made, password)
    }

    /// Another password for the first time, with a week of its own, for a user who has not chosen
    /// one yet (API reference, *AdminCreateUser*, `RESEND`).
    ///
    /// - Returns: the user, and its password.
    /// - Throws: `UserPoolError`.
    func invite(
        _ username: String, temporaryPassword: String?
    ) throws -> (user: User, password: String) {
        func check(_ user: User?) throws(UserPoolError) {
            guard let user else { throw .noSuchUser }
            guard user.status == .forceChangePassword else {
                throw UserPoolError(
                    "UnsupportedUserStateException",
                    "Resend not possible. \(user.username) status is not FORCE_CHANGE_PASSWORD")
            }
        }
        try check(try store.user(username))
        let password = temporaryPassword ?? makePassword()
        let hash = try hash(password)
        var invited: User?
        try change(username) { user, now in
            try check(user)
            user.password = hash
            user.passwordExpiresAt = now + Self.temporaryPasswordValidity
            invited = user
        }
        guard let invited else { throw UserPoolError.noSuchUser }
        attempts.succeeded(username)
        return (invited, password)
    }

    /// Twelve random characters, and one of each kind that a policy may ask for.
    private func makePassword() -> String {
        "\(Base64.encodeURL(RandomBytes.make(count: 9)))aA0"
            + String(repeating: "-", count: max(1, definition.passwordPolicy.minimumLength - 15))
    }

    /// - Parameter isPermanent: `false`: the user must choose another at the next sign-in.
    /// - Throws: `UserPoolError`.
    package func setPassword(_ username: String, _ password: String, isPermanent: Bool) throws {
        guard try store.user(username) != nil else { throw UserPoolError.noSuchUser }
        let hash = try hash(password)
        try change(username) { user, now in
            user.password = hash
            user.status = isPermanent ? .confirmed : .forceChangePassword
            user.passwordExpiresAt = isPermanent ? nil : now + Self.temporaryPasswordValidity
            user.confirmationCode = nil
            user.resetCode = nil
        }
        attempts.succeeded(username)
    }

    /// The password that a user was given is the user's own, no longer for the first time only.
    package func confirmPassword(of username: String) throws {
        try change(username) { user, _ in
            user.status = .confirmed
            user.passwordExpiresAt = nil
        }
    }

    /// Takes a user in without a code.
    package func confirm(_ username: String) throws {
        try change(username) { user, _ in
            guard user.status == .unconfirmed else {
                throw UserPoolError.notAuthorized(
                    "User cannot be confirmed. Current status is \(user.status.rawValue)")
            }
            user.status = .confirmed
            user.confirmationCode = nil
        }
    }

    /// Who is disabled has no token any more, also once enabled again (Cognito API reference,
    /// *AdminDisableUser*).
    package func setEnabled(_ username: String, _ isEnabled: Bool) throws {
        try change(username) { user, now in
            user.isEnabled = isEnabled
            if !isEnabled { user.tokensValidFrom = now }
        }
    }

    package func setAttributes(
        _ username: String, _ attributes: [(name: String, value: String)], mayVerify: Bool
    ) throws {
        try UserAttributes.check(attributes, mayVerify: mayVerify)
        try change(username) { user, _ in
            user.set(attributes)
            try UserAttributes.check(total: user)
        }
    }

    package func remove(_ username: String) throws {
        try store.update(username) { user in
            guard user != nil else { throw UserPoolError.noSuchUser }
            user = nil
        }
    }

    /// A user's own new password; the old one must be right.
    package func changePassword(accessToken: String, old: String?, new: String) throws {
        let user = try user(byAccessToken: accessToken)
        let now = clock.now()
        guard !attempts.isLocked(user.username, at: now) else {
            throw UserPoolError.tooManyAttempts
        }
        guard let old, let password = user.password, password.matches(old) else {
            attempts.failed(user.username, isUser: true, at: now)
            throw UserPoolError.wrongPassword
        }
        let hash = try hash(new)
        try change(user.username) { user, _ in user.password = hash }
        attempts.succeeded(user.username)
    }

    private func change(
        _ username: String, _ change: (inout User, Timestamp) throws -> Void
    ) throws {
        let now = clock.now()
        try store.update(username) { user in
            guard var changed = user else { throw UserPoolError.noSuchUser }
            changed.modifiedAt = now
            try change(&changed, now)
            user = changed
        }
    }
}
