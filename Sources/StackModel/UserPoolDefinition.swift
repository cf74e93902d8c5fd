import Access
import JSON

/// The stack's user pool (`security.userPool`).
package struct UserPoolDefinition: Equatable, Sendable {
    package let name: String
    package let id: String
    package let arn: String
    /// What its tokens name as their issuer: Cognito's own address unless the stack names another.
    package let issuer: String
    /// At least one.
    package let clientIDs: [String]
    package let passwordPolicy: PasswordPolicy
    package let accessTokenValidity: Duration
    package let idTokenValidity: Duration
    package let refreshTokenValidity: Duration
    /// Whether anybody may sign up.
    package let allowsSignUp: Bool
    /// Whether who signs up needs no code.
    package let confirmsAutomatically: Bool
    /// Whether a name that nobody has is answered as a wrong password is.
    package let hidesUnknownUsers: Bool

    init(json: JSONValue, stack: String, region: String, account: String) {
        let name = json["name"]?.stringValue ?? stack
        let id =
            json["id"]?.stringValue
            ?? PoolIdentifiers.pool(region: region, account: account, name: name)
        self.name = name
        self.id = id
        arn = "arn:aws:cognito-idp:\(region):\(account):userpool/\(id)"
        issuer =
            json["issuer"]?.stringValue ?? "https://cognito-idp.\(region).amazonaws.com/\(id)"
        let clients = (json["clientIds"]?.arrayValue ?? []).compactMap(\.stringValue)
        clientIDs =
            clients.isEmpty ? [PoolIdentifiers.client(account: account, name: name)] : clients
        passwordPolicy = PasswordPolicy(json: json["passwordPolicy"])
        func validity(_ key: String, _ standard: Int64) -> Duration {
            .seconds(json["tokenValidity"]?[key]?.intValue ?? standard)
        }
        accessTokenValidity = validity("accessToken", 3600)
        idTokenValidity = validity("idToken", 3600)
        refreshTokenValidity = validity("refreshToken", 2_592_000)
        allowsSignUp = json["signUp"]?.boolValue ?? true
        confirmsAutomatically = json["autoConfirm"]?.boolValue ?? false
        hidesUnknownUsers = json["preventUserExistenceErrors"]?.boolValue ?? true
    }
}

extension PasswordPolicy {
    fileprivate init(json: JSONValue?) {
        self.init()
        minimumLength = json?["minimumLength"]?.intValue.map { Int($0) } ?? minimumLength
        func isRequired(_ key: String) -> Bool { json?[key]?.boolValue ?? true }
        requiresLowercase = isRequired("requireLowercase")
        requiresUppercase = isRequired("requireUppercase")
        requiresNumbers = isRequired("requireNumbers")
        requiresSymbols = isRequired("requireSymbols")
    }
}

/// Somebody else's tokens that `jwt` routes take (`security.jwt`).
package struct TokenIssuerDefinition: Equatable, Sendable {
    package let issuer: String
    package let audiences: [String]
    /// A JWK Set; absolute once deployed.
    package let keySetFile: String

    init(json: JSONValue) {
        issuer = json["issuer"]?.stringValue ?? ""
        let audience = json["audience"]
        audiences =
            audience?.stringValue.map { [$0] }
            ?? (audience?.arrayValue ?? []).compactMap(\.stringValue)
        keySetFile = json["jwksFile"]?.stringValue ?? ""
    }
}
