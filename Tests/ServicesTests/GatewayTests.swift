import FunctionModel
import HTTP
import JSON
import Testing

@testable import Services

/// Routes over HTTP, before functions that answer what a test wants.
@Suite struct GatewayTests {
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
        // Nobody waits for what begins after the route's time-out.
        let end = fixture.clock.clock.now() + .seconds(29)
        #expect(fixture.limits == [end])
        let event = try #require(fixture.events.first)
        #expect(event["httpMethod"] == "PUT")
        #expect(event["path"] == "/shops/caf%C3%A9/a/b")
        #expect(event["resource"] == "/shops/{shop}/{proxy+}")
        #expect(event["pathParameters"] == ["shop": "caf%C3%A9", "proxy": "a/b"])
        #expect(event["multiValueQueryStringParameters"] == ["x": ["1", "2"]])
        #expect(event["stageVariables"] == ["colour": "blue"])
        #expect(event["body"] == "text")
        let context = event["requestContext"]
        #expect(context?["identity"]?["sourceIp"] == "127.0.0.1")
        #expect(context?["requestId"]?.stringValue == answer.headers["x-amzn-RequestId"])
        #expect(context?["apiId"] == "shop")
    }

    @Test("slashes too many before the stage and behind it are passed over by a REST API")
    func slashes() throws {
        let routes: JSONValue = [
            "GET /orders": ["lambda": "F", "integration": "proxy"],
            "ANY /{proxy+}": ["lambda": "G", "integration": "proxy"],
        ]
        let fixture = try GatewayFixture(routes: routes)
        for (came, context) in [
            ("/prod//orders", "/prod//orders"), ("//prod/orders", "/prod/orders"),
            ("///prod///orders", "/prod///orders"),
        ] {
            #expect(try fixture.send("GET", came).status == 200, "\(came)")
            let event = try #require(fixture.events.last)
            #expect(event["resource"] == "/orders" && event["path"] == "/orders", "\(came)")
            #expect(event["requestContext"]?["path"] == .string(context))
            #expect(try fixture.send("POST", came).status == 403, "\(came)")
        }
        let http = try GatewayFixture(
            api: ["type": "http"], routes: ["GET /orders": ["lambda": "F"]])
        for path in ["/prod//orders", "//prod/orders"] {
            #expect(try http.send("GET", path).summary == "404 Not Found")
        }
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
        let requestID = try #require(answer.headers["Apigw-Requestid"])
        #expect(event["requestContext"]?["requestId"] == .string(requestID))
        #expect(requestID.count == 16 && requestID.hasSuffix("="))
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
}
