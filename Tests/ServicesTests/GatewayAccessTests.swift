import Access
import HTTP
import JSON
import StackModel
import Testing

@testable import Services

/// Who may call a route over HTTP: signatures, keys, tokens, pages of other origins.
@Suite struct GatewayAccessTests {
    static let order = Array(#"{"order_id":1,"order_details":"x"}"#.utf8)

    @Test("the lab's step: a signed order is the function's event, its whole result the answer")
    func lab() throws {
        let result = #"{"statusCode": 200, "body": "\"Pedido creado exitosamente\""}"#
        let fixture = try GatewayFixture(
            routes: ["POST /orders": ["lambda": "F", "authorization": "iam"]]
        ) { name, event in
            #expect(name == "Orders")
            #expect(event == ["order_id": 1, "order_details": "x"])
            return .result(result)
        }
        let key = try fixture.key("developer")
        let answer = try fixture.send("POST", "/prod/orders", body: Self.order, signedBy: key)
        #expect(answer.status == 200)
        #expect(answer.text == result)
        #expect(answer.headers["Content-Type"] == "application/json")
        #expect(answer.headers["x-amzn-RequestId"]?.count == 36)
        #expect(answer.headers["x-amz-apigw-id"] != nil)
        #expect(answer.headers["X-Amzn-Trace-Id"]?.hasPrefix("Root=1-") == true)
        let unsigned = try fixture.send("POST", "/prod/orders", body: Self.order)
        #expect(
            unsigned.summary
                == "403 MissingAuthenticationTokenException Missing Authentication Token")
        #expect(fixture.events.count == 1)
    }

    @Test("who signed is told by the id that STS tells, too, not by the key")
    func identity() throws {
        let fixture = try GatewayFixture(routes: [
            "POST /orders": ["lambda": "F", "authorization": "iam", "integration": "proxy"]
        ])
        for owner in ["developer", "Orders"] {
            let key = try fixture.key(owner)
            #expect(try fixture.send("POST", "/prod/orders", signedBy: key).status == 200)
            let identity = fixture.events.last?["requestContext"]?["identity"]
            let arn = try #require(identity?["userArn"]?.stringValue)
            let id = JSONValue.string(Principal.uniqueID(ofARN: arn))
            #expect(identity?["user"] == id && identity?["caller"] == id, "\(owner)")
            #expect(identity?["accessKey"] == .string(key.id))
        }
    }

    @Test("signatures that do not hold, and keys that may not")
    func signatures() throws {
        let fixture = try GatewayFixture(
            routes: [
                "POST /orders": ["lambda": "F", "authorization": "iam"],
                "POST /payments": ["lambda": "F", "authorization": "iam"],
            ])
        func summary(
            _ key: AccessKey, service: String = "execute-api", path: String = "/prod/orders"
        ) throws -> String {
            try fixture.send("POST", path, body: Self.order, signedBy: key, service: service)
                .summary
        }
        var key = try fixture.key("developer")
        #expect(try summary(key, service: "sqs").hasPrefix("403 InvalidSignatureException Cred"))
        key.secret += "x"
        #expect(try summary(key).hasPrefix("403 InvalidSignatureException The request signature"))
        key.id = "AKIAUNKNOWN"
        #expect(
            try summary(key)
                == "403 UnrecognizedClientException "
                + "The security token included in the request is invalid.")
        let bearer = try fixture.send("POST", "/prod/orders", ["Authorization": "Bearer x"])
        #expect(bearer.summary.hasPrefix("403 IncompleteSignatureException"))
        #expect(try summary(try fixture.key("Orders")) == "200")
        let denied = try fixture.send(
            "POST", "/prod/payments", body: Self.order, signedBy: try fixture.key("Orders"))
        #expect(denied.headers["x-amzn-ErrorType"] == "AccessDeniedException")
        let message = denied.json?["Message"]?.stringValue ?? ""
        #expect(message.contains("is not authorized to perform: execute-api:"))
        #expect(
            message.contains(
                "arn:aws:execute-api:us-east-1:********9012:shop/prod/POST/payments"))
        #expect(try summary(try fixture.key("G")).hasPrefix("403 AccessDeniedException"))
        #expect(fixture.events.count == 1)
    }

    @Test("no spelling of a path leads around a policy")
    func spelling() throws {
        let fixture = try GatewayFixture(
            routes: [
                "POST /orders": ["lambda": "F", "authorization": "iam"],
                "POST /payments": ["lambda": "F", "authorization": "iam"],
            ],
            policies: [
                ["Effect": "Allow", "Action": "*", "Resource": "*"],
                ["Effect": "Deny", "Action": "*", "Resource": "arn:aws:execute-api:*/payments"],
            ])
        let key = try fixture.key("Orders")
        func status(_ path: String) throws -> Int {
            try fixture.send("POST", path, body: Self.order, signedBy: key).status
        }
        #expect(try status("/prod/%6frders") == 200)
        for path in [
            "/prod/payments", "/prod/%70ayments", "/prod/payments/", "/prod//payments",
            "//prod/payments",
        ] {
            #expect(try status(path) == 403, "\(path)")
        }
        #expect(fixture.events.count == 1)
    }

    @Test("each spelling that takes a route is judged as that route's path")
    func judgedSpelling() throws {
        let fixture = try GatewayFixture(
            routes: [
                "GET /payments": ["lambda": "F", "authorization": "iam", "integration": "proxy"],
                "GET /{proxy+}": ["lambda": "G", "authorization": "iam", "integration": "proxy"],
            ], mode: .audit)
        let spellings = [
            "/prod/payments", "/prod/%70ayments", "/prod/payments/", "/prod//payments",
            "//prod/payments", "//prod///%70ayments//",
        ]
        for path in spellings { #expect(try fixture.send("GET", path).status == 200) }
        #expect(fixture.events.allSatisfy { $0["resource"] == "/payments" })
        let judged = Set(fixture.activities.refused.map(\.request.resource))
        #expect(judged == ["arn:aws:execute-api:us-east-1:123456789012:shop/prod/GET/payments"])
    }

    @Test("a greedy route's empty rest is one that a policy's * names")
    func emptyRest() throws {
        let fixture = try GatewayFixture(
            api: ["type": "http"],
            routes: ["GET /files/{proxy+}": ["lambda": "F", "authorization": "iam"]],
            policies: [
                ["Effect": "Allow", "Action": "*", "Resource": "*"],
                ["Effect": "Deny", "Action": "*", "Resource": "arn:aws:execute-api:*/files/*"],
            ])
        let denied = try fixture.key("Orders")
        #expect(try fixture.send("GET", "/prod/files/", signedBy: denied).status == 403)
        let allowed = try fixture.key("developer")
        #expect(try fixture.send("GET", "/prod/files/", signedBy: allowed).status == 200)
        #expect(fixture.events.map { $0["pathParameters"] } == [["proxy": ""]])
    }

    @Test("a signature is good for one path: another that is signed alike is refused")
    func paths() throws {
        let fixture = try GatewayFixture(
            routes: [
                "POST /orders": ["lambda": "F", "authorization": "iam"],
                "POST /{proxy+}": ["lambda": "F", "authorization": "iam"],
            ])
        let key = try fixture.key("developer")
        #expect(try fixture.send("POST", "/prod/orders", signedBy: key).status == 200)
        for path in [
            "/prod//orders", "//prod/orders", "/prod/public/../orders", "/prod/./orders",
        ] {
            #expect(
                try fixture.send("POST", path, signedBy: key).summary
                    .hasPrefix("403 InvalidSignatureException The request signature"), "\(path)")
        }
        #expect(fixture.events.count == 1)
    }

    @Test("a slash too many is one to policies, too")
    func slashes() throws {
        let fixture = try GatewayFixture(
            routes: [
                "GET /{proxy+}": ["lambda": "F", "authorization": "iam", "integration": "proxy"]
            ], mode: .audit)
        for path in ["/prod/orders/1", "/prod//orders//1"] {
            #expect(try fixture.send("GET", path).status == 200)
        }
        let asked = fixture.events.map { $0["pathParameters"]?["proxy"]?.stringValue }
        #expect(asked == ["orders/1", "orders//1"])
        let judged = fixture.activities.refused.map(\.request.resource)
        let api = "arn:aws:execute-api:us-east-1:123456789012:shop/prod/GET/"
        #expect(judged == ["\(api)orders/1", "\(api)orders//1"])
    }

    @Test("a stack that only watches, and one that does not ask")
    func modes() throws {
        let routes: JSONValue = ["POST /orders": ["lambda": "F", "authorization": "iam"]]
        for mode in [IAMMode.audit, .off] {
            let fixture = try GatewayFixture(routes: routes, mode: mode)
            #expect(try fixture.send("POST", "/prod/orders", body: Self.order).status == 200)
        }
    }

    @Test("API keys: who has one, whose plan allows how much, over restarts")
    func keys() throws {
        let api: JSONValue = [
            "keys": ["mobile": [:], "web": [:], "old": ["enabled": false], "alone": [:]],
            "usagePlans": [
                "basic": [
                    "keys": ["mobile", "old"], "quota": ["limit": 3, "period": "DAY"],
                ], "fast": ["keys": ["web"], "throttle": ["rate": 1, "burst": 1]],
            ],
        ]
        let routes: JSONValue = [
            "GET /a": ["lambda": "F", "authorization": "apiKey", "integration": "proxy"],
            "GET /b": ["lambda": "F", "authorization": "iam", "apiKeyRequired": true],
        ]
        let fixture = try GatewayFixture(api: api, routes: routes)
        func get(_ key: String?, _ fixture: GatewayFixture, path: String = "/prod/a") throws
            -> String
        {
            try fixture.send("GET", path, key.map { ["x-api-key": $0] } ?? [:]).summary
        }
        let forbidden = "403 ForbiddenException Forbidden"
        #expect(try get(nil, fixture) == forbidden)
        #expect(try get("guess", fixture) == forbidden)
        #expect(try get(try fixture.apiKey("old"), fixture) == forbidden)
        #expect(try get(try fixture.apiKey("alone"), fixture) == forbidden)
        let mobile = try fixture.apiKey("mobile")
        #expect(mobile.count == 40)
        #expect(try get(mobile, fixture) == "200")
        #expect(fixture.events.first?["requestContext"]?["identity"]?["apiKeyId"] == "mobile")
        #expect(try get(mobile, fixture) == "200")
        let web = try fixture.apiKey("web")
        #expect(try get(web, fixture) == "200")
        #expect(
            try get(web, fixture) == "429 TooManyRequestsException Too Many Requests")
        #expect(
            try get(mobile, fixture, path: "/prod/b")
                == "403 MissingAuthenticationTokenException Missing Authentication Token")
        try fixture.usage.save()
        let next = try GatewayFixture(api: api, routes: routes, in: fixture.folder)
        #expect(try get(mobile, next) == "200")
        #expect(try get(mobile, next) == "429 LimitExceededException Limit Exceeded")
        next.clock.step(.seconds(86_400))
        #expect(try get(mobile, next) == "200")
    }

    @Test("tokens, as the route's issuer judges them")
    func tokens() throws {
        let routes: JSONValue = [
            "GET /a": [
                "lambda": "F", "integration": "proxy", "authorization": "jwt",
                "scopes": ["orders/read"],
            ]
        ]
        let fixture = try GatewayFixture(routes: routes)
        func get(_ fixture: GatewayFixture, _ token: String?) throws -> String {
            try fixture.send("GET", "/prod/a", token.map { ["Authorization": $0] } ?? [:]).summary
        }
        let unauthorized = "401 UnauthorizedException Unauthorized"
        #expect(try get(fixture, nil) == unauthorized)
        #expect(try get(fixture, "bad") == unauthorized)
        #expect(
            try get(fixture, "expired")
                == "401 UnauthorizedException The incoming token has expired")
        #expect(try get(fixture, "scopeless") == unauthorized)
        #expect(try get(fixture, "good") == "200")
        #expect(
            fixture.events.first?["requestContext"]?["authorizer"]?["claims"]
                == [
                    "sub": "user-1", "scope": "orders/read",
                    "exp": "Thu Jan 01 00:00:12 UTC 1970",
                ])
        let http = try GatewayFixture(
            api: ["type": "http"], routes: ["GET /a": ["lambda": "F", "authorization": "jwt"]])
        #expect(try get(http, "scopeless") == "403 Forbidden")
        let nobody = try GatewayFixture(routes: routes, hasTokens: false)
        #expect(try get(nobody, "good").hasPrefix("500 "))
    }

    struct Preflight: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var type = "http"
        /// Those of which a page may know.
        var open: [String]
        var closed: [String] = []
        var asked: String
        /// `nil`: the gateway answers nothing.
        var allowed: String?
        var status = 204
    }

    @Test(
        "a preflight is answered for the route that the real request would take",
        arguments: [
            Preflight(
                testDescription: "a route that is closed beside one for any method", type: "rest",
                open: ["ANY /orders"], closed: ["DELETE /orders"], asked: "DELETE /orders"),
            Preflight(
                testDescription: "the methods beside a route that is closed", type: "rest",
                open: ["ANY /orders"], closed: ["DELETE /orders"], asked: "PUT /orders",
                allowed: "GET,HEAD,OPTIONS,PATCH,POST,PUT"),
            Preflight(
                testDescription: "a method that has no route", type: "rest",
                open: ["GET /orders", "POST /orders"], asked: "DELETE /orders",
                allowed: "GET,OPTIONS,POST"),
            Preflight(
                testDescription: "nothing but what is closed", type: "rest", open: ["GET /a"],
                closed: ["GET /orders"], asked: "GET /orders", status: 403),
            Preflight(
                testDescription: "$default", open: ["$default"], asked: "PUT /a/b",
                allowed: "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"),
            Preflight(
                testDescription: "$default beside a closed route", open: ["$default"],
                closed: ["PUT /a"], asked: "GET /a",
                allowed: "DELETE,GET,HEAD,OPTIONS,PATCH,POST"),
            Preflight(
                testDescription: "routes of several paths",
                open: ["GET /a/{id}", "PUT /{proxy+}"], asked: "PUT /a/1",
                allowed: "GET,OPTIONS,PUT"),
            Preflight(
                testDescription: "a greedy route for OPTIONS",
                open: ["GET /a/{id}", "OPTIONS /{proxy+}"], asked: "GET /a/1",
                allowed: "GET,OPTIONS", status: 200),
            Preflight(
                testDescription: "a route for OPTIONS that is closed", open: ["GET /a"],
                closed: ["OPTIONS /a"], asked: "GET /a", status: 200),
            Preflight(
                testDescription: "a route for OPTIONS of a REST API", type: "rest",
                open: ["GET /a", "OPTIONS /a"], asked: "GET /a", status: 200),
        ])
    func preflights(_ example: Preflight) throws {
        let routes =
            example.open.map { (key: $0, value: JSONValue.object(["lambda": "F"])) }
            + example.closed.map { (key: $0, value: ["lambda": "F", "cors": false]) }
        let fixture = try GatewayFixture(
            api: ["type": .string(example.type), "cors": true], routes: .object(JSONObject(routes)))
        let words = example.asked.split(separator: " ")
        let answer = try fixture.send(
            "OPTIONS", "/prod\(words[1])",
            ["Origin": "https://a", "Access-Control-Request-Method": String(words[0])])
        #expect(answer.status == example.status)
        #expect(answer.headers["Access-Control-Allow-Methods"] == example.allowed)
        let isAllowed = example.allowed != nil
        #expect((answer.headers["Access-Control-Allow-Origin"] == "*") == isAllowed)
    }

    @Test(
        "a preflight that an HTTP API's guarded route takes is refused, as on AWS",
        arguments: [("ANY /user", "OPTIONS /user"), ("$default", "OPTIONS /{proxy+}")])
    func guardedPreflight(_ key: String, _ added: String) throws {
        let guarded: JSONValue = ["lambda": "F", "authorization": "jwt"]
        let preflight: HTTPHeaders = [
            "Origin": "https://shop.example", "Access-Control-Request-Method": "GET",
        ]
        let api: JSONValue = ["type": "http", "cors": ["origins": ["https://shop.example"]]]
        let fixture = try GatewayFixture(api: api, routes: [key: guarded])
        let refused = try fixture.send("OPTIONS", "/prod/user", preflight)
        #expect(refused.summary == "401 Unauthorized")
        // What people add on AWS. What its function says of CORS is no matter.
        let mended = try GatewayFixture(
            api: api, routes: [key: guarded, added: ["lambda": "G"]]
        ) { _, _ in
            .result(#"{"statusCode": 204, "headers": {"Access-Control-Allow-Origin": "*"}}"#)
        }
        let answer = try mended.send("OPTIONS", "/prod/user", preflight)
        #expect(answer.status == 204)
        let origins = answer.headers.fields.filter { $0.name.hasSuffix("Allow-Origin") }
        #expect(origins.map(\.value) == ["https://shop.example"])
        #expect(answer.headers["Access-Control-Allow-Methods"]?.contains("GET") == true)
        #expect(answer.headers["Vary"] == "Origin")
        #expect(mended.events.count == 1)
        let named = try GatewayFixture(api: api, routes: ["GET /user": guarded])
        #expect(try named.send("OPTIONS", "/prod/user", preflight).status == 204)
    }

    @Test("pages of other origins: a preflight, an answer, and an error")
    func cors() throws {
        let fixture = try GatewayFixture(
            api: ["cors": true],
            routes: [
                "POST /orders": ["lambda": "F", "authorization": "iam"],
                "GET /orders": [
                    "lambda": "F",
                    "cors": ["origins": ["https://shop.example"], "credentials": true],
                ], "GET /closed": ["lambda": "F", "cors": false],
            ])
        func preflight(_ path: String, _ method: String, _ origin: String) throws -> HTTPResponse {
            try fixture.send(
                "OPTIONS", path,
                ["Origin": origin, "Access-Control-Request-Method": method])
        }
        let post = try preflight("/prod/orders", "POST", "https://any.example")
        #expect(post.status == 204)
        #expect(post.headers["Access-Control-Allow-Origin"] == "*")
        #expect(post.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS,POST")
        let get = try preflight("/prod/orders", "GET", "https://shop.example")
        #expect(get.headers["Access-Control-Allow-Origin"] == "https://shop.example")
        #expect(get.headers["Access-Control-Allow-Credentials"] == "true")
        let foreign = try preflight("/prod/orders", "GET", "https://evil.example")
        #expect(foreign.status == 204)
        #expect(foreign.headers["Access-Control-Allow-Origin"] == nil)
        #expect(try preflight("/prod/closed", "GET", "https://any.example").status == 403)
        let refused = try fixture.send("POST", "/prod/orders", ["Origin": "https://any.example"])
        #expect(refused.status == 403)
        #expect(refused.headers["Access-Control-Allow-Origin"] == "*")
        let plain = try fixture.send("GET", "/prod/orders", ["Origin": "https://evil.example"])
        #expect(plain.status == 200)
        #expect(plain.headers["Access-Control-Allow-Origin"] == nil)
        #expect(fixture.events.count == 1, "no preflight reaches a function")
    }

    @Test("a REST API tells whoever asks by hand, without an origin; an HTTP API does not")
    func byHand() throws {
        let routes: JSONValue = [
            "POST /orders": ["lambda": "F"], "ANY /any": ["lambda": "F", "authorization": "iam"],
            "GET /shop": ["lambda": "F", "cors": ["origins": ["https://shop.example"]]],
            "GET /own": ["lambda": "F"], "OPTIONS /own": ["lambda": "F"],
            "GET /closed": ["lambda": "F", "cors": false],
        ]
        let fixture = try GatewayFixture(api: ["cors": true], routes: routes)
        let every = "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"
        for (path, status, origin, methods) in [
            ("orders", 204, "*", "OPTIONS,POST"), ("any", 204, "*", every),
            ("shop", 204, "https://shop.example", "GET,OPTIONS"), ("own", 200, nil, nil),
            ("closed", 403, nil, nil), ("none", 403, nil, nil),
        ] as [(String, Int, String?, String?)] {
            let answer = try fixture.send("OPTIONS", "/prod/\(path)")
            #expect(answer.status == status, "\(path)")
            #expect(answer.headers["Access-Control-Allow-Methods"] == methods, "\(path)")
            guard methods != nil else { continue }
            let origins = answer.headers.fields.filter { $0.name.hasSuffix("Allow-Origin") }
            #expect(origins.map(\.value) == [origin], "\(path)")
        }
        #expect(fixture.events.count == 1)
        let http = try GatewayFixture(
            api: ["type": "http", "cors": true], routes: ["POST /orders": ["lambda": "F"]])
        #expect(try http.send("OPTIONS", "/prod/orders").status == 404)
    }
}
