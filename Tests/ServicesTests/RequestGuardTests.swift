import HTTP
import Services
import Testing

/// What browsers send for pages that are not ours goes no further.
@Suite struct RequestGuardTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var host: String
        var headers: [String] = []
        var endpoint: Int?
        var gateway: Int?
        var testDescription: String { "\(host) \(headers)" }
    }

    private static let own = "127.0.0.1:4566"

    @Test(arguments: [
        Case(host: own), Case(host: "localhost"), Case(host: "LocalHost:80"),
        Case(host: "[::1]:4566"), Case(host: "192.168.0.7:4566"), Case(host: "shop.localhost:1"),
        Case(host: "sqs.us-east-1.amazonaws.com"), Case(host: "orch:4566"),
        Case(host: "evil.example", endpoint: 421, gateway: 421),
        Case(host: "127.0.0.1.evil.example:4566", endpoint: 421, gateway: 421),
        Case(host: "localhost.evil.example", endpoint: 421, gateway: 421),
        Case(host: "amazonaws.com.evil.example", endpoint: 421, gateway: 421),
        Case(host: "notlocalhost", endpoint: 421, gateway: 421),
        Case(host: ":80", endpoint: 421, gateway: 421),
        Case(host: "", endpoint: 421, gateway: 421),
        Case(host: " ", endpoint: 421, gateway: 421),
        Case(host: "evil.com#.localhost", endpoint: 421, gateway: 421),
        Case(host: "evil.com/.localhost", endpoint: 421, gateway: 421),
        Case(host: "evil.com?.localhost", endpoint: 421, gateway: 421),
        Case(host: #"evil.com\.localhost"#, endpoint: 421, gateway: 421),
        Case(host: "evil.com@localhost", endpoint: 421, gateway: 421),
        Case(host: "evil.com .localhost", endpoint: 421, gateway: 421),
        Case(host: "evil.com,.localhost", endpoint: 421, gateway: 421),
        Case(host: "évil.localhost", endpoint: 421, gateway: 421),
        Case(host: "localhost:80@evil.com", endpoint: 421, gateway: 421),
        Case(host: "localhost:80#", endpoint: 421, gateway: 421),
        Case(host: "[localhost]", endpoint: 421, gateway: 421),
        Case(host: "[::1]evil.com", endpoint: 421, gateway: 421),
        Case(host: "[::1", endpoint: 421, gateway: 421),
        Case(host: "::1", endpoint: 421, gateway: 421),
        Case(host: own, headers: ["Origin", "http://127.0.0.1:4566"]),
        Case(host: own, headers: ["Origin", "https://evil.example"], endpoint: 403),
        Case(host: own, headers: ["Origin", "http://127.0.0.1:8080"], endpoint: 403),
        Case(host: own, headers: ["Origin", "null"], endpoint: 403),
        Case(host: own, headers: ["Sec-Fetch-Site", "cross-site"], endpoint: 403),
        Case(host: own, headers: ["Sec-Fetch-Site", "same-site"], endpoint: 403),
        Case(host: own, headers: ["Sec-Fetch-Site", "none"]),
    ])
    func refusal(_ test: Case) {
        var request = HTTPRequest(method: "GET", target: "/", headers: ["Host": test.host])
        if test.headers.count == 2 { request.headers.append(test.headers[0], test.headers[1]) }
        for (expected, refusesOtherOrigins) in [(test.endpoint, true), (test.gateway, false)] {
            let guarding = RequestGuard(
                allowedHosts: ["orch"], refusesOtherOrigins: refusesOtherOrigins)
            #expect(guarding.refusal(of: request)?.status == expected)
            // What others have asked before does not matter, nor that they asked the same.
            let plain = HTTPRequest(method: "GET", target: "/", headers: ["Host": Self.own])
            #expect(guarding.refusal(of: plain) == nil)
            #expect(guarding.refusal(of: request)?.status == expected)
            #expect(guarding.refusal(of: request)?.status == expected)
        }
    }

    @Test("who speaks HTTP/1.0 is no browser")
    func withoutHost() {
        let guarding = RequestGuard(allowedHosts: [], refusesOtherOrigins: true)
        #expect(guarding.refusal(of: HTTPRequest(method: "GET", target: "/")) == nil)
    }
}
