import Access
import Crypto
import HTTP
import JSON
import StackModel

/// `msorch invoke` by way of a running server: `POST /_msorch/invoke/FUNCTION`, signed for Lambda,
/// answered with everything that the command shows.
package final class InvokeEndpoint: Sendable {
    package static let prefix = "/_msorch/invoke/"
    /// When what the caller sees was deployed: the server catches up before it invokes.
    package static let deployedField: StaticString = "X-Msorch-Deployed"

    private let runtime: StackRuntime

    init(_ runtime: StackRuntime) { self.runtime = runtime }

    /// Whether the caller knows of another deployment than this one.
    func isOutdated(for request: HTTPRequest) -> Bool {
        guard let deployed = request.headers[Self.deployedField] else { return false }
        return deployed != runtime.deployment.deployedAt.iso8601
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        guard request.method == "POST" else {
            return responder.respond(
                .json(405, ["message": "Ask by POST."], headers: ["Allow": "POST"]))
        }
        runtime.perform { [self] in
            let stack = runtime.deployment.stack
            let name = PercentEncoding.decode(request.path.dropFirst(Self.prefix.count))
            let function = stack.function(name)
            let arn = FunctionName(function?.functionName ?? name, qualifier: nil).arn(in: stack)
            let caller: String
            do throws(LambdaError) {
                caller = try runtime.authorizer.mayInvoke(request, arn)
            } catch {
                return responder.respond(error.response(RandomBytes.uuid()))
            }
            guard let function else {
                let error = InvocationError.noSuchFunction(
                    name, existing: stack.functions.map(\.key))
                return responder.respond(.json(404, error.json))
            }
            runtime.invoke(function, payload: request.body, notAfter: nil) { [self] outcome in
                var response: HTTPResponse =
                    switch outcome {
                    case .success(let result): .json(200, InvocationSummary(result).json)
                    case .failure(let error): .json(500, error.json)
                    }
                response.operation = "Invoke"
                response.principal = caller
                // Who looks into the log next finds it there, as without a server; a disk that is
                // full must not change the answer.
                runtime.perform { [runtime, response] in
                    try? runtime.host.monitor.flushLogs()
                    responder.respond(response)
                }
            }
        }
    }
}
