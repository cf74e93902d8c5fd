import JSON

/// Something about a stack file that its author should know.
package struct Diagnostic: Equatable, Sendable {
    package enum Severity: String, Sendable {
        /// The stack cannot be deployed.
        case error
        case warning
    }

    package var severity: Severity
    package var position: JSONPosition
    /// "lambdas.CreateOrder.timeout is 9000; allowed: 1 to 900 (seconds)".
    package var message: String

    package init(_ severity: Severity, _ position: JSONPosition, _ message: String) {
        self.severity = severity
        self.position = position
        self.message = message
    }

    /// `stack.json:23:15: error: …`, as editors and compilers know it.
    package func line(file: String) -> String {
        "\(file):\(position.line):\(position.column): \(severity.rawValue): \(message)"
    }
}
