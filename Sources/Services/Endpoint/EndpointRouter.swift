import Access
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// Gets every request of the endpoint port, and hands it to the service that it is for.
package final class EndpointRouter: Sendable {
    private let sqs: SQSEndpoint
    private let sts: STSEndpoint
    private let lambda: LambdaEndpoint
    private let invoke: InvokeEndpoint
    private let users: UserPoolEndpoint?
    private let workers: WorkerPool
    private let control: ControlEndpoint
    /// The keys of the functions' roles.
    private let roleKeys: Set<String>

    init(_ runtime: StackRuntime, control: ControlEndpoint, events: EventInvoker) {
        self.control = control
        workers = runtime.host.pool
        sqs = SQSEndpoint(
            region: runtime.deployment.stack.region,
            accountID: runtime.deployment.stack.accountID, host: runtime.host,
            authorizer: runtime.authorizer,
            quotaQueues: Set(runtime.deployment.stack.queues.filter(\.enforcesQuota).map(\.name)))
        sts = STSEndpoint(
            accountID: runtime.deployment.stack.accountID, authorizer: runtime.authorizer)
        lambda = LambdaEndpoint(runtime, events: events)
        invoke = InvokeEndpoint(runtime)
        roleKeys = runtime.roleKeys
        users = runtime.userPool.map {
            UserPoolEndpoint(
                $0, authorizer: runtime.authorizer, workers: runtime.host.pool)
        }
    }

    /// On an event loop; answers from any thread.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if request.target.hasPrefix(ControlEndpoint.prefix) {
            return handleOwn(request, responder)
        }
        // Functions that run may finish what they do.
        if control.isStopping, !isOfFunction(request) {
            return responder.respond(.json(503, ["message": "This server is stopping."]))
        }
        if request.target.hasPrefix(LambdaEndpoint.prefix) {
            return lambda.handle(request, responder)
        }
        if let users, users.takes(request) { return users.handle(request, responder) }
        if STSEndpoint.takes(request) {
            // Not on the loop: the body may be large, and is hashed whole.
            return workers.execute { [sts] in responder.respond(sts.respond(to: request)) }
        }
        sqs.handle(request, responder)
    }

    private func handleOwn(_ request: HTTPRequest, _ responder: HTTPResponder) {
        guard request.target.hasPrefix(InvokeEndpoint.prefix) else {
            return control.handle(request, responder)
        }
        if control.isStopping {
            return responder.respond(.json(503, InvocationError.stopped.json))
        }
        if invoke.isOutdated(for: request), control.catchUp(request, responder) { return }
        invoke.handle(request, responder)
    }

    private func isOfFunction(_ request: HTTPRequest) -> Bool {
        Authorizer.keyID(of: request).map(roleKeys.contains) ?? false
    }
}

/// Set once, read from anywhere.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
