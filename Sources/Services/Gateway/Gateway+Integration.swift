import GatewayModel
import JSON
import Posix
import StackModel

extension Gateway {
    /// Asks the route's function, and answers with what it says, or with a time-out before.
    func invoke(
        _ route: RouteDefinition, _ exchange: GatewayExchange, _ caller: GatewayCaller,
        _ variables: [String: String]
    ) throws(GatewayFailure) {
        guard let function = stack.function(route.function) else { throw .integrationFailure }
        let payload = try event(route, exchange.request, caller, variables)
        exchange.note { $0.integrationStarted = SystemClock.monotonicNanoseconds() }
        // Weak: a timer that was cancelled may keep what it holds until its time. Until there is an
        // answer, the completion below keeps the exchange.
        let timer = host.loop.schedule(after: route.timeout) { [self, weak exchange] in
            // The function runs on, as on AWS; its answer goes nowhere. One that has not begun by
            // then does not begin any more.
            if let exchange { answer(exchange, GatewayFailure.timeout.response(api.kind)) }
        }
        let end = host.clock.now() + route.timeout
        backend.invoke(function, payload: payload, notAfter: end) { [self] outcome in
            host.loop.cancel(timer)
            host.pool.execute { [self] in
                do throws(GatewayFailure) {
                    answer(exchange, try response(to: exchange.request, route, outcome))
                } catch {
                    answer(exchange, error.response(api.kind))
                }
            }
        }
    }

    private func event(
        _ route: RouteDefinition, _ request: GatewayRequest, _ caller: GatewayCaller,
        _ variables: [String: String]
    ) throws(GatewayFailure) -> [UInt8] {
        let version: RouteDefinition.PayloadVersion
        switch route.integration {
        case .custom(let integration): return try integration.event(request)
        case .proxy(let own): version = own
        }
        let context = EventContext(
            kind: api.kind, accountID: stack.accountID, apiID: api.id, stage: api.stage,
            stageVariables: api.stageVariables, routeKey: route.key,
            resourcePath: route.resourcePath, variables: variables,
            binaryMediaTypes: api.binaryMediaTypes)
        let event =
            switch version {
            case .version1: ProxyEvent.version1(request, context, caller)
            case .version2: ProxyEvent.version2(request, context, caller)
            }
        var bytes: [UInt8] = []
        event.append(to: &bytes)
        return bytes
    }

    private func response(
        to request: GatewayRequest, _ route: RouteDefinition,
        _ outcome: Result<InvocationResult, InvocationError>
    ) throws(GatewayFailure) -> GatewayResponse {
        let result: InvocationResult
        switch outcome {
        case .success(let value): result = value
        case .failure(.payloadTooLarge): throw .tooLarge
        case .failure: throw .integrationFailure
        }
        switch route.integration {
        case .custom(let integration):
            return integration.response(result.payload, isError: result.failure != nil)
        case .proxy(let version):
            guard result.failure == nil else { throw .badFunctionResponse }
            switch version {
            case .version1:
                return try ProxyResponse.version1(
                    result.payload, kind: api.kind,
                    decodesBase64: ProxyResponse.acceptsBinary(request, api.binaryMediaTypes))
            case .version2: return try ProxyResponse.version2(result.payload)
            }
        }
    }
}
