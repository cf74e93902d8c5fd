import Crypto
import JSON
import StackModel

extension UserPoolEndpoint {
    /// What `cognito-idp` is asked for here.
    enum Operation: String {
        case initiateAuth = "InitiateAuth"
        case respondToAuthChallenge = "RespondToAuthChallenge"
        case signUp = "SignUp"
        case confirmSignUp = "ConfirmSignUp"
        case resendConfirmationCode = "ResendConfirmationCode"
        case forgotPassword = "ForgotPassword"
        case confirmForgotPassword = "ConfirmForgotPassword"
        case changePassword = "ChangePassword"
        case getUser = "GetUser"
        case updateUserAttributes = "UpdateUserAttributes"
        case deleteUser = "DeleteUser"
        case globalSignOut = "GlobalSignOut"
        case adminInitiateAuth = "AdminInitiateAuth"
        case adminRespondToAuthChallenge = "AdminRespondToAuthChallenge"
        case adminCreateUser = "AdminCreateUser"
        case adminSetUserPassword = "AdminSetUserPassword"
        case adminConfirmSignUp = "AdminConfirmSignUp"
        case adminGetUser = "AdminGetUser"
        case adminUpdateUserAttributes = "AdminUpdateUserAttributes"
        case adminEnableUser = "AdminEnableUser"
        case adminDisableUser = "AdminDisableUser"
        case adminDeleteUser = "AdminDeleteUser"
        case adminUserGlobalSignOut = "AdminUserGlobalSignOut"
        case listUsers = "ListUsers"
        case describeUserPool = "DescribeUserPool"

        /// Whether a signature and a policy are asked for; all others anybody may call (botocore:
        /// `authtype: none`), since they show a password, a code or a token.
        var isAdministration: Bool {
            rawValue.hasPrefix("Admin") || self == .listUsers || self == .describeUserPool
        }
    }

    func perform(_ operation: Operation, _ call: UserPoolRequest) throws -> JSONObject {
        if operation.isAdministration {
            let id = try call.required("UserPoolId")
            guard id == pool.definition.id else { throw UserPoolError.noSuchPool(id) }
        }
        switch operation {
        case .initiateAuth, .adminInitiateAuth: return try initiateAuth(operation, call)
        case .respondToAuthChallenge, .adminRespondToAuthChallenge: return try challenge(call)
        case .signUp, .confirmSignUp, .resendConfirmationCode, .forgotPassword,
            .confirmForgotPassword:
            return try enroll(operation, call)
        case .changePassword, .getUser, .updateUserAttributes, .deleteUser, .globalSignOut:
            return try own(operation, call)
        case .listUsers: return try listUsers(call)
        case .describeUserPool: return ["UserPool": describe()]
        default: return try administer(operation, call, try call.username())
        }
    }

    private func initiateAuth(
        _ operation: Operation, _ call: UserPoolRequest
    ) throws -> JSONObject {
        let client = try call.required("ClientId")
        try pool.requireClient(client)
        let flow = try call.required("AuthFlow")
        let isAdmin = operation == .adminInitiateAuth
        switch flow {
        case "USER_PASSWORD_AUTH" where !isAdmin,
            "ADMIN_USER_PASSWORD_AUTH" where isAdmin, "ADMIN_NO_SRP_AUTH" where isAdmin:
            let result = try pool.signIn(
                try call.parameter("USERNAME", of: "AuthParameters"),
                password: try call.parameter("PASSWORD", of: "AuthParameters"), client: client)
            switch result {
            case .tokens(let tokens): return tokens.answer
            case .newPasswordRequired(let session, let user):
                let attributes = user.attributes.map {
                    (key: $0.name, value: JSONValue.string($0.value))
                }
                return [
                    "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": .string(session),
                    "ChallengeParameters": [
                        "USER_ID_FOR_SRP": .string(user.username), "requiredAttributes": "[]",
                        "userAttributes": .string(
                            JSONValue.object(JSONObject(attributes)).serialized()),
                    ],
                ]
            }
        case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
            return try pool.refresh(
                try call.parameter("REFRESH_TOKEN", of: "AuthParameters"), client: client
            ).answer
        default:
            throw UserPoolError.invalidParameter("\(flow) flow not enabled for this client")
        }
    }

    private func challenge(_ call: UserPoolRequest) throws -> JSONObject {
        let name = try call.required("ChallengeName")
        guard name == "NEW_PASSWORD_REQUIRED" else {
            throw UserPoolError.invalidParameter("\(name) is no challenge of this pool")
        }
        let prefix = "userAttributes."
        let members = call.json["ChallengeResponses"]?.objectValue?.members ?? []
        let attributes = members.filter { $0.key.hasPrefix(prefix) }.map {
            (name: String($0.key.dropFirst(prefix.count)), value: $0.value.stringValue ?? "")
        }
        return try pool.chooseNewPassword(
            try call.parameter("USERNAME", of: "ChallengeResponses"),
            password: try call.parameter("NEW_PASSWORD", of: "ChallengeResponses"),
            attributes: attributes, session: try call.required("Session"),
            client: try call.required("ClientId")
        ).answer
    }

    private func enroll(_ operation: Operation, _ call: UserPoolRequest) throws -> JSONObject {
        let username = try call.username()
        let client = try call.required("ClientId")
        switch operation {
        case .signUp:
            let user = try pool.signUp(
                username, password: try call.required("Password"),
                attributes: try call.attributes(), client: client)
            var answer: JSONObject = [
                "UserConfirmed": .bool(user.status == .confirmed),
                "UserSub": .string(user.subject),
            ]
            if user.status != .confirmed {
                let destination = try pool.destination(of: username, user)
                answer["CodeDeliveryDetails"] = delivery(to: destination)
            }
            return answer
        case .confirmSignUp:
            try pool.confirmSignUp(
                username, code: try call.required("ConfirmationCode"), client: client)
            return [:]
        case .resendConfirmationCode:
            let destination = try pool.resendConfirmation(username, client: client)
            return ["CodeDeliveryDetails": delivery(to: destination)]
        case .forgotPassword:
            let destination = try pool.forgotPassword(username, client: client)
            return ["CodeDeliveryDetails": delivery(to: destination)]
        default:
            try pool.confirmForgotPassword(
                username, code: try call.required("ConfirmationCode"),
                password: try call.required("Password"), client: client)
            return [:]
        }
    }

    private func delivery(to destination: String) -> JSONValue {
        [
            "AttributeName": "email", "DeliveryMedium": "EMAIL",
            "Destination": .string(destination),
        ]
    }

    private func own(_ operation: Operation, _ call: UserPoolRequest) throws -> JSONObject {
        let token = try call.required("AccessToken")
        if operation == .changePassword {
            try pool.changePassword(
                accessToken: token, old: try call.text("PreviousPassword"),
                new: try call.required("ProposedPassword"))
            return [:]
        }
        let user = try pool.user(byAccessToken: token)
        switch operation {
        case .getUser:
            return [
                "Username": .string(user.username), "UserAttributes": user.attributesJSON,
            ]
        case .updateUserAttributes:
            try pool.setAttributes(user.username, try call.attributes(), mayVerify: false)
            return ["CodeDeliveryDetailsList": []]
        case .deleteUser: try pool.remove(user.username)
        default: try pool.signOut(user.username)
        }
        return [:]
    }
}

extension Tokens {
    fileprivate var answer: JSONObject {
        var result: JSONObject = [
            "AccessToken": .string(access), "ExpiresIn": .int(expiresInSeconds),
            "TokenType": "Bearer", "IdToken": .string(id),
        ]
        result["RefreshToken"] = refresh.map { .string($0) }
        return ["AuthenticationResult": .object(result), "ChallengeParameters": [:]]
    }
}
