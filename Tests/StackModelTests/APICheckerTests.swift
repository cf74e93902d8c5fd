import GatewayModel
import JSON
import StackModel
import Testing

@Suite struct APICheckerTests {
    private func stack(api: String, routes: String, security: String = "") -> String {
        """
        {
          "lambdas": {"F": {"runtime": "python3", "handler": "h.f", "code": "c"}}, "queues": {},
          "api": {\(api)},
          "routes": {\(routes)},
          "security": {\(security)}
        }
        """
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String { expected }
        var api = ""
        var routes = ""
        var expected: String

        init(_ api: String = "", routes: String = "", _ expected: String) {
            self.api = api
            self.routes = routes
            self.expected = expected
        }
    }

    @Test(
        "mistakes, with their places",
        arguments: [
            Case(
                routes: #""GET /a//b": {"lambda": "F"}"#,
                "4:27: error: routes.GET /a//b: a segment is empty"),
            Case(
                routes:
                    #""GET /a": {"lambda": "F", "integration": "proxy", "authorization": "jwt"}"#,
                "warning: routes.GET /a.authorization is 'jwt', and neither security.userPool nor "
                    + "security.jwt says whose tokens count: every request will be refused"),
            Case(
                routes: #""GET /a/{x}": {"lambda": "F"}, "GET /a/{y}": {"lambda": "F"}"#,
                "routes.GET /a/{y} takes the same requests as 'GET /a/{x}'"),
            Case(
                routes: "\"GET /\u{E9}/{x}\": {\"lambda\": \"F\"}, "
                    + "\"GET /e\u{301}/{y}\": {\"lambda\": \"F\"}",
                "routes.GET /e\u{301}/{y} takes the same requests as 'GET /\u{E9}/{x}'"),
            Case(
                routes: #""GET /a/{x}": {"lambda": "F"}, "PUT /a/{y}/b": {"lambda": "F"}"#,
                "routes.PUT /a/{y}/b: '{y}' stands where another route has '{x}'"),
            Case(
                routes: #""$default": {"lambda": "F"}"#,
                "routes.$default is for HTTP APIs (api.type)"),
            Case(
                routes:
                    #""GET /a": {"lambda": "F", "integration": "proxy", "payloadVersion": "2.0"}"#,
                "routes.GET /a.payloadVersion is '2.0', which is for HTTP APIs"),
            Case(
                #""type": "http", "keys": {"k": {}}"#,
                "3:35: error: api.keys is for REST APIs (api.type)"),
            Case(
                #""type": "http""#, routes: #""GET /a": {"lambda": "F", "integration": "lambda"}"#,
                "routes.GET /a.integration is 'lambda', which is for REST APIs; allowed: proxy"),
            Case(
                #""type": "http""#, routes: #""GET /a": {"lambda": "F", "requestSchema": {}}"#,
                "routes.GET /a.requestSchema is for REST APIs (api.type)"),
            Case(
                routes: #""GET /a": {"lambda": "F", "timeout": 30}"#,
                "routes.GET /a.timeout is 30; allowed for a REST API: 1 to 29 (seconds)"),
            Case(
                routes:
                    #""POST /a": {"lambda": "F", "requestSchema": {"properties": {"n": {"type": "int"}}}}"#,
                "4:88: error: routes.POST /a.requestSchema.properties.n.type: 'int' is no type"),
            Case(
                routes:
                    #""GET /a": {"lambda": "F", "responses": [{"pattern": "(", "statusCode": 400}]}"#,
                "routes.GET /a.responses[0].pattern is no regular expression"),
            Case(
                routes:
                    #""GET /a": {"lambda": "F", "responses": [{"statusCode": 201}, {"statusCode": 202}]}"#,
                "routes.GET /a.responses[1] is a second one without pattern"),
            Case(
                routes: #""GET /a": {"lambda": "F", "integration": "proxy", "responses": []}"#,
                "routes.GET /a.responses is for the lambda integration"),
            Case(
                routes: #""GET /a": {"lambda": "F", "scopes": ["s"]}"#,
                "routes.GET /a.scopes is for routes with authorization jwt"),
            Case(
                routes: #""GET /a": {"lambda": "F", "requiredParameters": ["path.id"]}"#,
                "routes.GET /a.requiredParameters[0] is 'path.id', which the path does not have"),
            Case(
                routes: #""GET /a": {"lambda": "F", "authorization": "apiKey"}"#,
                "warning: routes.GET /a needs an API key, and no plan"),
            Case(
                #""keys": {"mobile": {}}, "usagePlans": {"p": {"keys": ["mobil"]}}"#,
                "is 'mobil', and there is no such key in api.keys; did you mean 'mobile'?"),
            Case(
                #""keys": {"k": {}}, "usagePlans": {"p": {"keys": ["k"]}, "q": {"keys": ["k"]}}"#,
                "is 'k', which api.usagePlans.p has already"),
            Case(
                #""keys": {"k": {}}"#,
                "warning: api.keys.k is in no plan of api.usagePlans: it will be refused"),
            Case(
                #""cors": {"credentials": true}"#,
                "api.cors lets every page send a user's cookies"),
            Case(#""cors": 1"#, "api.cors is 1; allowed: true, false or an object"),
            Case(
                #""cors": {"origins": ["shop.example"]}"#,
                "api.cors.origins[0] is 'shop.example'; allowed: an origin such as"),
            Case(
                #""stage": "$default""#, "api.stage is '$default', which is for HTTP APIs"),
            Case(
                #""throttle": {"rate": 5}"#, "api.throttle.burst is missing"),
        ])
    func mistakes(_ sample: Case) {
        let text = stack(api: sample.api, routes: sample.routes)
        let lines = StackFile(Array(text.utf8)).diagnostics.map { $0.line(file: "s") }
        #expect(lines.contains { $0.contains(sample.expected) }, "\(lines)")
    }

    @Test("everything that a REST API may have")
    func everything() throws {
        let text = stack(
            api: #"""
                "name": "Shop API", "stageVariables": {"v": "1"},
                "throttle": {"rate": 100, "burst": 50}, "binaryMediaTypes": ["image/*"],
                "cors": true, "keys": {"mobile": {}, "old": {"enabled": false}},
                "usagePlans": {"basic": {"keys": ["mobile", "old"],
                  "throttle": {"rate": 5, "burst": 5},
                  "quota": {"limit": 1000, "period": "WEEK", "offset": 1}}}
                """#,
            routes: #"""
                "POST /orders": {"lambda": "F", "authorization": "iam", "apiKeyRequired": true,
                  "requestSchema": {"type": "object", "required": ["order_id"]},
                  "responses": [{"pattern": ".*not found.*", "statusCode": 404}],
                  "contentTypes": ["application/json"], "timeout": 10, "cors": false},
                "GET /orders/{id}": {"lambda": "F", "integration": "proxy",
                  "authorization": "jwt", "scopes": ["orders/read"],
                  "requiredParameters": ["path.id", "querystring.page", "header.X-A"],
                  "cors": {"origins": ["https://shop.example"], "credentials": true}}
                """#, security: #""userPool": {}"#)
        let file = StackFile(Array(text.utf8))
        #expect(file.diagnostics.isEmpty, "\(file.diagnostics)")
        let api = Stack(json: try #require(file.json)).api
        #expect(api.name == "Shop API")
        #expect(api.id == "shopapi")
        #expect(api.kind == .rest)
        #expect(api.throttle == ThrottleSettings(rate: 100, burst: 50))
        #expect(api.keys.map(\.isEnabled) == [true, false])
        #expect(api.plans.first?.quota == QuotaSettings(limit: 1000, period: .week, offset: 1))
        let orders = try #require(api.routes.first)
        #expect(orders.needsAPIKey)
        #expect(orders.authorization == .iam)
        #expect(orders.timeout == .seconds(10))
        #expect(orders.cors == nil)
        #expect(orders.requestSchema?.accepts(body: Array("{}".utf8)) == false)
        let order = try #require(api.routes.last)
        #expect(order.scopes == ["orders/read"])
        #expect(order.requiredParameters.map(\.name) == ["id", "page", "X-A"])
        #expect(order.cors?.allowsCredentials == true)
        guard case .proxy(.version1) = order.integration else {
            Issue.record("\(order.integration)")
            return
        }
    }

    @Test("an HTTP API's defaults are its own")
    func http() throws {
        let text = stack(
            api: #""type": "http", "stage": "$default""#, routes: #""$default": {"lambda": "F"}"#)
        let file = StackFile(Array(text.utf8))
        #expect(file.diagnostics.isEmpty, "\(file.diagnostics)")
        let api = Stack(json: try #require(file.json)).api
        #expect(api.stage == "$default")
        let route = try #require(api.routes.first)
        #expect(route.timeout == .seconds(30))
        guard case .proxy(.version2) = route.integration else {
            Issue.record("\(route.integration)")
            return
        }
    }
}
