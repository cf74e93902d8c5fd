import GatewayModel
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// One request on its way through the gateway: who waits for the answer, and what is to be told of
/// it. Answers once, whoever comes first: the function, or the time limit.
final class GatewayExchange: Sendable {
    /// What is known of it so far, for metrics and logs.
    struct Notes: Sendable {
        var route: RouteDefinition?
        var caller = GatewayCaller()
        var integrationStarted: UInt64?
        var isAnswered = false
        /// What the answer to a preflight says of CORS, whatever the function says.
        var permission: GatewayResponse?
    }

    let request: GatewayRequest
    let original: HTTPRequest
    /// `nil`: somebody else sends the answer.
    private let responder: HTTPResponder?
    private let started = SystemClock.monotonicNanoseconds()
    private let state = Mutex(Notes())

    init(_ original: HTTPRequest, _ responder: HTTPResponder?, _ request: GatewayRequest) {
        self.original = original
        self.responder = responder
        self.request = request
    }

    var notes: Notes { state.withLock { $0 } }
    func note(_ change: (inout Notes) -> Void) { state.withLock { change(&$0) } }

    /// - Returns: whether it was the first; a second answer goes nowhere.
    func answer(
        _ response: GatewayResponse, of api: APIDefinition,
        observe: (GatewayActivity) -> Void
    ) -> Bool {
        guard let answer = finish(response, of: api, observe: observe) else { return false }
        responder?.respond(answer)
        return true
    }

    /// The answer as it is to be sent, with what it leaves behind; `nil` if there was one.
    func finish(
        _ response: GatewayResponse, of api: APIDefinition,
        observe: (GatewayActivity) -> Void
    ) -> HTTPResponse? {
        let notes = state.withLock { state -> Notes? in
            guard !state.isAnswered else { return nil }
            state.isAnswered = true
            return state
        }
        guard let notes else { return nil }
        let now = SystemClock.monotonicNanoseconds()
        var response = response
        let cors = notes.route?.cors ?? (notes.route == nil ? api.cors : nil)
        if let permission = notes.permission {
            CORSRules.replace(in: &response, by: permission)
        } else if !CORSRules.isPreflight(request) {
            cors?.apply(to: &response, origin: request.header("Origin"), kind: api.kind)
        }
        // Told first: who has the answer finds what it left behind.
        observe(
            GatewayActivity(
                apiName: api.name, apiID: api.id, kind: api.kind, stage: api.stage,
                method: notes.route?.method, resource: notes.route?.resourcePath,
                status: response.status, responseBytes: response.body.count,
                time: request.received, latency: .nanoseconds(Int64(now - started)),
                integrationLatency: notes.integrationStarted.map {
                    .nanoseconds(Int64(now - $0))
                }))
        var answer = HTTPResponse(response.status, body: response.body)
        for header in response.headers { answer.headers.append(header.name, header.value) }
        switch api.kind {
        case .rest:
            answer.headers.append("x-amzn-RequestId", request.requestID)
            answer.headers.append("x-amz-apigw-id", ProxyEvent.extendedRequestID(request))
            if notes.integrationStarted != nil {
                answer.headers.append("X-Amzn-Trace-Id", request.traceID)
            }
        case .http: answer.headers.append("Apigw-Requestid", request.requestID)
        }
        // A function may have named another one.
        answer.requestID = answer.headers["x-amzn-RequestId"] ?? answer.headers["Apigw-Requestid"]
        answer.operation = notes.route?.key
        answer.principal = notes.caller.name
        return answer
    }
}
