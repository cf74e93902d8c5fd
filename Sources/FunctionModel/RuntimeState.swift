import JSON

/// What the Runtime API lets a runtime say next, as the runtime interface emulator has it
/// (aws-lambda-runtime-interface-emulator, `core/states.go`).
package struct RuntimeState: Equatable, Sendable {
    package enum Phase: String, Sendable, CaseIterable {
        /// The init phase: the process runs, and has not asked for work.
        case started = "Started"
        case initError = "InitError"
        /// It has asked for an invocation and waits.
        case ready = "Ready"
        case running = "Running"
        /// It has answered, and has not asked again.
        case responseSent = "ResponseSent"
        case exited = "Exited"
    }

    package enum Call: Equatable, Sendable {
        case next
        case initError
        case response(requestID: String)
        case error(requestID: String)
    }

    package private(set) var phase = Phase.started
    /// The invocation that runs, or the last one that ran.
    package private(set) var requestID: String?

    package init() {}

    /// Makes the step that a call asks for.
    /// - Throws: what the runtime gets as its answer; nothing has changed then.
    package mutating func call(_ call: Call) throws(RuntimeAPIError) {
        switch (call, phase) {
        case (.next, .started), (.next, .responseSent), (.next, .ready): phase = .ready
        case (.next, _): throw .transition(from: phase, to: .ready)
        case (.initError, .started): phase = .initError
        case (.initError, _): throw .transition(from: phase, to: .initError)
        case (.response(let id), _), (.error(let id), _):
            guard id == requestID else { throw .invalidRequestID }
            guard phase == .running else { throw .transition(from: phase, to: .responseSent) }
            phase = .responseSent
        }
    }

    /// The waiting runtime gets an invocation.
    package mutating func deliver(_ requestID: String) {
        precondition(phase == .ready, "only a runtime that waits gets an invocation")
        self.requestID = requestID
        phase = .running
    }

    package mutating func exit() { phase = .exited }
}

/// How the Runtime API refuses.
package struct RuntimeAPIError: Error, Equatable, Sendable {
    package var status: Int
    package var type: String
    package var message: String

    package static let invalidRequestID = RuntimeAPIError(
        status: 400, type: "InvalidRequestID", message: "Invalid request ID")

    package static func transition(
        from source: RuntimeState.Phase, to target: RuntimeState.Phase
    ) -> RuntimeAPIError {
        RuntimeAPIError(
            status: 403, type: "InvalidStateTransition",
            message: "State transition from \(source.rawValue) to \(target.rawValue) failed for "
                + "runtime. Error: State transition is not allowed")
    }

    package static let tooLarge = RuntimeAPIError(
        status: 413, type: "RequestEntityTooLarge",
        message: "Exceeded maximum allowed payload size (\(FunctionLimits.responseBytes) bytes).")

    package var json: JSONValue {
        ["errorMessage": .string(message), "errorType": .string(type)]
    }
}
