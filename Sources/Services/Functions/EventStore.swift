import JSON
import Posix
import QueueModel
import StackModel

/// Asynchronous events that wait for their functions: a journal a function, `events/NAME`. Any
/// process may add; a server runs them.
package final class EventStore: Sendable {
    private let journals: QueueDirectory

    package init(stateDirectory: String, clock: StackClock = StackClock()) {
        var environment = QueueEnvironment()
        environment.clock = clock
        journals = QueueDirectory(
            stateDirectory: "\(stateDirectory)/events", environment: environment)
    }

    /// The names of the functions that ever had an event.
    func functionNames() throws -> [String] { try journals.names() }

    /// Nothing more is to be done with the events.
    package func close() { journals.close() }

    func queue(_ functionName: String) throws -> Queue { try journals.queue(functionName) }

    /// Keeps an event for its function; it is durable when this returns.
    /// - Returns: the request ID of its invocations.
    @discardableResult
    package func accept(_ payload: [UInt8], for function: FunctionDefinition) throws -> String {
        let name = function.functionName
        if try !journals.names().contains(name) {
            var settings = QueueSettings()
            settings.retentionSeconds = QueueLimits.retentionSeconds.upperBound
            do {
                try journals.create(name, settings)
            } catch QueueError.exists {
                // Two events came at once.
            }
        }
        return try journals.queue(name).send([AsynchronousEvent.entry(payload)])[0].get().messageID
    }
}
