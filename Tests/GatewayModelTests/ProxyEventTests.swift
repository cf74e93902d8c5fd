import GatewayModel
import JSON
import Testing

@Suite struct ProxyEventTests {
    static func context(_ kind: APIKind = .rest, binary: [String] = []) -> EventContext {
        EventContext(
            kind: kind, accountID: "123456789012", apiID: "shop", stage: "prod",
            stageVariables: [:], routeKey: "POST /orders/{id}", resourcePath: "/orders/{id}",
            variables: ["id": "a b"], binaryMediaTypes: binary)
    }

    static func request(
        _ path: String = "/prod/orders/a%20b", query: String = "", body: String = "",
        headers: [GatewayHeader] = []
    ) -> GatewayRequest {
        GatewayRequest(
            method: "POST", path: path, query: query,
            headers: [GatewayHeader("Host", "127.0.0.1:8080")] + headers, body: Array(body.utf8),
            sourceIP: "127.0.0.1", localPort: 8080,
            received: Timestamp(milliseconds: 1_764_057_600_123),
            requestID: "11111111-2222-3333-4444-555555555555", traceID: "Root=1-2-3")
    }

    @Test("format 1.0: what is empty is null")
    func version1Empty() throws {
        var context = Self.context()
        context.variables = [:]
        let event = ProxyEvent.version1(Self.request(), context, GatewayCaller())
        for key in [
            "queryStringParameters", "multiValueQueryStringParameters", "pathParameters",
            "stageVariables", "body",
        ] {
            #expect(event[key] == .null, "\(key)")
        }
        #expect(event["isBase64Encoded"] == false)
        #expect(event["version"] == nil)
        #expect(event["path"] == "/orders/a%20b")
        #expect(event["resource"] == "/orders/{id}")
        #expect(event["requestContext"]?["authorizer"] == nil)
    }

    @Test("format 1.0: names that stand twice")
    func version1Multiple() {
        let event = ProxyEvent.version1(
            Self.request(
                query: "a=1&b=%26+x&a=2&c", body: "{}",
                headers: [
                    GatewayHeader("X-Tag", "one"), GatewayHeader("X-Tag", "two"),
                    GatewayHeader("Content-Length", "2"),
                ]), Self.context(), GatewayCaller())
        #expect(event["queryStringParameters"] == ["a": "2", "b": "& x", "c": ""])
        #expect(
            event["multiValueQueryStringParameters"] == ["a": ["1", "2"], "b": ["& x"], "c": [""]])
        #expect(event["headers"]?["X-Tag"] == "two")
        #expect(event["multiValueHeaders"]?["X-Tag"] == ["one", "two"])
        #expect(event["headers"]?["Content-Length"] == nil)
        #expect(event["headers"]?["X-Forwarded-For"] == "127.0.0.1")
        #expect(event["headers"]?["X-Forwarded-Port"] == "8080")
        #expect(event["pathParameters"] == ["id": "a b"])
        #expect(event["body"] == "{}")
    }

    @Test("format 1.0: names keep their case, but for a REST API's Authorization")
    func headerCase() {
        let request = Self.request(
            headers: [GatewayHeader("aUThorization", "t"), GatewayHeader("tEsT-Header", "v")])
        for (kind, name) in [(APIKind.rest, "Authorization"), (.http, "aUThorization")] {
            let event = ProxyEvent.version1(request, Self.context(kind), GatewayCaller())
            let names = event["headers"]?.objectValue?.keys ?? []
            #expect(names.prefix(3) == ["Host", name, "tEsT-Header"])
            #expect(event["multiValueHeaders"]?[name] == ["t"])
        }
    }

    @Test("names are one where their bytes are, not where Unicode takes them for the same")
    func exactNames() {
        let request = Self.request(query: "%C3%A9=nfc&e%CC%81=nfd&%C3%A9=2")
        let first = ProxyEvent.version1(request, Self.context(), GatewayCaller())
        #expect(first["queryStringParameters"] == ["\u{E9}": "2", "e\u{301}": "nfd"])
        #expect(
            first["multiValueQueryStringParameters"]
                == ["\u{E9}": ["nfc", "2"], "e\u{301}": ["nfd"]])
        let second = ProxyEvent.version2(request, Self.context(.http), GatewayCaller())
        #expect(second["queryStringParameters"] == ["\u{E9}": "nfc,2", "e\u{301}": "nfd"])
    }

    @Test("format 1.0: the request's context")
    func context1() {
        let caller = GatewayCaller(
            .iam(
                accessKeyID: "AKIA", accountID: "123456789012",
                arn: "arn:aws:iam::123456789012:user/developer", userID: "AIDA"),
            apiKey: ("mobile", "secret"))
        let context = ProxyEvent.version1(Self.request(), Self.context(), caller)["requestContext"]
        #expect(context?["path"] == "/prod/orders/a%20b")
        #expect(context?["stage"] == "prod")
        #expect(context?["requestTime"] == "25/Nov/2025:08:00:00 +0000")
        #expect(context?["requestTimeEpoch"] == 1_764_057_600_123)
        #expect(context?["domainPrefix"] == "127")
        let identity = context?["identity"]
        #expect(identity?["accessKey"] == "AKIA")
        #expect(identity?["caller"] == "AIDA" && identity?["user"] == "AIDA")
        #expect(identity?["userArn"] == "arn:aws:iam::123456789012:user/developer")
        #expect(identity?["apiKeyId"] == "mobile")
        #expect(identity?["cognitoIdentityId"] == .null)
        #expect(identity?["sourceIp"] == "127.0.0.1")
        let http = ProxyEvent.version2(Self.request(), Self.context(.http), caller)
        let iam = http["requestContext"]?["authorizer"]?["iam"]
        #expect(iam?["accessKey"] == "AKIA")
        #expect(iam?["callerId"] == "AIDA" && iam?["userId"] == "AIDA")
    }

    @Test("format 1.0: an HTTP API's context is another than a REST API's")
    func context1HTTP() {
        func context(_ kind: APIKind) -> JSONValue? {
            ProxyEvent.version1(Self.request(), Self.context(kind), GatewayCaller())[
                "requestContext"]
        }
        let (rest, http) = (context(.rest), context(.http))
        #expect(rest?["deploymentId"] != nil && http?["deploymentId"] == nil)
        #expect(rest?["resourceId"]?.stringValue?.count == 6)
        #expect(http?["resourceId"] == "POST /orders/{id}")
        #expect(rest?["identity"]?["cognitoAmr"] == nil)
        #expect(http?["identity"]?["cognitoAmr"] == .null)
        #expect(rest?["extendedRequestId"] != rest?["requestId"])
        #expect(http?["extendedRequestId"] == http?["requestId"])
    }

    @Test("slashes too many before a REST API's path are in the context alone")
    func slashes() {
        for (came, path) in [("/prod//orders//1/", "/orders//1/"), ("/prod///", "/")] {
            let event = ProxyEvent.version1(Self.request(came), Self.context(), GatewayCaller())
            #expect(event["path"] == .string(path))
            #expect(event["requestContext"]?["path"] == .string(came))
        }
        let http = ProxyEvent.version1(
            Self.request("/prod//orders"), Self.context(.http), GatewayCaller())
        #expect(http["path"] == "/prod//orders")
    }

    @Test("format 2.0: what is empty is left out")
    func version2Empty() {
        var context = Self.context(.http)
        context.variables = [:]
        let event = ProxyEvent.version2(Self.request(), context, GatewayCaller())
        #expect(
            event.objectValue?.keys == [
                "version", "routeKey", "rawPath", "rawQueryString", "headers", "requestContext",
                "isBase64Encoded",
            ])
        #expect(event["rawPath"] == "/prod/orders/a b")
        #expect(event["rawQueryString"] == "")
        #expect(event["requestContext"]?["http"]?["path"] == "/prod/orders/a b")
    }

    @Test("format 2.0: names that stand twice, and cookies")
    func version2Multiple() {
        let event = ProxyEvent.version2(
            Self.request(
                query: "a=1&a=2",
                headers: [
                    GatewayHeader("X-Tag", "one"), GatewayHeader("x-tag", "two"),
                    GatewayHeader("Cookie", "k=v; l=w"),
                ]), Self.context(.http), GatewayCaller())
        #expect(event["queryStringParameters"] == ["a": "1,2"])
        #expect(event["headers"]?["x-tag"] == "one,two")
        #expect(event["headers"]?["cookie"] == nil)
        #expect(event["cookies"] == ["k=v", "l=w"])
        #expect(event["pathParameters"] == ["id": "a b"])
    }

    @Test("an HTTP API tells the body's length, however it came and also of none")
    func length() {
        let sent = GatewayHeader("content-length", "7")
        for (body, length) in [("", "0"), ("äb", "3")] {
            let request = Self.request(body: body, headers: [sent])
            let context = Self.context(.http)
            let new = ProxyEvent.version2(request, context, GatewayCaller())
            #expect(new["headers"]?["content-length"] == .string(length))
            let old = ProxyEvent.version1(request, context, GatewayCaller())
            #expect(old["multiValueHeaders"]?["Content-Length"] == [.string(length)])
            #expect(old["headers"]?["content-length"] == nil)
        }
    }

    @Test("claims are texts, under each kind's own key and in its own words")
    func claims() {
        let caller = GatewayCaller(
            .token(
                claims: [
                    "sub": "u", "exp": 1_680_633_579, "iat": 0, "auth_time": 1_680_629_979,
                    "cognito:groups": ["a", "b"], "email_verified": true,
                ], scopes: ["read"]))
        let rest = ProxyEvent.version1(Self.request(), Self.context(), caller)
        #expect(
            rest["requestContext"]?["authorizer"] == [
                "claims": [
                    "sub": "u", "exp": "Tue Apr 04 18:39:39 UTC 2023",
                    "iat": "Thu Jan 01 00:00:00 UTC 1970", "auth_time": "1680629979",
                    "cognito:groups": "a,b", "email_verified": "true",
                ]
            ])
        let texts: JSONValue = [
            "sub": "u", "exp": "1680633579", "iat": "0", "auth_time": "1680629979",
            "cognito:groups": "[a b]", "email_verified": "true",
        ]
        let http = ProxyEvent.version2(Self.request(), Self.context(.http), caller)
        #expect(
            http["requestContext"]?["authorizer"]
                == ["jwt": ["claims": texts, "scopes": ["read"]]])
        let old = ProxyEvent.version1(Self.request(), Self.context(.http), caller)
        #expect(
            old["requestContext"]?["authorizer"] == ["claims": texts, "scopes": ["read"]])
    }

    @Test(
        "a claim that is no moment stays what it is",
        arguments: [-1, 253_402_300_800, 1 << 62] as [Int64])
    func noMoment(_ seconds: Int64) {
        let caller = GatewayCaller(.token(claims: ["exp": .int(seconds)], scopes: []))
        let event = ProxyEvent.version1(Self.request(), Self.context(), caller)
        #expect(
            event["requestContext"]?["authorizer"]?["claims"] == ["exp": .string("\(seconds)")])
    }

    struct Body: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var kind = APIKind.rest
        var type: String?
        var binary: [String] = []
        var isBase64: Bool
    }

    @Test(arguments: [
        Body(testDescription: "JSON", type: "application/json", isBase64: false),
        Body(testDescription: "an image that nobody named", type: "image/png", isBase64: false),
        Body(
            testDescription: "a named image", type: "image/png", binary: ["image/png"],
            isBase64: true),
        Body(
            testDescription: "images as a kind", type: "Image/GIF; q=1", binary: ["image/*"],
            isBase64: true),
        Body(testDescription: "everything", type: "text/plain", binary: ["*/*"], isBase64: true),
        Body(testDescription: "HTTP: text", kind: .http, type: "text/csv", isBase64: false),
        Body(
            testDescription: "HTTP: JSON", kind: .http, type: "application/json; charset=utf-8",
            isBase64: false),
        Body(testDescription: "HTTP: an image", kind: .http, type: "image/png", isBase64: true),
        Body(testDescription: "HTTP: no type", kind: .http, type: nil, isBase64: true),
    ])
    func body(_ sample: Body) {
        let headers = sample.type.map { [GatewayHeader("Content-Type", $0)] } ?? []
        let request = Self.request(body: "hi", headers: headers)
        let context = Self.context(sample.kind, binary: sample.binary)
        let event = ProxyEvent.version1(request, context, GatewayCaller())
        #expect(event["isBase64Encoded"] == .bool(sample.isBase64))
        #expect(event["body"] == .string(sample.isBase64 ? "aGk=" : "hi"))
    }
}
