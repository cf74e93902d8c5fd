import JSON

/// Why an invocation ended without the function's own answer. Each has Lambda's error object and
/// its line in the log.
package enum InvocationFailure: Equatable, Sendable {
    case timeout(seconds: Int64)
    /// The process ended by itself; `nil` is exit status 0.
    case exit(reason: String?)
    case outOfMemory
    case responseTooLarge
    case noBootstrap
    /// What the runtime said in `init/error`, or in `invocation/ID/error`.
    case reported(type: String, body: [UInt8])

    package var errorType: String {
        switch self {
        case .timeout: "Sandbox.Timedout"
        case .exit: "Runtime.ExitError"
        case .outOfMemory: "Runtime.OutOfMemory"
        case .responseTooLarge: "Function.ResponseSizeTooLarge"
        case .noBootstrap: "Runtime.InvalidEntrypoint"
        case .reported(let type, _): type
        }
    }

    /// The error object that a caller gets.
    package func payload(requestID: String) -> [UInt8] {
        if case .reported(_, let body) = self { return body }
        let message =
            self == .responseTooLarge
            ? words : "RequestId: \(requestID) Error: \(words)"
        let json: JSONValue = [
            "errorType": .string(errorType), "errorMessage": .string(message),
        ]
        return Array(json.serialized().utf8)
    }

    /// What the log says of it; `nil` where the runtime has written its own line.
    package func logLine(requestID: String, time: Timestamp) -> String? {
        switch self {
        case .timeout: "\(time.iso8601) \(requestID) \(words)"
        case .reported: nil
        case .responseTooLarge: "\(words)"
        default: "RequestId: \(requestID) Error: \(words)\n\(errorType)"
        }
    }

    /// How REPORT names it.
    package var reportStatus: String {
        if case .timeout = self { "timeout" } else { "error\tError Type: \(errorType)" }
    }

    private var words: String {
        switch self {
        case .timeout(let seconds): "Task timed out after \(seconds).00 seconds"
        case .exit(nil): "Runtime exited without providing a reason"
        case .exit(let reason?): "Runtime exited with error: \(reason)"
        case .outOfMemory: "Runtime exited with error: signal: killed"
        case .responseTooLarge:
            "Response payload size exceeded maximum allowed payload size "
                + "(\(FunctionLimits.responseBytes) bytes)."
        case .noBootstrap: "Couldn't find valid bootstrap(s): [bootstrap]"
        case .reported(let type, _): type
        }
    }
}
