import FunctionModel
import HTTP
import JSON

/// The Runtime API, version 2018-06-01 (Lambda guide, *runtimes-api*).
extension ExecutionEnvironment {
    private static let prefix = "/2018-06-01/runtime/"
    /// A page in a browser must not take a function's events, nor answer for it.
    private static let requestGuard = RequestGuard(allowedHosts: [], refusesOtherOrigins: true)
    private static let errorTypeHeader: StaticString = "Lambda-Runtime-Function-Error-Type"

    /// On the loop.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if let refusal = Self.requestGuard.refusal(of: request) {
            return responder.respond(refusal)
        }
        guard request.path.hasPrefix(Self.prefix) else { return responder.respond(.notFound) }
        let words = request.path.dropFirst(Self.prefix.count)
            .split(separator: "/", omittingEmptySubsequences: false)
        let method: String
        let answer: (HTTPRequest, HTTPResponder) throws(RuntimeAPIError) -> Void
        switch (words.first, words.count, words.last) {
        case ("invocation", 2, "next"): (method, answer) = ("GET", next)
        case ("invocation", 3, "response"): (method, answer) = ("POST", response)
        case ("invocation", 3, "error"): (method, answer) = ("POST", error)
        case ("init", 2, "error"): (method, answer) = ("POST", initError)
        default: return responder.respond(.notFound)
        }
        guard request.method == method else { return responder.respond(HTTPResponse(405)) }
        do throws(RuntimeAPIError) {
            try answer(request, responder)
        } catch {
            let body = Array(error.json.serialized().utf8)
            responder.respond(HTTPResponse(error.status, type: "application/json", body))
        }
    }

    private func next(
        _ request: HTTPRequest, _ responder: HTTPResponder
    ) throws(RuntimeAPIError) {
        let isWaiting = runtime.phase == .ready
        try runtime.call(.next)
        // One that has lost its connection asks again; it still waits for one invocation.
        if isWaiting { waiting = responder } else { becomeReady(responder) }
    }

    private func response(
        _ request: HTTPRequest, _ responder: HTTPResponder
    ) throws(RuntimeAPIError) {
        let call = RuntimeState.Call.response(requestID: requestID(request))
        try conclude(call, .response(request.body), request, responder)
    }

    private func error(
        _ request: HTTPRequest, _ responder: HTTPResponder
    ) throws(RuntimeAPIError) {
        let call = RuntimeState.Call.error(requestID: requestID(request))
        try conclude(call, .failure(reported(request)), request, responder)
    }

    private func conclude(
        _ call: RuntimeState.Call, _ outcome: Outcome, _ request: HTTPRequest,
        _ responder: HTTPResponder
    ) throws(RuntimeAPIError) {
        try runtime.call(call)
        guard request.body.count <= FunctionLimits.responseBytes else {
            finish(.failure(.responseTooLarge))
            throw .tooLarge
        }
        responder.respond(.accepted)
        finish(outcome)
    }

    private func initError(
        _ request: HTTPRequest, _ responder: HTTPResponder
    ) throws(RuntimeAPIError) {
        try runtime.call(.initError)
        responder.respond(.accepted)
        end(.initError(reported(request)))
    }

    private func requestID(_ request: HTTPRequest) -> String {
        let words = request.path.dropFirst(Self.prefix.count).split(separator: "/")
        return words.count > 1 ? String(words[1]) : ""
    }

    private func reported(_ request: HTTPRequest) -> InvocationFailure {
        let body = try? JSONValue.parse(request.body)
        let type =
            request.headers[Self.errorTypeHeader] ?? body?["errorType"]?.stringValue ?? "Unhandled"
        return .reported(type: type, body: request.body)
    }
}

extension HTTPResponse {
    fileprivate static let accepted = HTTPResponse(
        202, type: "application/json", Array("{\"status\":\"OK\"}\n".utf8))
    fileprivate static let notFound = HTTPResponse(
        404, type: "text/plain; charset=utf-8", Array("404 page not found\n".utf8))
}
