import HTTP
import Synchronization

/// The runtime of what is deployed now.
final class DeployedRuntime: Sendable {
    private let current = Mutex<StackRuntime?>(nil)

    /// `nil` until there is one.
    var latest: StackRuntime? { current.withLock { $0 } }
    func set(_ runtime: StackRuntime) { current.withLock { $0 = runtime } }

    /// Nothing that asks for it begins before there is one.
    var runtime: StackRuntime {
        guard let latest else { preconditionFailure("a server has one from init on") }
        return latest
    }
}

/// What answers on the ports. Whoever comes in while one deployment takes over from another finds
/// one of them.
final class StackDoors: Sendable {
    /// What answers for one deployment.
    struct Open {
        var endpoint: EndpointRouter
        /// `nil`: nobody listens for it.
        var gateway: Gateway?
    }

    private let current = Mutex<Open?>(nil)
    private let endpointGuard: RequestGuard
    private let gatewayGuard: RequestGuard
    private let log: RequestLog?

    init(_ options: ServerOptions, log: RequestLog?) {
        let hosts = Set(options.allowedHosts.map { $0.lowercased() })
        endpointGuard = RequestGuard(allowedHosts: hosts, refusesOtherOrigins: true)
        gatewayGuard = RequestGuard(allowedHosts: hosts, refusesOtherOrigins: false)
        self.log = log
    }

    /// `nil` until a server is ready.
    var open: Open? { current.withLock { $0 } }
    func open(_ next: Open) { current.withLock { $0 = next } }

    /// A request on the endpoint's port; on its client's loop.
    func enterEndpoint(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if let refusal = endpointGuard.refusal(of: request) { return responder.respond(refusal) }
        guard let endpoint = current.withLock({ $0?.endpoint }) else {
            return responder.respond(HTTPResponse(503))
        }
        endpoint.handle(request, responder)
    }

    /// A request on the gateway's port; on the loop.
    func enterGateway(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if let refusal = gatewayGuard.refusal(of: request) { return responder.respond(refusal) }
        guard let gateway = open?.gateway else { return responder.respond(HTTPResponse(503)) }
        gateway.handle(request, responder)
    }

    /// What the endpoint says to a request that is none.
    func refuseAtEndpoint(_ error: HTTPError, _ request: HTTPRequest) -> HTTPResponse {
        let response = HTTPServer.plainRefusal(error, request)
        log?.record(response, to: request, after: 0)
        return response
    }

    /// What the gateway says to a request that is none.
    func refuseAtGateway(_ error: HTTPError, _ request: HTTPRequest) -> HTTPResponse {
        let response =
            open?.gateway?.refusal(of: error, request) ?? HTTPServer.plainRefusal(error, request)
        log?.record(response, to: request, after: 0)
        return response
    }
}
