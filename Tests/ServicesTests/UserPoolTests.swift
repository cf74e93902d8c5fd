import Access
import Crypto
import JSON
import Posix
import StackModel
import Synchronization
import TestSupport
import Testing

@testable import HTTP
@testable import Services

/// A user pool as `cognito-idp`'s clients see it.
@Suite struct UserPoolTests {
    /// A pool in a folder of its own, a clock, and what would have been sent by e-mail.
    struct Fixture {
        final class Mail: Sendable {
            let codes = Mutex<[String]>([])
            var last: String { codes.withLock { $0.last ?? "" } }
        }

        static let password = "Correct-Horse-1"
        let folder: TemporaryFolder
        let clock = SteppedClock()
        let mail = Mail()
        let pool: UserPool
        let endpoint: UserPoolEndpoint
        let deployment: Deployment
        let developer: AccessKey

        init(_ settings: JSONValue = [:], iam: IAMMode = .enforce) throws {
            folder = try TemporaryFolder("users")
            let store = CredentialStore(stateDirectory: folder.path)
            try store.ensure(["developer"])
            let own = try #require(try store.load()["developer"])
            developer = AccessKey(id: own.accessKeyID, secret: own.secretAccessKey)
            let stack = Stack(json: [
                "name": "shop", "lambdas": [:], "queues": [:],
                "security": ["userPool": settings],
            ])
            deployment = Deployment(
                stateDirectory: folder.path, stack: stack, code: [:],
                deployedAt: Timestamp(milliseconds: 0), removing: [])
            let definition = try #require(stack.userPool)
            pool = UserPool(definition, stateDirectory: folder.path, clock: clock.clock) {
                [mail] _, code, _ in mail.codes.withLock { $0.append(code) }
            }
            let authorizer = try Authorizer(deployment, mode: iam, clock: clock.clock) { _ in }
            endpoint = UserPoolEndpoint(
                pool, authorizer: authorizer, workers: WorkerPool(name: "users", limit: 4))
        }

        var client: String { pool.definition.clientIDs[0] }

        /// A call's answer, or the name of its error and the message.
        func call(
            _ operation: String, _ parameters: JSONObject, signed: Bool = false
        ) throws -> (json: JSONValue, error: String?, message: String) {
            var parameters = parameters
            if signed {
                parameters["UserPoolId"] = parameters["UserPoolId"] ?? .string(pool.definition.id)
            } else if parameters["AccessToken"] == nil {
                parameters["ClientId"] = parameters["ClientId"] ?? .string(client)
            }
            var request = HTTPRequest(
                method: "POST", target: "/", headers: ["Host": "localhost"],
                body: Array(JSONValue.object(parameters).serialized().utf8))
            request.headers["X-Amz-Target"] = UserPoolEndpoint.target + operation
            if signed {
                let added = SignatureV4.sign(
                    SignedRequest(
                        method: "POST", path: "/", query: "", headers: request.headers.fields,
                        body: request.body), with: developer, region: "us-east-1",
                    service: "cognito-idp", at: clock.clock.now())
                for (name, value) in added { request.headers.append(name, value) }
            }
            let response = endpoint.respond(to: request)
            let json = try JSONValue.parse(response.body)
            #expect((response.status == 200) == (json["__type"] == nil))
            #expect(response.type?.description == "application/x-amz-json-1.1")
            return (json, json["__type"]?.stringValue, json["message"]?.stringValue ?? "")
        }

        func signIn(
            _ name: String, _ password: String = password
        ) throws -> (json: JSONValue, error: String?, message: String) {
            try call(
                "InitiateAuth",
                [
                    "AuthFlow": "USER_PASSWORD_AUTH",
                    "AuthParameters": ["USERNAME": .string(name), "PASSWORD": .string(password)],
                ])
        }

        /// A user who may sign in.
        func add(_ name: String) throws {
            _ = try pool.create(
                name, temporaryPassword: Self.password, attributes: [("email", "\(name)@b.c")])
            try pool.confirmPassword(of: name)
        }

        func token(_ name: String, _ kind: String = "AccessToken") throws -> String {
            try #require(
                try signIn(name).json["AuthenticationResult"]?[kind]?.stringValue)
        }
    }

    @Test("a user signs up, confirms by a code, signs in, and is who it says")
    func signUp() throws {
        let fixture = try Fixture()
        let new: JSONObject = [
            "Username": "ana", "Password": .string(Fixture.password),
            "UserAttributes": [["Name": "email", "Value": "ana@example.com"]],
        ]
        let made = try fixture.call("SignUp", new)
        #expect(made.json["UserConfirmed"] == false)
        #expect(made.json["CodeDeliveryDetails"]?["Destination"] == "a***@e***")
        #expect(try fixture.call("SignUp", new).error == "UsernameExistsException")
        #expect(try fixture.signIn("ana").error == "UserNotConfirmedException")
        let wrong = fixture.mail.last == "000000" ? "000001" : "000000"
        func confirm(_ code: String) throws -> String? {
            try fixture.call(
                "ConfirmSignUp", ["Username": "ana", "ConfirmationCode": .string(code)]
            )
            .error
        }
        #expect(try confirm(wrong) == "CodeMismatchException")
        #expect(try confirm(fixture.mail.last) == nil)
        #expect(try confirm(fixture.mail.last) == "NotAuthorizedException")
        let result = try #require(try fixture.signIn("ANA").json["AuthenticationResult"])
        #expect(result["TokenType"] == "Bearer")
        #expect(result["ExpiresIn"] == 3600)
        let token = try #require(result["AccessToken"])
        let user = try fixture.call("GetUser", ["AccessToken": token]).json
        #expect(user["Username"] == "ana")
        let attributes = (user["UserAttributes"]?.arrayValue ?? []).map { $0["Name"]?.stringValue }
        #expect(attributes == ["sub", "email", "email_verified"])
    }

    @Test("a new address is not verified, unless the same call says so, in whatever order")
    func newAddresses() throws {
        let fixture = try Fixture()
        func flags(_ changes: [(String, String)]) throws -> [String: String] {
            let list = changes.map {
                JSONValue.object(["Name": .string($0), "Value": .string($1)])
            }
            let changed = try fixture.call(
                "AdminUpdateUserAttributes",
                ["Username": "ana", "UserAttributes": .array(list)], signed: true)
            #expect(changed.error == nil)
            let user = try fixture.call("AdminGetUser", ["Username": "ana"], signed: true).json
            var found: [String: String] = [:]
            for attribute in user["UserAttributes"]?.arrayValue ?? [] {
                found[attribute["Name"]?.stringValue ?? ""] = attribute["Value"]?.stringValue
            }
            return found.filter { $0.key.hasSuffix("_verified") }
        }
        _ = try fixture.call("SignUp", ["Username": "ana", "Password": .string(Fixture.password)])
        let both = [("email_verified", "true"), ("email", "a@x.test")]
        #expect(try flags(both) == ["email_verified": "true"])
        #expect(try flags(both.reversed()) == ["email_verified": "true"])
        #expect(try flags([("email", "b@x.test")]) == ["email_verified": "false"])
        let phone = [("phone_number", "+4912345"), ("phone_number_verified", "true")]
        #expect(try flags(phone)["phone_number_verified"] == "true")
        #expect(try flags([("phone_number", "+4954321")])["phone_number_verified"] == "false")
    }

    @Test("a code is guessed five times at most, and has its day")
    func codes() throws {
        let fixture = try Fixture()
        let new: JSONObject = ["Username": "ana", "Password": .string(Fixture.password)]
        _ = try fixture.call("SignUp", new)
        let wrong: JSONObject = ["Username": "ana", "ConfirmationCode": "no"]
        for _ in 0..<5 {
            #expect(try fixture.call("ConfirmSignUp", wrong).error == "CodeMismatchException")
        }
        var right: JSONObject = ["Username": "ana", "ConfirmationCode": .string(fixture.mail.last)]
        #expect(try fixture.call("ConfirmSignUp", right).error == "LimitExceededException")
        #expect(try fixture.call("ResendConfirmationCode", ["Username": "ana"]).error == nil)
        right["ConfirmationCode"] = .string(fixture.mail.last)
        #expect(
            try fixture.call("ConfirmSignUp", right).error == "LimitExceededException",
            "a new code brings no new guesses")
        fixture.clock.step(.seconds(86_400))
        #expect(try fixture.call("ConfirmSignUp", right).error == "ExpiredCodeException")
    }

    @Test("a wrong password, a name that nobody has and a lock tell nothing of each other")
    func wrongPasswords() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        for name in ["ana", "nobody"] {
            for _ in 0..<5 {
                let answer = try fixture.signIn(name, "Wrong-Horse-1")
                #expect(answer.error == "NotAuthorizedException")
                #expect(answer.message == "Incorrect username or password.")
            }
            // The right one does not help while the name is locked.
            #expect(try fixture.signIn(name).message == "Password attempts exceeded")
        }
        fixture.clock.step(.seconds(1))
        #expect(try fixture.signIn("ana").error == nil)
        #expect(try fixture.signIn("ana", "Wrong-Horse-1").error == "NotAuthorizedException")
        #expect(try fixture.signIn("ana").error == nil, "a success starts anew")
    }

    @Test("names that are made up do not lift a user's lock, however many they are")
    func manyNames() {
        let attempts = SignInAttempts()
        let now = Timestamp(milliseconds: 0)
        for _ in 0..<5 {
            attempts.failed("ana", isUser: true, at: now)
            attempts.failed("nobody", isUser: false, at: now)
        }
        #expect(attempts.isLocked("ana", at: now) && attempts.isLocked("nobody", at: now))
        for number in 0..<SignInAttempts.limitNames {
            attempts.failed("n\(number)", isUser: false, at: now + .milliseconds(1))
        }
        #expect(attempts.isLocked("ana", at: now))
        #expect(!attempts.isLocked("nobody", at: now), "so many are remembered")
        attempts.failed("ana", isUser: false, at: now)
        #expect(attempts.isLocked("ana", at: now), "who is gone stays locked")
        attempts.succeeded("ana")
        #expect(!attempts.isLocked("ana", at: now))
    }

    @Test("what is too long for a name is nobody's, although it equals one")
    func equalNames() throws {
        let fixture = try Fixture()
        let short = String(repeating: "\u{1E69}", count: 128)
        let long = String(repeating: "s\u{307}\u{323}", count: 128)
        try #require(short == long && long.utf8.count > 512)
        try fixture.add(short)
        #expect(try fixture.signIn(short).error == nil)
        #expect(try fixture.signIn(long).message == "Incorrect username or password.")
    }

    @Test("a pool that hides nobody says who is not there")
    func unknownUsers() throws {
        let open = try Fixture(["preventUserExistenceErrors": false])
        #expect(try open.signIn("nobody").error == "UserNotFoundException")
        let forgot: JSONObject = ["Username": "nobody"]
        #expect(try open.call("ForgotPassword", forgot).error == "UserNotFoundException")
        let hiding = try Fixture()
        #expect(try hiding.call("ForgotPassword", forgot).error == nil)
        let confirm: JSONObject = [
            "Username": "nobody", "ConfirmationCode": "1", "Password": .string(Fixture.password),
        ]
        let answer = try hiding.call("ConfirmForgotPassword", confirm)
        #expect(answer.error == "CodeMismatchException")
    }

    @Test("a forgotten password tells nothing of who is a user, and who may sign in")
    func hiddenUsers() throws {
        let fixture = try Fixture()
        for name in ["ana", "bob"] { try fixture.add(name) }
        try fixture.pool.setEnabled("bob", false)
        _ = try fixture.pool.create("eva", temporaryPassword: Fixture.password, attributes: [])
        func ask(_ name: String, _ operation: String = "ForgotPassword") throws -> String? {
            let answer = try fixture.call(operation, ["Username": .string(name)])
            #expect(answer.error == nil)
            return answer.json["CodeDeliveryDetails"]?["Destination"]?.stringValue
        }
        #expect(try ask("ana") == "a***@b***")
        #expect(fixture.mail.codes.withLock { $0.count } == 1)
        for name in ["nobody", "bob", "eva"] {
            let stamp = FileSystem.stamp(of: "\(fixture.folder.path)/users.json")
            let shown = try #require(try ask(name))
            #expect(
                FileSystem.stamp(of: "\(fixture.folder.path)/users.json") != stamp,
                "it takes the same time: the file is written")
            #expect(shown.wholeMatch(of: /[a-z]\*{3}@[a-z]\*{3}/) != nil, "\(shown)")
            #expect(try ask(name.uppercased()) == shown)
        }
        let shown = Set(try (0..<20).map { try ask("n\($0)") })
        #expect(shown.count > 10, "the letters are the name's own: \(shown)")
        #expect(try ask("Joe@Mail.test") == "j***@m***")
        #expect(try ask("n1", "ResendConfirmationCode") == ask("n1"))
        #expect(fixture.mail.codes.withLock { $0.count } == 1, "no code for any of them")
        func confirm(_ name: String, _ code: String) throws -> String? {
            try fixture.call(
                "ConfirmForgotPassword",
                [
                    "Username": .string(name), "ConfirmationCode": .string(code),
                    "Password": "Another-Horse-1",
                ]
            ).error
        }
        // As on AWS, the right code of somebody who was disabled since is no better than a wrong
        // one, and they are locked as names are that nobody has.
        try fixture.pool.setEnabled("ana", false)
        for name in ["ana", "nobody"] {
            for _ in 0..<5 {
                #expect(try confirm(name, fixture.mail.last) == "CodeMismatchException")
            }
            #expect(try confirm(name, fixture.mail.last) == "LimitExceededException")
        }
        let open = try Fixture(["preventUserExistenceErrors": false])
        try open.add("bob")
        try open.pool.setEnabled("bob", false)
        let told = try open.call("ForgotPassword", ["Username": "bob"])
        #expect(told.message == "User is disabled.")
    }

    @Test("who was made by an administrator chooses a password at the first sign-in")
    func newPassword() throws {
        let fixture = try Fixture()
        let made = try fixture.call(
            "AdminCreateUser",
            ["Username": "ana", "TemporaryPassword": "Only-Once-1"], signed: true)
        #expect(made.json["User"]?["UserStatus"] == "FORCE_CHANGE_PASSWORD")
        let first = try fixture.signIn("ana", "Only-Once-1").json
        #expect(first["ChallengeName"] == "NEW_PASSWORD_REQUIRED")
        let session = try #require(first["Session"])
        func answer(_ session: JSONValue, _ password: String) throws -> (JSONValue, String?) {
            let result = try fixture.call(
                "RespondToAuthChallenge",
                [
                    "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": session,
                    "ChallengeResponses": [
                        "USERNAME": "ana", "NEW_PASSWORD": .string(password),
                    ],
                ])
            return (result.json, result.error)
        }
        #expect(try answer(session, "short").1 == "InvalidPasswordException")
        #expect(try answer("x.y", Fixture.password).1 == "NotAuthorizedException")
        let good = try answer(session, Fixture.password)
        #expect(good.0["AuthenticationResult"]?["AccessToken"] != nil)
        #expect(try answer(session, "Another-Horse-1").1 == "NotAuthorizedException", "once only")
        #expect(try fixture.signIn("ana").error == nil)
    }

    @Test("a session and a password for the first time have their time")
    func expiry() throws {
        let fixture = try Fixture()
        _ = try fixture.pool.create("ana", temporaryPassword: "Only-Once-1", attributes: [])
        let session = try #require(try fixture.signIn("ana", "Only-Once-1").json["Session"])
        fixture.clock.step(.seconds(180))
        let late = try fixture.call(
            "RespondToAuthChallenge",
            [
                "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": session,
                "ChallengeResponses": [
                    "USERNAME": "ana", "NEW_PASSWORD": .string(Fixture.password),
                ],
            ])
        #expect(late.message == "Invalid session for the user, session is expired.")
        fixture.clock.step(.seconds(7 * 86_400))
        #expect(try fixture.signIn("ana", "Only-Once-1").message.hasPrefix("Temporary password"))
    }

    @Test("a refresh token makes new tokens until it is over, revoked, or another's")
    func refresh() throws {
        let fixture = try Fixture(["tokenValidity": ["refreshToken": 3600]])
        try fixture.add("ana")
        let token = try fixture.token("ana", "RefreshToken")
        func refresh(_ token: String, client: String? = nil) throws -> (JSONValue, String) {
            var call: JSONObject = [
                "AuthFlow": "REFRESH_TOKEN_AUTH",
                "AuthParameters": ["REFRESH_TOKEN": .string(token)],
            ]
            call["ClientId"] = client.map { .string($0) }
            let answer = try fixture.call("InitiateAuth", call)
            return (answer.json, answer.message)
        }
        fixture.clock.step(.seconds(1))
        let result = try refresh(token).0["AuthenticationResult"]
        #expect(result?["AccessToken"] != nil)
        #expect(result?["RefreshToken"] == nil)
        #expect(try refresh(token + "x").1 == "Invalid Refresh Token")
        let access = try #require(result?["AccessToken"]?.stringValue)
        #expect(try refresh(access).1 == "Invalid Refresh Token")
        #expect(
            try refresh(token, client: "other").1 == "User pool client other does not exist.")
        #expect(try fixture.call("GlobalSignOut", ["AccessToken": .string(access)]).error == nil)
        #expect(try refresh(token).1 == "Refresh Token has been revoked")
        let revoked = try fixture.call("GetUser", ["AccessToken": .string(access)])
        #expect(revoked.message == "Access Token has been revoked")
        fixture.clock.step(.milliseconds(1))
        let again = try fixture.token("ana", "RefreshToken")
        #expect(
            try fixture.call("GetUser", ["AccessToken": .string(fixture.token("ana"))]).error == nil
        )
        fixture.clock.step(.seconds(3600))
        #expect(try refresh(again).1 == "Refresh Token has expired")
    }

    @Test("who is disabled has no token any more, also once enabled again")
    func disabled() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        let tokens = try #require(try fixture.signIn("ana").json["AuthenticationResult"])
        func messages() throws -> [String] {
            let refreshed = try fixture.call(
                "InitiateAuth",
                [
                    "AuthFlow": "REFRESH_TOKEN_AUTH",
                    "AuthParameters": ["REFRESH_TOKEN": tokens["RefreshToken"] ?? .null],
                ])
            let user = try fixture.call("GetUser", ["AccessToken": tokens["AccessToken"] ?? .null])
            return [refreshed.message, user.message]
        }
        func administer(_ operation: String) throws -> String? {
            try fixture.call(operation, ["Username": "ana"], signed: true).error
        }
        fixture.clock.step(.milliseconds(1))
        #expect(try messages() == ["", ""])
        #expect(try administer("AdminDisableUser") == nil)
        #expect(try messages() == ["User is disabled.", "User is disabled."])
        #expect(try administer("AdminEnableUser") == nil)
        #expect(
            try messages() == ["Refresh Token has been revoked", "Access Token has been revoked"])
        fixture.clock.step(.milliseconds(1))
        #expect(
            try fixture.call("GetUser", ["AccessToken": .string(fixture.token("ana"))]).error == nil
        )
    }

    @Test("access tokens: not the ID token, not when over, not of somebody who is gone")
    func accessTokens() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        func who(_ token: String) throws -> (error: String?, message: String) {
            let answer = try fixture.call("GetUser", ["AccessToken": .string(token)])
            return (answer.error, answer.message)
        }
        #expect(try who(fixture.token("ana", "IdToken")).message == "Invalid Access Token")
        #expect(try who("x").message == "Invalid Access Token")
        let token = try fixture.token("ana")
        fixture.clock.step(.seconds(3599))
        #expect(try who(token).error == nil)
        fixture.clock.step(.seconds(1))
        #expect(try who(token).message == "Access Token has expired")
        let last = try fixture.token("ana")
        try fixture.pool.remove("ana")
        #expect(try who(last).error == "UserNotFoundException")
        try fixture.add("ana")
        #expect(try who(last).error == "UserNotFoundException", "another of the same name")
    }

    @Test("a forgotten password is replaced by code")
    func forgotten() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        let answer = try fixture.call("ForgotPassword", ["Username": "ana"])
        #expect(answer.json["CodeDeliveryDetails"]?["DeliveryMedium"] == "EMAIL")
        let confirm: JSONObject = [
            "Username": "ana", "ConfirmationCode": .string(fixture.mail.last),
            "Password": "Another-Horse-1",
        ]
        #expect(try fixture.call("ConfirmForgotPassword", confirm).error == nil)
        #expect(try fixture.call("ConfirmForgotPassword", confirm).error == "ExpiredCodeException")
        #expect(try fixture.signIn("ana").error == "NotAuthorizedException")
        #expect(try fixture.signIn("ana", "Another-Horse-1").error == nil)
    }

    @Test("old keys check tokens until the last of theirs is over; new ones sign")
    func rotation() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        let tokens = try #require(
            TokenAuthorizer(fixture.deployment, pool: fixture.pool, clock: fixture.clock.clock))
        func isTaken(_ token: String) -> Bool {
            var request = HTTPRequest(method: "GET", target: "/")
            request.headers["Authorization"] = "Bearer \(token)"
            return (try? tokens.claims(of: request, scopes: [])) != nil
        }
        func keys() throws -> [String] {
            let set = try fixture.pool.keys.keySet(at: fixture.clock.clock.now())
            return (set["keys"]?.arrayValue ?? []).compactMap { $0["kid"]?.stringValue }
        }
        let old = try fixture.token("ana")
        let first = try keys()
        let new = try fixture.pool.keys.rotate(at: fixture.clock.clock.now())
        #expect(try keys() == [new] + first)
        #expect(isTaken(old))
        #expect(try WebToken(fixture.token("ana")).keyID == new)
        #expect(isTaken(try fixture.token("ana", "IdToken")))
        fixture.clock.step(.seconds(3661))
        #expect(try keys() == [new])
        #expect(!isTaken(old))
    }

    @Test("a user has so many attributes, however many calls bring them")
    func manyAttributes() throws {
        let fixture = try Fixture()
        _ = try fixture.pool.create("ana", temporaryPassword: Fixture.password, attributes: [])
        func set(_ range: Range<Int>) throws {
            try fixture.pool.setAttributes(
                "ana", range.map { ("custom:a\($0)", "x") }, mayVerify: false)
        }
        try set(0..<40)
        #expect(throws: UserPoolError.self) { try set(40..<80) }
        #expect(try fixture.pool.store.user("ana")?.attributes.count == 40)
        try set(0..<75)
        try set(10..<20)  // those that are there
    }
}
