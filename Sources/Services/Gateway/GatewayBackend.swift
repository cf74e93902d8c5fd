import Access
import JSON
import StackModel

/// What a gateway needs of the stack that it stands before.
package protocol GatewayBackend: Sendable {
    /// Runs a function once; `completion` runs once, from any thread, and must not block.
    func invoke(
        _ function: FunctionDefinition, payload: [UInt8],
        completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void)
}

extension StackRuntime: GatewayBackend {}

/// Judges the tokens of `jwt` routes.
package protocol TokenJudge: Sendable {
    /// - Parameter scopes: it must have one of these; none are asked for if empty.
    /// - Returns: the claims of a token that holds.
    func claims(
        of token: String, scopes: [String], at now: Timestamp
    ) throws(TokenFailure) -> JSONObject
}
