import HTTP
import StackModel
import Synchronization

/// Gets every request of the endpoint port, and hands it to the service that it is for.
package final class EndpointRouter: Sendable {
    private let sqs: SQSEndpoint
    private let control: ControlEndpoint

    init(_ runtime: StackRuntime, control: ControlEndpoint) {
        self.control = control
        sqs = SQSEndpoint(
            region: runtime.deployment.stack.region,
            accountID: runtime.deployment.stack.accountID, host: runtime.host,
            authorizer: runtime.authorizer)
    }

    /// On the loop; answers from any thread.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if request.path.hasPrefix(ControlEndpoint.prefix) {
            return control.handle(request, responder)
        }
        sqs.handle(request, responder)
    }
}

/// Set once, read from anywhere.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
