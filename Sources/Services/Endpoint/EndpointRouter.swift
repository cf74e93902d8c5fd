import HTTP
import StackModel
import Synchronization

/// Gets every request of the endpoint port, and hands it to the service that it is for.
package final class EndpointRouter: Sendable {
    private let sqs: SQSEndpoint
    private let control: ControlEndpoint
    private let runtime: StackRuntime

    init(_ runtime: StackRuntime, control: ControlEndpoint) {
        self.runtime = runtime
        self.control = control
        sqs = SQSEndpoint(
            queues: runtime.queues, region: runtime.deployment.stack.region,
            accountID: runtime.deployment.stack.accountID, authorizer: runtime.authorizer)
    }

    /// On the loop; answers from any thread.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if request.path.hasPrefix(ControlEndpoint.prefix) {
            return control.handle(request, responder)
        }
        let isGone = Flag()
        responder.onDisconnect { isGone.set() }
        runtime.perform { [self] in
            responder.respond(
                sqs.respond(
                    to: request, isCancelled: { [control] in isGone.isSet || control.isStopping }))
        }
    }
}

/// Set once, read from anywhere.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
