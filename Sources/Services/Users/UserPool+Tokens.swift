import Access
import Crypto
import JSON
import StackModel

/// What a user who signed in gets.
package struct Tokens: Sendable {
    package var access: String
    package var id: String
    /// `nil` where tokens were made by a refresh token.
    package var refresh: String?
    package var expiresInSeconds: Int64
}

extension UserPool {
    /// What every access token of a sign-in may do (Cognito developer guide, *access token*).
    static let ownScope = "aws.cognito.signin.user.admin"

    /// New tokens (Cognito developer guide, *amazon-cognito-user-pools-using-the-access-token* and
    /// *-the-id-token*).
    ///
    /// - Parameters:
    ///   - scopes: instead of Cognito's own.
    ///   - origin: the sign-in that a refresh token stands for; `nil` for a new one.
    package func issue(
        _ user: User, client: String, authenticatedAt: Timestamp, scopes: [String] = [],
        origin: String? = nil
    ) throws -> Tokens {
        let now = clock.now()
        let loaded = try keys.load(at: now)
        let originID = origin ?? SignInID.make(at: now)
        let common: JSONObject = [
            "sub": .string(user.subject), "iss": .string(definition.issuer),
            "origin_jti": .string(originID), "event_id": .string(RandomBytes.uuid()),
            "auth_time": .int(authenticatedAt.seconds), "iat": .int(now.seconds),
        ]
        var access = common
        access["client_id"] = .string(client)
        access["token_use"] = "access"
        access["scope"] = .string(
            scopes.isEmpty ? Self.ownScope : scopes.joined(separator: " "))
        access["exp"] = .int((now + definition.accessTokenValidity).seconds)
        access["jti"] = .string(RandomBytes.uuid())
        access["username"] = .string(user.username)
        var identity = common
        for (name, value) in user.attributes {
            let isFlag = UserAttributes.isVerification(name)
            identity[name] = isFlag ? .bool(Bool(value.lowercased()) == true) : .string(value)
        }
        identity["cognito:username"] = .string(user.username)
        identity["aud"] = .string(client)
        identity["token_use"] = "id"
        identity["exp"] = .int((now + definition.idTokenValidity).seconds)
        identity["jti"] = .string(RandomBytes.uuid())
        func sign(_ claims: JSONObject) -> String {
            WebToken.make(claims, keyID: loaded.current.id, signedBy: loaded.current.key)
        }
        return Tokens(
            access: sign(access), id: sign(identity),
            refresh: origin == nil
                ? refreshToken(user, client, originID, now, loaded.secret) : nil,
            expiresInSeconds: definition.accessTokenValidity.components.seconds)
    }

    private func refreshToken(
        _ user: User, _ client: String, _ origin: String, _ now: Timestamp, _ secret: [UInt8]
    ) -> String {
        SealedText.seal(
            [
                "sub": .string(user.subject), "username": .string(user.username),
                "client": .string(client), "origin": .string(origin),
                "start": .int(now.milliseconds),
                "end": .int((now + definition.refreshTokenValidity).milliseconds),
            ], for: .refresh, secret)
    }

    /// New tokens without a password, as long as the refresh token is good.
    /// - Throws: `UserPoolError`.
    package func refresh(_ token: String, client: String) throws -> Tokens {
        try requireClient(client)
        let now = clock.now()
        let secret = try keys.load(at: now).secret
        guard let content = SealedText.open(token, for: .refresh, secret),
            content["client"]?.stringValue == client,
            let username = content["username"]?.stringValue,
            let start = content["start"]?.intValue, let end = content["end"]?.intValue,
            let user = try store.user(username), user.subject == content["sub"]?.stringValue
        else { throw UserPoolError.notAuthorized("Invalid Refresh Token") }
        guard now.milliseconds < end else {
            throw UserPoolError.notAuthorized("Refresh Token has expired")
        }
        guard user.isEnabled else { throw UserPoolError.disabled }
        guard start > user.tokensValidFrom.milliseconds else {
            throw UserPoolError.notAuthorized("Refresh Token has been revoked")
        }
        return try issue(
            user, client: client, authenticatedAt: Timestamp(milliseconds: start),
            origin: content["origin"]?.stringValue ?? "")
    }

    /// Whose access token it is.
    /// - Throws: `UserPoolError`.
    package func user(byAccessToken token: String) throws -> User {
        let now = clock.now()
        let rules = TokenRules(
            issuer: definition.issuer, audiences: definition.clientIDs, use: "access")
        let claims: JSONObject
        let verifying = try keys.load(at: now).verifying
        do throws(TokenFailure) {
            claims = try rules.verify(token, keys: verifying, scopes: [Self.ownScope], at: now)
        } catch .expired {
            throw UserPoolError.notAuthorized("Access Token has expired")
        } catch .scope {
            throw UserPoolError.notAuthorized("Access Token does not have required scopes")
        } catch {
            throw UserPoolError.notAuthorized("Invalid Access Token")
        }
        guard let username = claims["username"]?.stringValue,
            let user = try store.user(username), user.subject == claims["sub"]?.stringValue
        else { throw UserPoolError.noSuchUser }
        guard user.isEnabled else { throw UserPoolError.disabled }
        let start = claims["origin_jti"]?.stringValue.flatMap(SignInID.time)
        guard let start, start > user.tokensValidFrom else {
            throw UserPoolError.notAuthorized("Access Token has been revoked")
        }
        return user
    }

    /// No token that was made so far counts any more, here; `jwt` routes take one until its time
    /// is over, as on AWS.
    package func signOut(_ username: String) throws {
        try store.update(username) { user in
            guard user != nil else { throw UserPoolError.noSuchUser }
            user?.tokensValidFrom = clock.now()
        }
    }
}
