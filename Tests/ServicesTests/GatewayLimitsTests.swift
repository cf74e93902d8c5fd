import HTTP
import JSON
import Posix
import StackModel
import TestSupport
import Testing

@testable import Services

/// What a route refuses, bounds and leaves behind, over HTTP.
@Suite struct GatewayLimitsTests {
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

    @Test("a request counts from the moment it comes, not only once it has a thread")
    func unanswered() throws {
        let fixture = try GatewayFixture(routes: ["GET /a": ["lambda": "F"]])
        #expect(fixture.gateway.waitForAnswers(upTo: .zero))
        let mayGoOn = ThreadCondition(false)
        for _ in 0..<GatewayFixture.threads {
            fixture.pool.execute { mayGoOn.wait { $0 ? () : nil } }
        }
        let status = ThreadCondition<Int?>(nil)
        let client = try Thread(name: "client") {
            let answer = try? fixture.send("GET", "/prod/a")
            status.withLock { $0 = answer?.status ?? 0 }
            status.signal()
        }
        #expect(eventually { !fixture.gateway.waitForAnswers(upTo: .zero) })
        mayGoOn.withLock { $0 = true }
        mayGoOn.signal()
        #expect(status.wait(upTo: .seconds(30)) { $0 } == 200)
        client.join()
        #expect(fixture.gateway.waitForAnswers(upTo: .seconds(10)))
    }

    @Test("no function of an old deployment ends before its last callers are gone")
    func lastCallers() throws {
        let host = try HostFixture("retire")
        try CredentialStore(stateDirectory: host.folder.path).ensure(["developer"])
        let runtime = try StackRuntime(
            Deployment(
                stateDirectory: host.folder.path,
                stack: Stack(json: ["name": "shop", "lambdas": [:], "queues": [:]]), code: [:],
                deployedAt: Timestamp(milliseconds: 0), removing: []), on: host.host)
        var asked = 0
        runtime.retire(
            upTo: .seconds(60),
            hasNoCallers: { _ in
                asked += 1
                return asked == 3
            })
        #expect(asked == 3)
    }

    @Test("a body that is too large is refused as any other is", arguments: ["rest", "http"])
    func tooLarge(_ type: String) throws {
        let fixture = try GatewayFixture(
            api: ["type": .string(type), "cors": true], routes: ["POST /a": ["lambda": "F"]])
        let client = try RawClient(port: fixture.client.port)
        client.send(
            """
            POST /prod/a HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://shop.example\r
            Content-Length: 11000000\r\n\r\n
            """)
        let answer = client.read(until: "\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
        #expect(answer.contains("Access-Control-Allow-Origin: *\r\n"), "\(answer)")
        #expect(answer.contains(type == "rest" ? "x-amz-apigw-id: " : "Apigw-Requestid: "))
        let activity = try #require(fixture.activities.seen.first)
        #expect(activity.status == 413 && activity.method == nil)
        #expect(fixture.activities.seen.count == 1)
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
                "POST /any": ["lambda": "F", "requestSchema": ["required": ["order_id"]]],
                "GET /orders/{id}": [
                    "lambda": "F",
                    "requiredParameters": ["querystring.page", "header.X-Client", "path.id"],
                ],
            ])
        func post(
            _ body: String, _ headers: HTTPHeaders = [:], to path: String = "/prod/orders"
        ) throws -> String {
            try fixture.send("POST", path, headers, body: Array(body.utf8)).summary
        }
        let invalid = "400 BadRequestException Invalid request body"
        #expect(try post(#"{"order_id": 1}"#) == "200")
        #expect(try post(#"{"order_id": 0}"#) == invalid)
        #expect(try post("order_id=1") == invalid)
        #expect(try post("") == invalid)
        #expect(
            try post(#"{"order_id": 1}"#, ["Content-Type": "text/xml"])
                == "415 BadRequestException Unsupported Media Type")
        for (type, answer) in [
            ("application/json", invalid), ("Application/JSON; charset=utf-8", invalid),
            ("text/plain", "200"), ("application/x-www-form-urlencoded", "200"),
        ] {
            #expect(try post("{}", ["Content-Type": type], to: "/prod/any") == answer, "\(type)")
        }
        func get(_ target: String, _ headers: HTTPHeaders = [:]) throws -> String {
            try fixture.send("GET", target, headers).summary
        }
        let missing = "400 BadRequestException Missing required request parameters: "
        #expect(try get("/prod/orders/1") == missing + "[X-Client, page]")
        #expect(try get("/prod/orders/1?page=", ["X-Client": "c"]) == missing + "[page]")
        #expect(try get("/prod/orders/%20?page=2", ["X-Client": "c"]) == missing + "[id]")
        #expect(try get("/prod/orders/1?page=2", ["x-client": "c"]) == "200")
        #expect(fixture.events.count == 4)
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
        for path in ["/prod//a", "//prod/a", "/prod/%61", "/prod/a/"] {
            #expect(try statuses(path, 1) == [429], "\(path)")
        }
        #expect(try statuses("/prod/b", 4) == [200, 200, 200, 429])
        #expect(
            try fixture.send("GET", "/prod/b").summary
                == "429 TooManyRequestsException Too Many Requests")
        fixture.clock.step(.seconds(1))
        #expect(try statuses("/prod/a", 2) == [200, 429])
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
        let refused = try post(limit + 1)
        #expect(refused.summary == "413 RequestTooLargeException Request Too Long")
        #expect(refused.headers["x-amzn-RequestId"]?.count == 36)
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
