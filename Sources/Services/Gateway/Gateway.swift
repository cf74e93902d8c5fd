import Crypto
import GatewayModel
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// The routes of one deployment, served (docs/gateway.md). Throttling and quotas live longer, in
/// `GatewayUsage`.
package final class Gateway: Sendable {
    /// What a gateway's port takes: ten megabytes of body, as API Gateway does.
    package static var httpLimits: HTTPLimits {
        var limits = HTTPLimits()
        limits.bodyBytes = 10 * 1024 * 1024
        return limits
    }

    /// What a gateway stands on, and what outlives it.
    package struct Host: Sendable {
        package var loop: EventLoop
        /// For work that takes its time: digests, schemas, large bodies.
        package var pool: WorkerPool
        package var clock: StackClock
        package var usage: GatewayUsage
        /// Gets every request that was answered.
        package var observe: @Sendable (GatewayActivity) -> Void

        package init(
            loop: EventLoop, pool: WorkerPool, clock: StackClock, usage: GatewayUsage,
            observe: @escaping @Sendable (GatewayActivity) -> Void
        ) {
            self.loop = loop
            self.pool = pool
            self.clock = clock
            self.usage = usage
            self.observe = observe
        }
    }

    let stack: Stack
    let api: APIDefinition
    let host: Host
    let backend: any GatewayBackend
    private let table: RouteTable
    private let authorization: GatewayAuthorization
    private let keyring: APIKeyring
    /// How many requests have come and have no answer, also those that wait for a thread.
    private let unanswered = ThreadCondition(0)

    /// - Parameters:
    ///   - keyValues: of the API's keys, by their names.
    ///   - tokens: `nil` where the stack has no issuer: `jwt` routes answer 500.
    package init(
        _ stack: Stack, on host: Host, backend: any GatewayBackend, authorizer: Authorizer,
        keyValues: [String: String], tokens: (any TokenJudge)? = nil
    ) {
        self.stack = stack
        self.host = host
        self.backend = backend
        api = stack.api
        table = RouteTable(api.routes.map(\.key), kind: api.kind)
        authorization = GatewayAuthorization(
            api: api, region: stack.region, accountID: stack.accountID, authorizer: authorizer,
            tokens: tokens)
        keyring = APIKeyring(api, values: keyValues)
    }

    /// How a request is refused that the HTTP server itself does not take. One that is too large
    /// is API Gateway's business, too.
    package func refusal(of error: HTTPError, _ request: HTTPRequest) -> HTTPResponse {
        let plain = HTTPServer.plainRefusal(error, request)
        guard error.status == 413 else { return plain }
        let exchange = GatewayExchange(request, nil, read(request))
        let response = GatewayFailure.tooLarge.response(api.kind)
        return exchange.finish(response, of: api, observe: host.observe) ?? plain
    }

    /// On the loop; answers from another thread.
    package func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        unanswered.withLock { $0 += 1 }
        host.pool.execute { [self] in
            let exchange = GatewayExchange(request, responder, read(request))
            do throws(GatewayFailure) {
                try process(exchange)
            } catch {
                answer(exchange, error.response(api.kind))
            }
        }
    }

    func answer(_ exchange: GatewayExchange, _ response: GatewayResponse) {
        guard exchange.answer(response, of: api, observe: host.observe) else { return }
        let isLast = unanswered.withLock { count in
            count -= 1
            return count == 0
        }
        if isLast { unanswered.signal() }
    }

    /// Blocks until every request that has come is answered.
    /// - Returns: whether that is so within `limit`.
    func waitForAnswers(upTo limit: Duration) -> Bool {
        unanswered.wait(upTo: limit) { $0 == 0 ? true : nil } ?? false
    }

    private func read(_ request: HTTPRequest) -> GatewayRequest {
        let now = host.clock.now()
        let trace =
            request.headers["X-Amzn-Trace-Id"]
            ?? "Root=1-\(String(now.seconds, radix: 16))-\(Digest.hex(RandomBytes.make(count: 12)))"
        return GatewayRequest(
            method: request.method,
            path: api.kind == .rest ? "/" + request.path.drop { $0 == "/" } : String(request.path),
            query: request.query.map(String.init) ?? "",
            headers: request.headers.fields.map { GatewayHeader($0.name, $0.value) },
            body: request.body, sourceIP: request.remoteAddress,
            localPort: Int(request.localPort), received: now,
            requestID: api.kind == .rest
                ? RandomBytes.uuid() : Base64.encodeURL(RandomBytes.make(count: 11)) + "=",
            traceID: trace)
    }

    /// The path without the stage; `nil` if it does not begin with the stage.
    static func path(of request: GatewayRequest, in api: APIDefinition) -> Substring? {
        guard api.stage != "$default" else { return request.path[...] }
        guard request.path.hasPrefix("/\(api.stage)") else { return nil }
        let rest = request.path.dropFirst(api.stage.count + 1)
        guard rest.isEmpty || rest.hasPrefix("/") else { return nil }
        return rest.isEmpty ? "/" : rest
    }

    private func process(_ exchange: GatewayExchange) throws(GatewayFailure) {
        let request = exchange.request
        guard let path = Self.path(of: request, in: api) else { throw .noSuchStage }
        if let response = preflight(exchange, path) { return answer(exchange, response) }
        guard let match = table.match(method: request.method, path: path) else {
            throw .noSuchRoute
        }
        let route = api.routes[match.route]
        exchange.note { $0.route = route }
        var demands = [Admission.Demand("stage \(api.stage)", api.throttle)]
        if let own = route.throttle { demands.append(Admission.Demand("route \(route.key)", own)) }
        _ = try host.usage.admit(demands, at: host.clock.now)
        var caller = GatewayCaller(
            try authorization.identity(of: exchange, on: route))
        exchange.note { $0.caller = caller }
        if route.needsAPIKey {
            let entry = try keyring.entry(for: request)
            let isSaveDue = try host.usage.admit(
                [entry.demand].compactMap { $0 }, quota: entry.quota, at: host.clock.now)
            if isSaveDue { saveLater() }
            caller.apiKey = (entry.name, entry.value)
            exchange.note { $0.caller = caller }
        }
        try check(request, route, match.variables)
        try invoke(route, exchange, caller, match.variables)
    }

    /// What answers a browser's question before the real request. In a REST API every `OPTIONS` is
    /// one: on AWS, CORS is a method of the path there, with a fixed answer. A route for `OPTIONS`
    /// of the stack's own goes before; so does, in an HTTP API, one for any method that asks who
    /// calls. What an HTTP API would have said alone is then part of the answer.
    private func preflight(
        _ exchange: GatewayExchange, _ path: Substring
    ) -> GatewayResponse? {
        let request = exchange.request
        guard
            api.kind == .rest ? request.method == "OPTIONS" : CORSRules.isPreflight(request)
        else { return nil }
        func route(_ method: String) -> RouteDefinition? {
            table.match(method: method, path: path).map { api.routes[$0.route] }
        }
        let taker = route("OPTIONS").flatMap { own in
            let isGuarded = api.kind == .http && own.authorization != .none
            return own.method == "OPTIONS" || isGuarded ? own : nil
        }
        if let taker, api.kind == .rest || taker.cors == nil { return nil }
        let permission = permission(request, route)
        exchange.note { $0.permission = permission }
        return taker == nil ? permission : nil
    }

    /// What a page may do with a path; `nil` if no page may do anything.
    private func permission(
        _ request: GatewayRequest, _ route: (String) -> RouteDefinition?
    ) -> GatewayResponse? {
        let open = RouteTable.methods.sorted().compactMap { method in
            route(method)?.cors.map { (method: method, cors: $0) }
        }
        guard let first = open.first else { return nil }
        let asked = request.header("Access-Control-Request-Method").flatMap(route)
        // No page may call a route without rules, whatever those beside it let pages do.
        guard let cors = asked == nil ? first.cors : asked?.cors else {
            return GatewayResponse(status: 204)
        }
        return cors.preflight(request, routeMethods: open.map(\.method))
    }

    /// What API Gateway's request validators check, parameters first.
    private func check(
        _ request: GatewayRequest, _ route: RouteDefinition, _ variables: [String: String]
    ) throws(GatewayFailure) {
        let missing = route.requiredParameters.filter { parameter in
            let value: String? =
                switch parameter.place {
                case .header: request.header(parameter.name)
                case .querystring:
                    request.parameters.last { $0.name.isExactly(parameter.name) }?.value
                case .path: variables[parameter.name].map { PercentEncoding.decode($0) }
                }
            return value?.allSatisfy { $0 == " " || $0 == "\t" } ?? true
        }
        guard missing.isEmpty else { throw .missingParameters(missing.map(\.name).sorted()) }
        // A model is one for `application/json`, which is also what a body without a type is.
        guard let schema = route.requestSchema,
            request.mediaType ?? "application/json" == "application/json"
        else { return }
        guard schema.accepts(body: request.body) else { throw .invalidBody }
    }

    private func saveLater() {
        host.loop.schedule(after: GatewayUsage.saveInterval) { [host] in
            // A full disk must not change what callers are told; the next change tries again.
            host.pool.execute { try? host.usage.save() }
        }
    }
}
