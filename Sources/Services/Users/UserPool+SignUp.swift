import Crypto
import JSON
import StackModel

/// Users who come by themselves: sign-up, codes, forgotten passwords.
extension UserPool {
    private static let confirmationValidity = Duration.seconds(86_400)
    private static let resetValidity = Duration.seconds(3600)
    /// Guesses of one code; a code has a million values.
    private static let guesses: Int64 = 5

    /// - Throws: `UserPoolError`.
    package func signUp(
        _ username: String, password: String, attributes: [(name: String, value: String)],
        client: String
    ) throws -> User {
        try requireClient(client)
        guard definition.allowsSignUp else {
            throw UserPoolError.notAuthorized("SignUp is not permitted for this user pool")
        }
        try UserAttributes.check(username: username)
        try UserAttributes.check(attributes, mayVerify: false)
        let exists = UserPoolError("UsernameExistsException", "User already exists")
        guard try store.user(username) == nil else { throw exists }
        let hash = try hash(password)
        let now = clock.now()
        var new = User(username: username, status: .unconfirmed, attributes: attributes, at: now)
        new.password = hash
        if definition.confirmsAutomatically {
            new.status = .confirmed
        } else {
            new.confirmationCode = Self.code(at: now, Self.confirmationValidity)
        }
        let made = new
        try store.update(username) { user in
            guard user == nil else { throw exists }
            user = made
        }
        if let code = made.confirmationCode { deliver(made.username, code.digits, "confirmation") }
        return made
    }

    /// - Throws: `UserPoolError`.
    package func confirmSignUp(_ username: String, code: String, client: String) throws {
        try requireClient(client)
        try spend(code, of: username, \.confirmationCode) { user in
            user.status = .confirmed
            if user.attribute("email") != nil { user.set("email_verified", "true") }
        } else: { user in
            UserPoolError.notAuthorized(
                "User cannot be confirmed. Current status is \(user.status.rawValue)")
        }
    }

    /// A new code for somebody who has not confirmed yet.
    /// - Returns: where it went, or would have gone: see `destination`.
    package func resendConfirmation(_ username: String, client: String) throws -> String {
        try requireClient(client)
        let now = clock.now()
        let isHiding = definition.hidesUnknownUsers
        let changed = try store.update(username, evenUnchanged: isHiding) { user -> User? in
            guard var changed = user else { return try hidden(.noSuchUser) }
            guard changed.status == .unconfirmed else {
                throw UserPoolError.invalidParameter("User is already confirmed.")
            }
            changed.confirmationCode = Self.code(at: now, Self.confirmationValidity)
            user = changed
            return changed
        }
        if let code = changed?.confirmationCode, let changed {
            deliver(changed.username, code.digits, "confirmation")
        }
        return try destination(of: username, changed)
    }

    /// A code by which a new password may be chosen. Who hides its users does not say that there is
    /// no such user, that he is disabled, or that he has not confirmed.
    /// - Returns: where it went, or would have gone: see `destination`.
    package func forgotPassword(_ username: String, client: String) throws -> String {
        try requireClient(client)
        let now = clock.now()
        let isHiding = definition.hidesUnknownUsers
        let changed = try store.update(username, evenUnchanged: isHiding) { user -> User? in
            guard var changed = user else { return try hidden(.noSuchUser) }
            guard changed.isEnabled else { return try hidden(.disabled) }
            guard changed.status == .confirmed || changed.status == .resetRequired else {
                return try hidden(
                    .invalidParameter(
                        "Cannot reset password for the user as there is no registered/verified "
                            + "email or phone_number"))
            }
            changed.resetCode = Self.code(at: now, Self.resetValidity)
            user = changed
            return changed
        }
        if let code = changed?.resetCode, let changed {
            deliver(changed.username, code.digits, "password reset")
        }
        return try destination(of: username, changed)
    }

    /// Where a code goes, as Cognito shows it: the first letters alone. For a name that nobody has,
    /// and a user without an address, it is made up of the name; always the same, as an address is,
    /// and nobody but the pool can tell that it is none.
    package func destination(of username: String, _ user: User?) throws -> String {
        func masked(_ address: String) -> String? {
            let parts = address.split(separator: "@")
            guard parts.count == 2 else { return nil }
            return "\(parts[0].prefix(1))***@\(parts[1].prefix(1))***"
        }
        let key = User.key(username).text
        if let shown = user?.attribute("email").flatMap(masked) ?? masked(key) { return shown }
        let secret = try keys.load(at: clock.now()).secret
        let letters = MessageAuthentication.sha256(key: secret, "destination.\(key)".utf8)
            .map { Character(UnicodeScalar(UInt8(ascii: "a") + $0 % 26)) }
        return "\(letters[0])***@\(letters[1])***"
    }

    /// - Throws: `UserPoolError`.
    package func confirmForgotPassword(
        _ username: String, code: String, password: String, client: String
    ) throws {
        try requireClient(client)
        let hash = try hash(password)
        try spend(code, of: username, \.resetCode) { user in
            user.password = hash
            user.status = .confirmed
        } else: { _ in
            UserPoolError.expiredCode
        }
        attempts.succeeded(username)
    }

    private func hidden(_ error: UserPoolError) throws(UserPoolError) -> User? {
        guard definition.hidesUnknownUsers else { throw error }
        return nil
    }

    /// Does what a code is for if it is the right one; a wrong one counts.
    private func spend(
        _ code: String, of username: String,
        _ place: WritableKeyPath<User, User.Code?>, _ change: (inout User) -> Void,
        else refuse: (User) -> UserPoolError
    ) throws {
        let now = clock.now()
        guard !codeAttempts.isLocked(username, at: now) else {
            throw UserPoolError.tooManyAttempts
        }
        guard try store.user(username) != nil else {
            codeAttempts.failed(username, isUser: false, at: now)
            throw definition.hidesUnknownUsers ? UserPoolError.wrongCode : .noSuchUser
        }
        let failure = try store.update(username) { user -> UserPoolError? in
            guard var changed = user else { throw UserPoolError.noSuchUser }
            // Counted as a name is that nobody has (Cognito developer guide, *managing user
            // existence error responses*).
            guard changed.isEnabled || place != \User.resetCode else {
                return definition.hidesUnknownUsers ? .wrongCode : .disabled
            }
            guard var known = changed[keyPath: place] else { throw refuse(changed) }
            guard known.failures < Self.guesses else { throw UserPoolError.tooManyAttempts }
            guard now < known.expiresAt else { throw UserPoolError.expiredCode }
            let isRight = MessageAuthentication.isEqual(
                Array(code.utf8), Array(known.digits.utf8))
            if isRight {
                changed[keyPath: place] = nil
                changed.modifiedAt = now
                change(&changed)
            } else {
                known.failures += 1
                changed[keyPath: place] = known
            }
            user = changed
            return isRight ? nil : .wrongCode
        }
        if let failure {
            codeAttempts.failed(username, isUser: true, at: now)
            throw failure
        }
        codeAttempts.succeeded(username)
    }

    /// Six digits that nobody can foresee.
    private static func code(at now: Timestamp, _ validity: Duration) -> User.Code {
        let limit: UInt64 = 1_000_000
        // Without the few values at the end that would favour small codes.
        var random: UInt64
        repeat {
            random = RandomBytes.make(count: 8).reduce(0) { $0 << 8 | UInt64($1) }
        } while random >= UInt64.max - UInt64.max % limit
        let digits = String(random % limit)
        return User.Code(
            digits: String(repeating: "0", count: 6 - digits.count) + digits,
            expiresAt: now + validity, failures: 0)
    }
}
