import JSON
import StackModel

/// What runs asynchronous events: the deployment of the moment.
package protocol EventBackend: Sendable {
    var stack: Stack { get }

    /// Invocations of a function that may run at once.
    func environmentLimit(of function: FunctionDefinition) -> Int

    /// Runs a function once; `completion` runs once, from any thread, and must not block.
    ///
    /// - Parameter notAfter: if it has not begun by then, it is throttled; `nil` waits.
    func invoke(
        _ function: FunctionDefinition, payload: [UInt8], requestID: String,
        clientContext: String?, notAfter: Timestamp?,
        completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void)
}

extension StackRuntime: EventBackend {
    package var stack: Stack { deployment.stack }
}
