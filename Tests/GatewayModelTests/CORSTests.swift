import GatewayModel
import Testing

@Suite struct CORSTests {
    private func request(_ method: String, origin: String?, asks: String? = nil) -> GatewayRequest {
        var request = ProxyEventTests.request()
        request.method = method
        if let origin { request.headers.append(GatewayHeader("Origin", origin)) }
        if let asks {
            request.headers.append(GatewayHeader("Access-Control-Request-Method", asks))
        }
        return request
    }

    private func lines(_ response: GatewayResponse) -> [String] {
        response.headers.map { "\($0.name): \($0.value)" }
    }

    @Test("a preflight is OPTIONS with an origin and a method")
    func isPreflight() {
        #expect(CORSRules.isPreflight(request("OPTIONS", origin: "https://a", asks: "POST")))
        #expect(!CORSRules.isPreflight(request("OPTIONS", origin: "https://a")))
        #expect(!CORSRules.isPreflight(request("OPTIONS", origin: nil, asks: "POST")))
        #expect(!CORSRules.isPreflight(request("POST", origin: "https://a", asks: "POST")))
    }

    @Test("everybody, with what API Gateway proposes")
    func everybody() {
        let response = CORSRules().preflight(
            request("OPTIONS", origin: "https://a", asks: "POST"), routeMethods: ["POST"])
        #expect(response.status == 204)
        #expect(
            lines(response) == [
                "Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: OPTIONS,POST",
                "Access-Control-Allow-Headers: "
                    + "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token",
            ])
    }

    @Test("named origins, one by one")
    func named() {
        let rules = CORSRules(
            origins: ["https://shop.example"], methods: ["*"], headers: [], maxAge: 60,
            allowsCredentials: true)
        let good = rules.preflight(
            request("OPTIONS", origin: "https://shop.example", asks: "PUT"), routeMethods: [])
        #expect(
            lines(good) == [
                "Access-Control-Allow-Origin: https://shop.example",
                "Access-Control-Allow-Methods: DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT",
                "Access-Control-Max-Age: 60", "Access-Control-Allow-Credentials: true",
                "Vary: Origin",
            ])
        for origin in [
            "https://shop.example.evil", "http://shop.example", "null", "https://SHOP.example",
        ] {
            let bad = rules.preflight(
                request("OPTIONS", origin: origin, asks: "PUT"), routeMethods: [])
            #expect(lines(bad) == ["Vary: Origin"], "\(origin)")
        }
    }

    @Test("what a function says stands for a REST API, and is replaced for an HTTP API")
    func functions() {
        let own = GatewayHeader("access-control-allow-origin", "https://mine")
        for (kind, expected) in [
            (APIKind.rest, ["access-control-allow-origin: https://mine"]),
            (.http, ["Access-Control-Allow-Origin: *", "Access-Control-Expose-Headers: X-A"]),
        ] {
            var response = GatewayResponse(status: 200, headers: [own])
            CORSRules(exposeHeaders: ["X-A"]).apply(
                to: &response, origin: "https://a", kind: kind)
            #expect(lines(response) == expected)
        }
    }

    @Test("every answer that depends on the origin says so, once, whoever asks")
    func vary() {
        let named = CORSRules(origins: ["https://shop.example"])
        let trusting = CORSRules(allowsCredentials: true)
        for (rules, expected) in [
            (named, 1), (CORSRules(origins: ["https://shop.example", "*"]), 1), (trusting, 1),
            (CORSRules(), 0),
        ] {
            for kind in [APIKind.rest, .http] {
                for origin in [nil, "https://shop.example", "https://evil.example"] {
                    var response = GatewayResponse(status: 403)
                    rules.apply(to: &response, origin: origin, kind: kind)
                    let count = lines(response).count { $0 == "Vary: Origin" }
                    #expect(count == expected, "\(rules) \(kind) \(origin ?? "")")
                }
            }
        }
        for (own, expected) in [
            ("Accept, origin", ["Vary: Accept, origin"]), ("*", ["Vary: *"]),
            ("Accept", ["Vary: Accept", "Vary: Origin"]),
        ] {
            var response = GatewayResponse(status: 200, headers: [GatewayHeader("Vary", own)])
            named.apply(to: &response, origin: nil, kind: .rest)
            #expect(lines(response) == expected)
        }
    }
}
