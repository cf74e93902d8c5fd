import Access
import HTTP
import JSON
import StackModel

/// What a gateway needs of the stack that it stands before.
package protocol GatewayBackend: Sendable {
    /// Runs a function once; `completion` runs once, from any thread, and must not block.
    ///
    /// - Parameter notAfter: if it has not begun by then, it is throttled; `nil` waits.
    func invoke(
        _ function: FunctionDefinition, payload: [UInt8], notAfter: Timestamp?,
        completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void)
}

extension StackRuntime: GatewayBackend {}

/// Judges the tokens of `jwt` routes.
package protocol TokenJudge: Sendable {
    /// - Parameter scopes: the token must have one of these; none are asked for if empty.
    /// - Returns: the claims of the token in a request's `Authorization`, if it holds.
    func claims(of request: HTTPRequest, scopes: [String]) throws(TokenFailure) -> JSONObject
}
