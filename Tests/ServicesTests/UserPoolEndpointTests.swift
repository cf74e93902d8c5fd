import Access
import Foundation
import HTTP
import JSON
import Posix
import StackModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// What `cognito-idp` refuses, who may administer, and what verifiers of tokens find.
@Suite struct UserPoolEndpointTests {
    typealias Fixture = UserPoolTests.Fixture

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var operation: String
        var parameters: JSONObject
        var isSigned = false
        var error: String
        var message: String?
    }

    static func signUp(_ name: String, password: String, attribute: String? = nil) -> JSONObject {
        var json: JSONObject = ["Username": .string(name), "Password": .string(password)]
        if let attribute {
            json["UserAttributes"] = [["Name": .string(attribute), "Value": "x"]]
        }
        return json
    }

    static func password(_ password: String, _ complaint: String) -> Case {
        Case(
            testDescription: "the password '\(password)'", operation: "SignUp",
            parameters: signUp("ana", password: password), error: "InvalidPasswordException",
            message: "Password did not conform with policy: \(complaint)")
    }

    static let cases: [Case] = [
        password("Sh0rt-", "Password not long enough"),
        password("no-capitals-1", "Password must have uppercase characters"),
        password("NO-SMALLS-1", "Password must have lowercase characters"),
        password("No-Digits-At-All", "Password must have numeric characters"),
        password("NoSymbols1", "Password must have symbol characters"),
        password("With Space-1", "Password must not have white space"),
        password(String(repeating: "aB3-", count: 65), "Password is too long"),
        Case(
            testDescription: "an attribute that is none", operation: "SignUp",
            parameters: signUp("ana", password: Fixture.password, attribute: "shoe_size"),
            error: "InvalidParameterException"),
        Case(
            testDescription: "an address that says of itself that it is verified",
            operation: "SignUp",
            parameters: signUp("ana", password: Fixture.password, attribute: "email_verified"),
            error: "NotAuthorizedException"),
        Case(
            testDescription: "a name with a space", operation: "SignUp",
            parameters: signUp("a b", password: Fixture.password),
            error: "InvalidParameterException"),
        Case(
            testDescription: "a name that is too long", operation: "SignUp",
            parameters: signUp(String(repeating: "a", count: 129), password: Fixture.password),
            error: "InvalidParameterException"),
        Case(
            testDescription: "a code for a name that is too long", operation: "ConfirmSignUp",
            parameters: [
                "Username": .string(String(repeating: "a", count: 129)), "ConfirmationCode": "1",
            ], error: "InvalidParameterException"),
        Case(
            testDescription: "no name", operation: "SignUp",
            parameters: ["Password": "x"], error: "InvalidParameterException",
            message: "1 validation error detected: Value null at 'username' failed to satisfy "
                + "constraint: Member must not be null"),
        Case(
            testDescription: "a name that is a number", operation: "SignUp",
            parameters: ["Username": 7], error: "InvalidParameterException"),
        Case(
            testDescription: "another client", operation: "InitiateAuth",
            parameters: ["ClientId": "other", "AuthFlow": "USER_PASSWORD_AUTH"],
            error: "ResourceNotFoundException",
            message: "User pool client other does not exist."),
        Case(
            testDescription: "a flow that is not offered", operation: "InitiateAuth",
            parameters: ["AuthFlow": "USER_SRP_AUTH"], error: "InvalidParameterException",
            message: "USER_SRP_AUTH flow not enabled for this client"),
        Case(
            testDescription: "no password", operation: "InitiateAuth",
            parameters: [
                "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": ["USERNAME": "ana"],
            ], error: "InvalidParameterException",
            message: "Missing required parameter PASSWORD"),
        Case(
            testDescription: "the administrator's flow without a signature",
            operation: "InitiateAuth", parameters: ["AuthFlow": "ADMIN_USER_PASSWORD_AUTH"],
            error: "InvalidParameterException"),
        Case(
            testDescription: "administration without a signature", operation: "AdminCreateUser",
            parameters: ["Username": "ana"], error: "MissingAuthenticationTokenException"),
        Case(
            testDescription: "a list without a signature", operation: "ListUsers",
            parameters: [:], error: "MissingAuthenticationTokenException"),
        Case(
            testDescription: "another pool", operation: "ListUsers",
            parameters: ["UserPoolId": "us-east-1_other"], isSigned: true,
            error: "ResourceNotFoundException",
            message: "User pool us-east-1_other does not exist."),
        Case(
            testDescription: "somebody who is not there", operation: "AdminGetUser",
            parameters: ["Username": "nobody"], isSigned: true, error: "UserNotFoundException",
            message: "User does not exist."),
        Case(
            testDescription: "a filter that makes no sense", operation: "ListUsers",
            parameters: ["Filter": "email"], isSigned: true, error: "InvalidParameterException"),
        Case(
            testDescription: "an unknown operation", operation: "CreateGroup", parameters: [:],
            error: "UnknownOperationException"),
    ]

    @Test("refusals", arguments: cases)
    func refusals(_ example: Case) throws {
        let fixture = try Fixture()
        let answer = try fixture.call(
            example.operation, example.parameters, signed: example.isSigned)
        #expect(answer.error == example.error, "\(answer.message)")
        if let message = example.message { #expect(answer.message == message) }
    }

    @Test("an administrator sees, changes and removes users")
    func administration() throws {
        let fixture = try Fixture()
        for name in ["ana", "bob", "eve"] { try fixture.add(name) }
        func names(_ parameters: JSONObject) throws -> (names: [String], next: JSONValue?) {
            let json = try fixture.call("ListUsers", parameters, signed: true).json
            let users = json["Users"]?.arrayValue ?? []
            return (users.compactMap { $0["Username"]?.stringValue }, json["PaginationToken"])
        }
        let first = try names(["Limit": 2])
        #expect(first.names == ["ana", "bob"])
        #expect(try names(["Limit": 2, "PaginationToken": #require(first.next)]).names == ["eve"])
        #expect(try names(["Filter": "email = \"bob@b.c\""]).names == ["bob"])
        #expect(try names(["Filter": "username ^= \"e\""]).names == ["eve"])
        let some: JSONObject = ["AttributesToGet": ["email", "locale"], "Limit": 1]
        let listed = try fixture.call("ListUsers", some, signed: true).json["Users"]
        let email: JSONValue = [["Name": "email", "Value": "ana@b.c"]]
        #expect(listed?.arrayValue?.first?["Attributes"] == email)
        let none = try fixture.call("ListUsers", ["AttributesToGet": "email"], signed: true)
        #expect(none.error == "InvalidParameterException")
        let ana: JSONObject = ["Username": "ana"]
        #expect(try fixture.call("AdminDisableUser", ana, signed: true).error == nil)
        #expect(try fixture.signIn("ana").message == "User is disabled.")
        #expect(try fixture.call("AdminEnableUser", ana, signed: true).error == nil)
        #expect(try fixture.signIn("ana").error == nil)
        var change = ana
        change["Password"] = "Another-Horse-1"
        #expect(try fixture.call("AdminSetUserPassword", change, signed: true).error == nil)
        let status = try fixture.call("AdminGetUser", ana, signed: true).json["UserStatus"]
        #expect(status == "FORCE_CHANGE_PASSWORD")
        #expect(try fixture.call("AdminDeleteUser", ana, signed: true).error == nil)
        #expect(try fixture.pool.store.user("ana") == nil)
    }

    @Test("a user whose first password is over gets another, and keeps what is known of it")
    func invitedAgain() throws {
        let fixture = try Fixture()
        func create(
            _ action: String? = nil, password: String? = nil, _ name: String = "ana"
        ) throws -> (json: JSONValue, error: String?, message: String) {
            var parameters: JSONObject = ["Username": .string(name)]
            parameters["MessageAction"] = action.map { .string($0) }
            parameters["TemporaryPassword"] = password.map { .string($0) }
            if action == nil {
                parameters["UserAttributes"] = [["Name": "email", "Value": "ana@b.c"]]
            }
            return try fixture.call("AdminCreateUser", parameters, signed: true)
        }
        #expect(try create("RESEND").error == "UserNotFoundException")
        #expect(try create("REPEAT").error == "InvalidParameterException")
        let made = try create(password: "Only-Once-1").json["User"]
        #expect(try create("SUPPRESS").error == "UsernameExistsException")
        fixture.clock.step(.seconds(8 * 86_400))
        #expect(try fixture.signIn("ana", "Only-Once-1").error == "NotAuthorizedException")
        let again = try create("RESEND").json["User"]
        #expect(again?["Attributes"] == made?["Attributes"] && again?["Username"] == "ana")
        let first = fixture.mail.last
        #expect(try fixture.signIn("ana", first).json["ChallengeName"] == "NEW_PASSWORD_REQUIRED")
        #expect(try create("RESEND", password: "Only-Once-2").error == nil)
        #expect(try fixture.signIn("ana", first).error == "NotAuthorizedException")
        #expect(try fixture.signIn("ana", "Only-Once-2").error == nil)
        try fixture.pool.confirmPassword(of: "ana")
        let late = try create("RESEND")
        #expect(late.error == "UnsupportedUserStateException")
        #expect(late.message == "Resend not possible. ana status is not FORCE_CHANGE_PASSWORD")
    }

    @Test("a blank deletes an attribute, and makes room for another")
    func blankAttributes() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        func set(_ attributes: [(String, String)]) throws -> String? {
            let list = attributes.map { name, value -> JSONValue in
                ["Name": .string(name), "Value": .string(value)]
            }
            return try fixture.call(
                "AdminUpdateUserAttributes", ["Username": "ana", "UserAttributes": .array(list)],
                signed: true
            ).error
        }
        func names() throws -> [String] {
            try #require(try fixture.pool.store.user("ana")).attributes.map { $0.name }
        }
        let new = [("email_verified", "true"), ("nickname", "a"), ("custom:email", "x")]
        #expect(try set(new) == nil)
        #expect(try set([("nickname", ""), ("email", ""), ("locale", "")]) == nil)
        #expect(try names() == ["custom:email"])
        #expect(try set([("custom:email_verified", "x"), ("custom:email", "")]) == nil)
        #expect(try names() == ["custom:email_verified"])
        #expect(try set((0..<74).map { ("custom:\($0)", "x") }) == nil)
        #expect(try set([("nickname", "a")]) == "InvalidParameterException")
        #expect(try set([("nickname", "a"), ("custom:0", "")]) == nil)
        #expect(try names().count == 75)
    }

    @Test("users and attributes are one where their bytes are, not where Unicode says so")
    func exactNames() throws {
        let fixture = try Fixture()
        let (composed, apart) = ("jos\u{E9}", "jose\u{301}")
        for name in [composed, apart] {
            try fixture.add(name)
            let attributes: JSONValue = [
                ["Name": "custom:\u{E9}", "Value": "1"], ["Name": "custom:e\u{301}", "Value": "2"],
                ["Name": "nickname", "Value": .string(name)],
            ]
            #expect(
                try fixture.call(
                    "AdminUpdateUserAttributes",
                    ["Username": .string(name), "UserAttributes": attributes], signed: true
                ).error == nil)
        }
        #expect(try fixture.pool.store.all().count == 2)
        let user = try #require(try fixture.pool.store.user(apart.uppercased()))
        #expect(user.attribute("nickname")?.utf8.count == apart.utf8.count)
        #expect(user.attribute("custom:\u{E9}") == "1")
        #expect(user.attribute("custom:e\u{301}") == "2")
        for (filter, count) in [("=", 1), ("^=", 1)] {
            let found = try fixture.call(
                "ListUsers", ["Filter": .string(#"nickname \#(filter) "\#(composed)""#)],
                signed: true)
            #expect(found.json["Users"]?.arrayValue?.count == count, "\(filter)")
        }
        var seen = 0
        var page: JSONObject = ["Limit": 1]
        repeat {
            let answer = try fixture.call("ListUsers", page, signed: true).json
            seen += answer["Users"]?.arrayValue?.count ?? 0
            page["PaginationToken"] = answer["PaginationToken"]
        } while page["PaginationToken"] != nil
        #expect(seen == 2)
        for _ in 0..<6 { _ = try fixture.signIn(apart, "wrong") }
        #expect(fixture.pool.attempts.isLocked(apart, at: fixture.clock.clock.now()))
        #expect(!fixture.pool.attempts.isLocked(composed, at: fixture.clock.clock.now()))
    }

    @Test(
        "an address that is none, and a flag that is neither true nor false",
        arguments: [
            ("email", "nope", "Invalid email address format."),
            ("email", "@b.c", "Invalid email address format."),
            ("email", "a@", "Invalid email address format."),
            ("email", "a@b@c", "Invalid email address format."),
            ("email", "a b@c.d", "Invalid email address format."),
            ("email", "jos\u{E9}@b.c", nil), ("email", "a+b@c.d", nil), ("email", "", nil),
            ("phone_number", "123", "Invalid phone number format."),
            ("phone_number", "+", "Invalid phone number format."),
            ("phone_number", "+49 123", "Invalid phone number format."),
            ("phone_number", "+\u{661}23", "Invalid phone number format."),
            ("phone_number", "+49123", nil), ("phone_number", "", nil),
            (
                "email_verified", "banana",
                "Attributes did not conform to the schema: email_verified: Boolean must be true or "
                    + "false"
            ),
            ("phone_number_verified", "True", nil), ("email_verified", "false", nil),
        ])
    func attributeValues(name: String, value: String, message: String?) throws {
        let fixture = try Fixture()
        let attributes: JSONValue = [["Name": .string(name), "Value": .string(value)]]
        let made = try fixture.call(
            "AdminCreateUser", ["Username": "ana", "UserAttributes": attributes], signed: true)
        #expect(made.error == message.map { _ in "InvalidParameterException" })
        #expect(message == nil || made.message == message)
        #expect(try fixture.pool.store.all().isEmpty == (message != nil))
    }

    @Test("a flag is true in whatever case", arguments: [("True", true), ("FALSE", false)])
    func flags(value: String, isTrue: Bool) throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        try fixture.pool.setAttributes("ana", [("email_verified", value)], mayVerify: true)
        let claims = try WebToken(fixture.token("ana", "IdToken")).claims()
        #expect(claims["email_verified"] == .bool(isTrue))
    }

    @Test("a blank makes no attribute of a new user, and no verified one")
    func blankAttributesOfNew() throws {
        let fixture = try Fixture()
        let list: JSONValue = [
            ["Name": "email", "Value": ""], ["Name": "name", "Value": "Ana"],
            ["Name": "nickname", "Value": ""],
        ]
        var new: JSONObject = ["Username": "ana", "Password": .string(Fixture.password)]
        new["UserAttributes"] = list
        #expect(try fixture.call("SignUp", new).error == nil)
        let code: JSONObject = ["Username": "ana", "ConfirmationCode": .string(fixture.mail.last)]
        #expect(try fixture.call("ConfirmSignUp", code).error == nil)
        new = ["Username": "bob", "UserAttributes": list]
        #expect(try fixture.call("AdminCreateUser", new, signed: true).error == nil)
        for name in ["ana", "bob"] {
            let user = try #require(try fixture.pool.store.user(name))
            #expect(user.attributes.map { $0.name } == ["name"])
        }
    }

    @Test("the file of users holds no password; it and the keys are their owner's alone")
    func files() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        _ = try fixture.token("ana")
        let text = String(
            decoding: try FileSystem.read("\(fixture.folder.path)/users.json"), as: UTF8.self)
        #expect(!text.contains(Fixture.password))
        #expect(text.contains("\"scrypt\""))
        for name in ["users.json", "user-pool-keys", "credentials"] {
            let path = "\(fixture.folder.path)/\(name)"
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
            #expect(mode as? Int == 0o600, "\(name)")
        }
    }

    @Test("over HTTP: many sign-ins at once all get an answer, and the keys are public")
    func overHTTP() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        let loop = try EventLoop(name: "users-test")
        let server = try HTTPServer(loop: loop) { request, responder in
            guard fixture.endpoint.takes(request) else {
                return responder.respond(HTTPResponse(404))
            }
            fixture.endpoint.handle(request, responder)
        }
        defer {
            server.stop()
            loop.shutdown()
        }
        let base = "http://127.0.0.1:\(server.port)"
        func curl(_ arguments: String...) throws -> JSONValue {
            let result = try BuiltExecutable.run(
                "/usr/bin/env", ["curl", "-s"] + arguments, in: fixture.folder.path)
            return try JSONValue.parse(result.output)
        }
        let known = "\(base)/\(fixture.pool.definition.id)/.well-known"
        let configuration = try curl("\(known)/openid-configuration")
        #expect(configuration["issuer"]?.stringValue == fixture.pool.definition.issuer)
        let address = try #require(configuration["jwks_uri"]?.stringValue)
        let keys = try TokenKeySet(json: try curl(address))
        let body =
            #"{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"\#(fixture.client)","AuthParameters":"#
            + #"{"USERNAME":"ana","PASSWORD":"\#(Fixture.password)"}}"#
        // More than are worked on at once.
        let output = try BuiltExecutable.run(
            "/usr/bin/env",
            [
                "curl", "-s", "-Z", "-H",
                "X-Amz-Target: \(UserPoolEndpoint.target)InitiateAuth", "-d", body,
            ] + (1...6).map { "\(base)/?\($0)" }, in: fixture.folder.path
        ).output
        let tokens = output.matches(of: /"AccessToken":"([^"]+)"/).map { String($0.1) }
        #expect(tokens.count == 6)
        let rules = TokenRules(
            issuer: fixture.pool.definition.issuer, audiences: [fixture.client], use: "access")
        for token in tokens {
            let claims = try rules.verify(token, keys: keys, at: fixture.clock.clock.now())
            #expect(claims["username"] == "ana")
        }
    }

    @Test("jwt routes take an issuer's tokens by a file of its keys, and see when it changes")
    func keyFile() throws {
        let fixture = try Fixture()
        try fixture.add("ana")
        let path = "\(fixture.folder.path)/keys.json"
        func write() throws {
            let set = try fixture.pool.keys.keySet(at: fixture.clock.clock.now())
            try FileSystem.replace(path, with: Array(set.serialized().utf8))
        }
        try write()
        let stack = Stack(json: [
            "lambdas": [:], "queues": [:],
            "security": [
                "jwt": [
                    "issuer": .string(fixture.pool.definition.issuer),
                    "audience": .string(fixture.client), "jwksFile": .string(path),
                ]
            ],
        ])
        var deployment = fixture.deployment
        deployment.stack = stack
        let words = Mutex<[String]>([])
        let tokens = try #require(
            TokenAuthorizer(deployment, pool: nil, clock: fixture.clock.clock) { word in
                words.withLock { $0.append(word) }
            })
        func claims(_ authorization: String, scopes: [String] = []) throws -> JSONObject {
            var request = HTTPRequest(method: "GET", target: "/")
            request.headers["Authorization"] = authorization
            return try tokens.claims(of: request, scopes: scopes)
        }
        let token = try fixture.token("ana")
        #expect(try claims("Bearer \(token)")["username"] == "ana")
        for other in ["", "Basic \(token)", "Bearer", "Bearer \(token) x"] {
            #expect(throws: TokenFailure.self) { try claims(other) }
        }
        #expect(try claims(token)["username"] == "ana")
        #expect(throws: TokenFailure.scope) { try claims(token, scopes: ["orders/read"]) }
        _ = try fixture.pool.keys.rotate(at: fixture.clock.clock.now())
        let next = try fixture.token("ana")
        #expect(throws: TokenFailure.unknownKey) { try claims(next) }
        try write()
        #expect(try claims(next)["username"] == "ana")
        #expect(words.withLock { $0.isEmpty })
        // A file that cannot be used is no reason to refuse: nobody can tell. It is said once.
        for _ in 0..<2 {
            try FileSystem.replace(path, with: Array("broken".utf8))
            for _ in 0..<3 {
                #expect { try claims(next) } throws: { error in
                    if case TokenFailure.badKeySet = error { true } else { false }
                }
            }
            try write()
            #expect(try claims(next)["username"] == "ana")
        }
        let said = words.withLock { $0 }
        #expect(said.count == 2 && said.allSatisfy { $0.contains(path) }, "\(said)")
    }
}
