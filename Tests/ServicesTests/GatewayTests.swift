import Access
import FunctionModel
import HTTP
import JSON
import Posix
import StackModel
import Testing

@testable import Services

/// The gateway over HTTP, before functions that answer what a test wants.
@Suite struct GatewayTests {
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

    @Test("a stack that only watches, and one that does not ask")
    func modes() throws {
        let routes: JSONValue = ["POST /orders": ["lambda": "F", "authorization": "iam"]]
        for mode in [IAMMode.audit, .off] {
            let fixture = try GatewayFixture(routes: routes, mode: mode)
            #expect(try fixture.send("POST", "/prod/orders", body: Self.order).status == 200)
        }
    }

    @Test("where there is no route, and no stage")
    func unknown() throws {
        let fixture = try GatewayFixture(routes: ["POST /orders": ["lambda": "F"]])
        let missing = "403 MissingAuthenticationTokenException Missing Authentication Token"
        #expect(try fixture.send("GET", "/prod/orders").summary == missing)
        #expect(try fixture.send("POST", "/prod/order").summary == missing)
        for path in ["/orders", "/", "/prod2/orders", "/Prod/orders", "/pro%64/orders"] {
            #expect(
                try fixture.send("POST", path).summary == "403 ForbiddenException Forbidden",
                "\(path)")
        }
        let http = try GatewayFixture(
            api: ["type": "http"], routes: ["POST /orders": ["lambda": "F"]])
        for path in ["/prod/x", "/orders"] {
            let answer = try http.send("POST", path)
            #expect(answer.summary == "404 Not Found")
            #expect(answer.headers["Apigw-Requestid"] != nil)
        }
    }

    @Test("a proxy integration, event 1.0: there and back")
    func proxy() throws {
        let fixture = try GatewayFixture(
            api: ["stageVariables": ["colour": "blue"]],
            routes: ["ANY /shops/{shop}/{proxy+}": ["lambda": "F", "integration": "proxy"]]
        ) { _, _ in
            .result(
                #"""
                {"statusCode": 201, "body": "made", "headers": {"X-One": "1"},
                 "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}
                """#)
        }
        let answer = try fixture.send(
            "PUT", "/prod/shops/caf%C3%A9/a/b?x=1&x=2", ["X-Tag": "t", "Accept": "*/*"],
            body: Array("text".utf8))
        #expect(answer.status == 201)
        #expect(answer.text == "made")
        #expect(answer.headers["X-One"] == "1")
        #expect(answer.headers.all("set-cookie") == ["a=1", "b=2"])
        let event = try #require(fixture.events.first)
        #expect(event["httpMethod"] == "PUT")
        #expect(event["path"] == "/shops/caf%C3%A9/a/b")
        #expect(event["resource"] == "/shops/{shop}/{proxy+}")
        #expect(event["pathParameters"] == ["shop": "café", "proxy": "a/b"])
        #expect(event["multiValueQueryStringParameters"] == ["x": ["1", "2"]])
        #expect(event["stageVariables"] == ["colour": "blue"])
        #expect(event["body"] == "text")
        let context = event["requestContext"]
        #expect(context?["identity"]?["sourceIp"] == "127.0.0.1")
        #expect(context?["requestId"]?.stringValue == answer.headers["x-amzn-RequestId"])
        #expect(context?["apiId"] == "shop")
    }

    @Test("an HTTP API, event 2.0: there and back")
    func version2() throws {
        let fixture = try GatewayFixture(
            api: ["type": "http", "stage": "$default"],
            routes: ["GET /orders/{id}": ["lambda": "F"], "$default": ["lambda": "G"]]
        ) { name, event in
            name == "G"
                ? .result("\"\(event["rawPath"]?.stringValue ?? "")\"")
                : .result(#"{"id": 7}"#)
        }
        let answer = try fixture.send("GET", "/orders/7?a=1&a=2", ["Cookie": "k=v"])
        #expect(answer.status == 200)
        #expect(answer.text == #"{"id": 7}"#)
        #expect(answer.headers["Content-Type"] == "application/json")
        #expect(answer.headers["x-amzn-RequestId"] == nil)
        let event = try #require(fixture.events.first)
        #expect(event["version"] == "2.0")
        #expect(event["routeKey"] == "GET /orders/{id}")
        #expect(event["queryStringParameters"] == ["a": "1,2"])
        #expect(event["cookies"] == ["k=v"])
        #expect(try fixture.send("DELETE", "/orders/7").text == "/orders/7")
    }

    @Test("functions that fail, each in its way")
    func failures() throws {
        let routes: JSONValue = [
            "POST /proxy": ["lambda": "F", "integration": "proxy"],
            "POST /custom": [
                "lambda": "F",
                "responses": [["pattern": ".*no such order.*", "statusCode": 404]],
            ],
        ]
        let bad = "502 InternalServerErrorException Internal server error"
        let failed = "500 InternalServerErrorException Internal server error"
        let reported = InvocationFailure.reported(
            type: "KeyError",
            body: Array(#"{"errorMessage": "no such order: 7", "errorType": "KeyError"}"#.utf8))
        let cases: [(GatewayFixture.Answer, proxy: String, custom: String)] = [
            (.failure(reported), bad, "404"), (.failure(.timeout(seconds: 3)), bad, "200"),
            (.failure(.exit(reason: nil)), bad, "200"),
            (.result(#""text""#), bad, "200"), (.result("{}"), "200", "200"),
            (.error(.throttled(functionName: "F")), failed, failed),
            (.error(.cannotStart(functionName: "F", reason: "r")), failed, failed),
            (
                .error(.payloadTooLarge(bytes: 1)), "413 RequestTooLargeException Request Too Long",
                "413 RequestTooLargeException Request Too Long"
            ),
        ]
        for (answer, proxy, custom) in cases {
            let fixture = try GatewayFixture(routes: routes) { _, _ in answer }
            #expect(try fixture.send("POST", "/prod/proxy").summary == proxy, "\(answer)")
            #expect(try fixture.send("POST", "/prod/custom").summary == custom, "\(answer)")
        }
        let http = try GatewayFixture(
            api: ["type": "http"], routes: ["POST /proxy": ["lambda": "F"]]
        ) { _, _ in .failure(reported) }
        #expect(try http.send("POST", "/prod/proxy").summary == "500 Internal Server Error")
    }

    @Test("who takes too long is answered for")
    func timeout() throws {
        let routes: JSONValue = [
            "GET /slow": ["lambda": "F", "integration": "proxy", "timeout": 1]
        ]
        let fixture = try GatewayFixture(routes: routes) { _, _ in .nothing }
        #expect(
            try fixture.send("GET", "/prod/slow").summary
                == "504 InternalServerErrorException Endpoint request timed out")
        let activity = try #require(fixture.activities.seen.first)
        #expect((activity.integrationLatency ?? .zero) >= .seconds(1))
        let http = try GatewayFixture(
            api: ["type": "http"], routes: ["GET /slow": ["lambda": "F", "timeout": 1]]
        ) { _, _ in .nothing }
        #expect(try http.send("GET", "/prod/slow").summary == "503 Service Unavailable")
    }

    @Test("what does not fit the schema or lacks a parameter reaches no function")
    func validation() throws {
        let fixture = try GatewayFixture(
            routes: [
                "POST /orders": [
                    "lambda": "F", "contentTypes": ["application/json"],
                    "requestSchema": [
                        "type": "object", "required": ["order_id"],
                        "properties": ["order_id": ["type": "integer", "minimum": 1]],
                    ],
                ],
                "GET /orders/{id}": [
                    "lambda": "F",
                    "requiredParameters": ["querystring.page", "header.X-Client", "path.id"],
                ],
            ])
        func post(_ body: String, _ headers: HTTPHeaders = [:]) throws -> String {
            try fixture.send("POST", "/prod/orders", headers, body: Array(body.utf8)).summary
        }
        let invalid = "400 BadRequestException Invalid request body"
        #expect(try post(#"{"order_id": 1}"#) == "200")
        #expect(try post(#"{"order_id": 0}"#) == invalid)
        #expect(try post("order_id=1") == invalid)
        #expect(try post("") == invalid)
        #expect(
            try post(#"{"order_id": 1}"#, ["Content-Type": "text/xml"])
                == "415 BadRequestException Unsupported Media Type")
        func get(_ target: String, _ headers: HTTPHeaders = [:]) throws -> String {
            try fixture.send("GET", target, headers).summary
        }
        let missing = "400 BadRequestException Missing required request parameters: "
        #expect(try get("/prod/orders/1") == missing + "[X-Client, page]")
        #expect(try get("/prod/orders/1?page=", ["X-Client": "c"]) == missing + "[page]")
        #expect(try get("/prod/orders/1?page=2", ["x-client": "c"]) == "200")
        #expect(fixture.events.count == 2)
    }

    @Test("a stage and a route let so many through")
    func throttling() throws {
        let fixture = try GatewayFixture(
            api: ["throttle": ["rate": 1, "burst": 5]],
            routes: [
                "GET /a": ["lambda": "F", "throttle": ["rate": 1, "burst": 2]],
                "GET /b": ["lambda": "F"],
            ])
        func statuses(_ path: String, _ count: Int) throws -> [Int] {
            try (0..<count).map { _ in try fixture.send("GET", path).status }
        }
        #expect(try statuses("/prod/a", 4) == [200, 200, 429, 429])
        #expect(try statuses("/prod/b", 4) == [200, 200, 200, 429])
        #expect(
            try fixture.send("GET", "/prod/b").summary
                == "429 TooManyRequestsException Too Many Requests")
        fixture.clock.step(.seconds(1))
        #expect(try statuses("/prod/a", 2) == [200, 429])
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
                == ["sub": "user-1", "scope": "orders/read", "exp": "12"])
        let http = try GatewayFixture(
            api: ["type": "http"], routes: ["GET /a": ["lambda": "F", "authorization": "jwt"]])
        #expect(try get(http, "scopeless") == "403 Forbidden")
        let nobody = try GatewayFixture(routes: routes, hasTokens: false)
        #expect(try get(nobody, "good").hasPrefix("500 "))
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

    @Test("ten megabytes, and no more")
    func large() throws {
        let fixture = try GatewayFixture(
            api: ["binaryMediaTypes": ["application/octet-stream"]],
            routes: ["POST /a": ["lambda": "F", "integration": "proxy"]])
        let limit = Gateway.httpLimits.bodyBytes
        func post(_ bytes: Int) throws -> HTTPResponse {
            try fixture.send(
                "POST", "/prod/a", ["Content-Type": "application/octet-stream"],
                body: [UInt8](repeating: 0xFF, count: bytes))
        }
        #expect(try post(limit).status == 200)
        #expect(
            fixture.events.first?["body"]?.stringValue?.utf8.count == (limit + 2) / 3 * 4)
        #expect(
            try post(limit + 1).summary == "413 RequestTooLargeException Request Too Long")
    }

    @Test("bytes for who asks for them")
    func binary() throws {
        let fixture = try GatewayFixture(
            api: ["binaryMediaTypes": ["image/*"]],
            routes: ["GET /a": ["lambda": "F", "integration": "proxy"]]
        ) { _, _ in
            .result(
                #"{"body": "/wD+", "isBase64Encoded": true, "headers": {"Content-Type": "image/png"}}"#
            )
        }
        #expect(try fixture.send("GET", "/prod/a", ["Accept": "image/png"]).body == [255, 0, 254])
        #expect(try fixture.send("GET", "/prod/a", ["Accept": "text/html"]).text == "/wD+")
    }

    @Test("every answer is told of, with its route")
    func activities() throws {
        let fixture = try GatewayFixture(
            routes: ["ANY /orders/{id}": ["lambda": "F", "integration": "proxy"]])
        _ = try fixture.send("GET", "/prod/orders/1")
        _ = try fixture.send("GET", "/prod/nothing")
        let seen = fixture.activities.seen
        #expect(seen.map(\.status) == [200, 403])
        #expect(seen.map(\.resource) == ["/orders/{id}", nil])
        #expect(seen.map(\.method) == ["ANY", nil])
        #expect(seen.first?.integrationLatency != nil)
        #expect(seen.last?.integrationLatency == nil)
    }

    @Test("a client that leaves disturbs nobody")
    func gone() throws {
        let fixture = try GatewayFixture(
            routes: ["GET /slow": ["lambda": "F", "timeout": 1], "GET /fast": ["lambda": "G"]]
        ) { name, _ in name == "Orders" ? .nothing : .result("{}") }
        do {
            let socket = try Sockets.connect(host: "127.0.0.1", port: fixture.client.port)
            let request = Array("GET /prod/slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
            let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
            while SystemClock.monotonicNanoseconds() < deadline {
                let sent = request.withUnsafeBytes { Sockets.write(socket, $0) }
                if sent == .bytes(request.count) { break }
            }
            while fixture.events.isEmpty, SystemClock.monotonicNanoseconds() < deadline {
                SystemClock.pause(microseconds: 500)
            }
        }
        #expect(try fixture.send("GET", "/prod/fast").status == 200)
        let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
        while fixture.activities.seen.count < 2, SystemClock.monotonicNanoseconds() < deadline {
            SystemClock.pause(microseconds: 1000)
        }
        #expect(fixture.activities.seen.map(\.status).sorted() == [200, 504])
    }

    @Test("many at once: each gets its own answer")
    func concurrent() async throws {
        let fixture = try GatewayFixture(
            routes: ["POST /echo": ["lambda": "F", "integration": "proxy"]]
        ) { _, event in
            .result(JSONValue.object(["body": event["body"] ?? nil]).serialized())
        }
        let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask {
                    let answer = try fixture.send(
                        "POST", "/prod/echo", body: Array("\(number)".utf8))
                    return answer.text == "\(number)"
                }
            }
            return try await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(answers.count == 64 && answers.allSatisfy { $0 })
    }
}
