/// Which pages of other origins a browser lets call a route (Fetch standard, *CORS protocol*; API
/// Gateway guide, *http-api-cors*).
package struct CORSRules: Equatable, Sendable {
    /// What API Gateway's console proposes.
    package static let defaultHeaders = [
        "Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token",
    ]

    /// `https://shop.example`, `https://*`, `http://*` or `*`.
    package var origins: [String]
    /// Empty: those of the path's routes.
    package var methods: [String]
    package var headers: [String]
    package var exposeHeaders: [String]
    /// Seconds that a browser may keep a preflight's answer.
    package var maxAge: Int64?
    package var allowsCredentials: Bool

    package init(
        origins: [String] = ["*"], methods: [String] = [],
        headers: [String] = CORSRules.defaultHeaders, exposeHeaders: [String] = [],
        maxAge: Int64? = nil, allowsCredentials: Bool = false
    ) {
        self.origins = origins
        self.methods = methods
        self.headers = headers
        self.exposeHeaders = exposeHeaders
        self.maxAge = maxAge
        self.allowsCredentials = allowsCredentials
    }

    /// Whether a request is the question that a browser asks before the real one.
    package static func isPreflight(_ request: GatewayRequest) -> Bool {
        request.method == "OPTIONS" && request.header("Origin") != nil
            && request.header("Access-Control-Request-Method") != nil
    }

    /// The answer to a preflight: 204, without permission for an origin that is not named. Who asks
    /// without one, by hand, hears of the first.
    /// - Parameter routeMethods: what pages may do with the path, where the rules name no methods.
    package func preflight(_ request: GatewayRequest, routeMethods: [String]) -> GatewayResponse {
        var response = GatewayResponse(status: 204)
        let origin = request.header("Origin")
        if let allowed = origin == nil ? origins.first : origin.flatMap(allowed) {
            permit(allowed, routeMethods, &response)
        }
        vary(&response)
        return response
    }

    private func permit(
        _ origin: String, _ routeMethods: [String], _ response: inout GatewayResponse
    ) {
        var methods = methods.isEmpty ? routeMethods : methods
        if methods.contains("ANY") || methods.contains("*") {
            // A wildcard means nothing to a browser that sends credentials.
            methods = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
        } else if !methods.contains("OPTIONS") {
            methods.append("OPTIONS")
        }
        response.headers = [GatewayHeader("Access-Control-Allow-Origin", origin)]
        response.headers.append(
            GatewayHeader("Access-Control-Allow-Methods", methods.sorted().joined(separator: ",")))
        if !headers.isEmpty {
            response.headers.append(
                GatewayHeader("Access-Control-Allow-Headers", headers.joined(separator: ",")))
        }
        if let maxAge {
            response.headers.append(GatewayHeader("Access-Control-Max-Age", String(maxAge)))
        }
        if allowsCredentials {
            response.headers.append(GatewayHeader("Access-Control-Allow-Credentials", "true"))
        }
    }

    /// Adds to an answer what lets the page read it. What a function said itself stands for a REST
    /// API, and is replaced for an HTTP API.
    package func apply(to response: inout GatewayResponse, origin: String?, kind: APIKind) {
        defer { vary(&response) }
        if kind == .rest, response.header("Access-Control-Allow-Origin") != nil { return }
        if kind == .http { Self.remove(from: &response) }
        guard let origin, let allowed = allowed(origin) else { return }
        response.headers.append(GatewayHeader("Access-Control-Allow-Origin", allowed))
        if allowsCredentials {
            response.headers.append(GatewayHeader("Access-Control-Allow-Credentials", "true"))
        }
        if !exposeHeaders.isEmpty {
            response.headers.append(
                GatewayHeader(
                    "Access-Control-Expose-Headers", exposeHeaders.joined(separator: ",")))
        }
    }

    /// Of CORS an answer says what `permission` says, and nothing else.
    package static func replace(in response: inout GatewayResponse, by permission: GatewayResponse)
    {
        remove(from: &response)
        response.headers += permission.headers.filter { !response.headers.contains($0) }
    }

    private static func remove(from response: inout GatewayResponse) {
        response.headers.removeAll { $0.name.lowercased().hasPrefix("access-control-") }
    }

    /// Where the answer depends on who asks, every answer says so, also one that allows nothing:
    /// a cache would give it to others.
    private func vary(_ response: inout GatewayResponse) {
        guard origins.first != "*" || allowsCredentials else { return }
        let isSaid = response.headers.contains { header in
            header.name.lowercased() == "vary"
                && header.value.lowercased().split(whereSeparator: { ", \t".contains($0) })
                    .contains { $0 == "origin" || $0 == "*" }
        }
        if !isSaid { response.headers.append(GatewayHeader("Vary", "Origin")) }
    }

    /// The origin as the answer names it; `nil` if it may not call.
    private func allowed(_ origin: String) -> String? {
        for pattern in origins {
            if pattern == "*" { return allowsCredentials ? origin : "*" }
            if pattern == origin { return origin }
            if pattern == "https://*" || pattern == "http://*",
                origin.hasPrefix(pattern.dropLast())
            {
                return origin
            }
        }
        return nil
    }
}
