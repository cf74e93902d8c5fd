import Access
import Crypto
import JSON
import StackModel

/// What a pool's administrator asks for, signed.
extension UserPoolEndpoint {
    func administer(
        _ operation: Operation, _ call: UserPoolRequest, _ username: String
    ) throws -> JSONObject {
        switch operation {
        case .adminCreateUser:
            let made = try create(call, username)
            if try call.text("TemporaryPassword") == nil {
                pool.deliver(made.user.username, made.password, "temporary password")
            }
            return ["User": made.user.answer(attributes: "Attributes")]
        case .adminSetUserPassword:
            try pool.setPassword(
                username, try call.required("Password"), isPermanent: call.flag("Permanent"))
        case .adminConfirmSignUp: try pool.confirm(username)
        case .adminGetUser:
            guard let user = try pool.store.user(username) else {
                throw UserPoolError.noSuchUser
            }
            return user.answer(attributes: "UserAttributes").objectValue ?? [:]
        case .adminUpdateUserAttributes:
            try pool.setAttributes(username, try call.attributes(), mayVerify: true)
        case .adminEnableUser: try pool.setEnabled(username, true)
        case .adminDisableUser: try pool.setEnabled(username, false)
        case .adminDeleteUser: try pool.remove(username)
        default: try pool.signOut(username)
        }
        return [:]
    }

    private func create(
        _ call: UserPoolRequest, _ username: String
    ) throws -> (user: User, password: String) {
        let password = try call.text("TemporaryPassword")
        switch try call.text("MessageAction") {
        case nil, "SUPPRESS":
            return try pool.create(
                username, temporaryPassword: password, attributes: try call.attributes())
        case "RESEND": return try pool.invite(username, temporaryPassword: password)
        case let other?:
            throw UserPoolError.invalidParameter(
                "1 validation error detected: Value '\(other)' at 'messageAction' failed to "
                    + "satisfy constraint: Member must satisfy enum value set: [RESEND, SUPPRESS]")
        }
    }

    /// By name, a page at a time; the token is the last name shown.
    func listUsers(_ call: UserPoolRequest) throws -> JSONObject {
        let limit = call.json["Limit"]?.intValue ?? Int64(UserStore.pageUsers)
        guard (0...Int64(UserStore.pageUsers)).contains(limit) else {
            throw UserPoolError.invalidParameter("Limit must be 0 to \(UserStore.pageUsers).")
        }
        let filter = try UserFilter(try call.text("Filter") ?? "")
        let start = try call.text("PaginationToken").map { token throws(UserPoolError) in
            guard let bytes = Base64.decodeURL(token) else {
                throw UserPoolError.invalidParameter("Invalid pagination token.")
            }
            return ExactText(String(decoding: bytes, as: UTF8.self))
        }
        let all = try pool.store.sorted().filter { user in
            filter.matches(user) && start.map { User.key(user.username) > $0 } ?? true
        }
        let page = all.prefix(limit == 0 ? UserStore.pageUsers : Int(limit))
        let names = try call.names("AttributesToGet")
        var answer: JSONObject = [
            "Users": .array(page.map { $0.answer(attributes: "Attributes", only: names) })
        ]
        if page.count < all.count, let last = page.last {
            answer["PaginationToken"] = .string(
                Base64.encodeURL(Array(User.key(last.username).text.utf8)))
        }
        return answer
    }

    func describe() -> JSONValue {
        let definition = pool.definition
        let policy = definition.passwordPolicy
        return [
            "Id": .string(definition.id), "Name": .string(definition.name),
            "Arn": .string(definition.arn),
            "EstimatedNumberOfUsers": .int((try? pool.store.all().count) ?? 0),
            "MfaConfiguration": "OFF",
            "Policies": [
                "PasswordPolicy": [
                    "MinimumLength": .int(policy.minimumLength),
                    "RequireLowercase": .bool(policy.requiresLowercase),
                    "RequireNumbers": .bool(policy.requiresNumbers),
                    "RequireSymbols": .bool(policy.requiresSymbols),
                    "RequireUppercase": .bool(policy.requiresUppercase),
                    "TemporaryPasswordValidityDays": 7,
                ]
            ],
            "AdminCreateUserConfig": ["AllowAdminCreateUserOnly": .bool(!definition.allowsSignUp)],
        ]
    }
}

extension User {
    /// `sub` first, as Cognito lists them.
    var attributesJSON: JSONValue { attributesJSON(only: nil) }

    private func attributesJSON(only names: [String]?) -> JSONValue {
        let all = ([(name: "sub", value: subject)] + attributes)
            .filter { attribute in names?.contains(where: attribute.name.isExactly) ?? true }
        return .array(all.map { ["Name": .string($0.name), "Value": .string($0.value)] })
    }

    /// - Parameter names: of the attributes that are asked for; `nil` is all.
    fileprivate func answer(attributes key: String, only names: [String]? = nil) -> JSONValue {
        func seconds(_ moment: Timestamp) -> JSONValue {
            .double(Double(moment.milliseconds) / 1000)
        }
        return .object([
            "Username": .string(username), key: attributesJSON(only: names),
            "UserCreateDate": seconds(createdAt), "UserLastModifiedDate": seconds(modifiedAt),
            "Enabled": .bool(isEnabled), "UserStatus": .string(status.rawValue),
        ])
    }
}

/// `email = "ana@example.com"` or `username ^= "a"` (API reference, *ListUsers*); nothing matches
/// every user.
private struct UserFilter {
    private var test: (User) -> Bool = { _ in true }

    init(_ text: String) throws(UserPoolError) {
        guard !text.isEmpty else { return }
        guard let match = text.wholeMatch(of: /\s*([A-Za-z0-9_:]+)\s*(\^?=)\s*"([^"]*)"\s*/) else {
            throw .invalidParameter("Error while parsing filter.")
        }
        let (name, isPrefix, wanted) = (match.1, match.2 == "^=", String(match.3))
        test = { user in
            let value: String? =
                switch name {
                case "username", "cognito:username": user.username
                case "sub": user.subject
                case "cognito:user_status": user.status.rawValue
                case "status": user.isEnabled ? "Enabled" : "Disabled"
                default: user.attribute(String(name))
                }
            guard let value else { return false }
            return isPrefix ? value.beginsExactly(with: wanted) : value.isExactly(wanted)
        }
    }

    func matches(_ user: User) -> Bool { test(user) }
}
