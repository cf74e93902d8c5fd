import Access
import Crypto
import Foundation
import JSON
import Testing

/// Tokens that must be taken, and those that must not (Tests/Fixtures/tokens); claims as a table.
@Suite struct WebTokenTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var token: String
        /// The failure's name; `nil`: it is taken.
        var error: String?
    }

    static let fixture: JSONValue = {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures/tokens/cases.json")
        return (try? JSONValue.parse(Array(Data(contentsOf: file)))) ?? .null
    }()
    static let cases = (fixture["cases"]?.arrayValue ?? []).map { json in
        Case(
            testDescription: json["name"]?.stringValue ?? "",
            token: json["token"]?.stringValue ?? "", error: json["error"]?.stringValue)
    }

    static let now = Timestamp(milliseconds: 1_767_225_600_000 + 60_000)
    static let rules = TokenRules(issuer: "https://issuer.example", audiences: ["x", "orders"])

    @Test("the cases are there") func found() { #expect(Self.cases.count > 30) }

    @Test("a token is taken, or refused for its own reason", arguments: cases)
    func tokens(_ example: Case) throws {
        let keys = try TokenKeySet(json: Self.fixture)
        let result = Result { try Self.rules.verify(example.token, keys: keys, at: Self.now) }
        switch (result, example.error) {
        case (.success(let claims), nil): #expect(claims["sub"] == "ana")
        case (.failure(let error), let name?): #expect("\(error)".hasPrefix(name), "\(error)")
        default: Issue.record("\(result)")
        }
    }

    @Test("a token with any byte changed is not its issuer's")
    func everyByte() throws {
        let keys = try TokenKeySet(json: Self.fixture)
        let token = Array(try #require(Self.cases.first).token.utf8)
        for index in stride(from: 0, to: token.count, by: 3) {
            var changed = token
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : 65
            let text = String(decoding: changed, as: UTF8.self)
            #expect(throws: TokenFailure.self, "byte \(index)") {
                try Self.rules.verify(text, keys: keys, at: Self.now)
            }
        }
    }

    struct Claims: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var changes: [String: JSONValue?]
        var scopes: [String] = []
        var use: String?
        var error: TokenFailure?
    }

    static let seconds = now.milliseconds / 1000
    static let claimCases: [Claims] = [
        Claims(testDescription: "as they are", changes: [:]),
        Claims(testDescription: "another issuer", changes: ["iss": "evil"], error: .issuer),
        Claims(testDescription: "no issuer", changes: ["iss": .none], error: .issuer),
        Claims(
            testDescription: "an issuer in a list", changes: ["iss": ["https://issuer.example"]],
            error: .issuer),
        Claims(testDescription: "one audience of several", changes: ["aud": ["a", "orders"]]),
        Claims(testDescription: "another audience", changes: ["aud": "a"], error: .audience),
        Claims(testDescription: "no audience", changes: ["aud": .none], error: .audience),
        Claims(
            testDescription: "the client, without an audience",
            changes: ["aud": .none, "client_id": "orders"]),
        Claims(
            testDescription: "an audience comes before the client",
            changes: ["aud": "a", "client_id": "orders"], error: .audience),
        Claims(testDescription: "expires now", changes: ["exp": .int(seconds)], error: .expired),
        Claims(testDescription: "expires in a second", changes: ["exp": .int(seconds + 1)]),
        Claims(
            testDescription: "never expires", changes: ["exp": .none],
            error: .malformed("it never expires")),
        Claims(
            testDescription: "expires at nothing", changes: ["exp": .some(.null)],
            error: .malformed("its 'exp' is no number")),
        Claims(
            testDescription: "expires as a text", changes: ["exp": "9999999999"],
            error: .malformed("its 'exp' is no number")),
        Claims(
            testDescription: "expires beyond all numbers",
            changes: ["exp": .number(JSONNumber(text: "1e999"))],
            error: .malformed("its 'exp' is no number")),
        Claims(
            testDescription: "with a fraction", changes: ["exp": .double(Double(seconds) + 0.5)]),
        Claims(
            testDescription: "not before the next second", changes: ["nbf": .int(seconds + 1)],
            error: .notYetValid),
        Claims(
            testDescription: "made in the next second", changes: ["iat": .int(seconds + 1)],
            error: .notYetValid),
        Claims(testDescription: "no dates but its end", changes: ["iat": .none, "nbf": .none]),
        Claims(testDescription: "one of the scopes", changes: [:], scopes: ["x", "orders/read"]),
        Claims(testDescription: "no such scope", changes: [:], scopes: ["orders"], error: .scope),
        Claims(
            testDescription: "a scope that Unicode takes for the one",
            changes: ["scope": "caf\u{E9}"], scopes: ["cafe\u{301}"], error: .scope),
        Claims(
            testDescription: "scopes in a list",
            changes: ["scope": .none, "scp": ["orders/read"]], scopes: ["orders/read"]),
        Claims(testDescription: "its use", changes: ["token_use": "access"], use: "access"),
        Claims(
            testDescription: "another use", changes: ["token_use": "id"], use: "access",
            error: .use),
        Claims(testDescription: "no use", changes: [:], use: "access", error: .use),
    ]

    static let key = PrivateKey.makeRSA()

    @Test("claims", arguments: claimCases)
    func claims(_ example: Claims) throws {
        var claims: JSONObject = [
            "iss": "https://issuer.example", "aud": "orders", "sub": "ana",
            "iat": .int(Self.seconds), "nbf": .int(Self.seconds - 5),
            "exp": .int(Self.seconds + 3600), "scope": "orders/read orders/write",
        ]
        for (name, value) in example.changes { claims[name] = value }
        let keys = try TokenKeySet(json: [
            "keys": [
                [
                    "kid": "own", "kty": "RSA", "e": .string(Base64.encodeURL(Self.key.exponent)),
                    "n": .string(Base64.encodeURL(Self.key.modulus)),
                ]
            ]
        ])
        let token = WebToken.make(claims, keyID: "own", signedBy: Self.key)
        var rules = Self.rules
        rules.use = example.use
        let result = Result { () throws(TokenFailure) in
            try rules.verify(token, keys: keys, scopes: example.scopes, at: Self.now)
        }
        switch result {
        case .success: #expect(example.error == nil)
        case .failure(let error): #expect(error == example.error)
        }
    }

    @Test("a key set with two keys of one id, or of no keys, is none")
    func keySets() {
        let key = Self.fixture["keys"]?.arrayValue?.first ?? .null
        #expect(throws: TokenFailure.self) { try TokenKeySet(json: ["keys": [key, key]]) }
        #expect(throws: TokenFailure.self) { try TokenKeySet(json: [:]) }
        #expect(throws: TokenFailure.self) { try TokenKeySet(text: Array("{".utf8)) }
        #expect(throws: TokenFailure.self) {
            try TokenKeySet(text: [UInt8](repeating: 0x20, count: TokenKeySet.limitBytes + 1))
        }
    }

    @Test("ids that Unicode takes for the same are two")
    func exactIDs() throws {
        var key = try #require(Self.fixture["keys"]?.arrayValue?.first?.objectValue)
        var keys: [JSONValue] = []
        for id in ["\u{E9}", "e\u{301}"] {
            key["kid"] = .string(id)
            keys.append(.object(key))
        }
        #expect(try TokenKeySet(json: ["keys": .array(keys)]).identifiers.count == 2)
    }
}
