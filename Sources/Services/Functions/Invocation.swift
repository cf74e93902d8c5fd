import FunctionModel
import JSON

/// Asks a function to run once.
package struct InvocationRequest: Sendable {
    package var requestID: String
    /// JSON.
    package var payload: [UInt8]
    package var traceID: String
    /// JSON, in ASCII: it goes into a header.
    package var clientContext: String?

    /// Later it is of no use to who asks: if it has not begun by then, it is throttled.
    package var notAfter: Timestamp?

    package init(
        requestID: String, payload: [UInt8], traceID: String, clientContext: String? = nil,
        notAfter: Timestamp? = nil
    ) {
        self.requestID = requestID
        self.payload = payload
        self.traceID = traceID
        self.clientContext = clientContext
        self.notAfter = notAfter
    }
}

/// How an invocation ended. The function may have failed; the invocation itself did not.
package struct InvocationResult: Sendable {
    package var functionName: String
    /// The response, or the error object.
    package var payload: [UInt8]
    package var report: InvocationReport
    package var started: Timestamp
    /// From the first line of the init phase, if it belongs to this invocation, to REPORT; the last
    /// MiB of it.
    package var log: [FunctionLogLine]
    /// Invocations of the function that ran when this one began, itself included.
    package var concurrentExecutions: Int
    /// Whether it was ended with the stack, and not by itself, before it had answered.
    package var wasCutOff = false

    package var failure: InvocationFailure? { report.failure }
}

/// Why a function was not run at all.
package enum InvocationError: Error, Equatable, Sendable {
    case noSuchFunction(String, existing: [String])
    case payloadTooLarge(bytes: Int)
    /// `reservedConcurrency` is used up, too many wait already, or it has waited too long.
    case throttled(functionName: String)
    case cannotStart(functionName: String, reason: String)
    case stopped
}

typealias InvocationCompletion = @Sendable (Result<InvocationResult, InvocationError>) -> Void

/// A request and who waits for it.
struct PendingInvocation: Sendable {
    var request: InvocationRequest
    var completion: InvocationCompletion
}
