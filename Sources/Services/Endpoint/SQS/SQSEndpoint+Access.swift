import Access
import QueueModel

/// Who may do what: the caller's own policy and the queue's, together (docs/security.md).
extension SQSEndpoint {
    /// - Returns: `nil` where everybody is the developer.
    func caller(of call: SQSCall) throws(SQSError) -> Caller? {
        guard let authorizer else { return nil }
        do throws(SignatureFailure) {
            return try authorizer.caller(of: call.request, service: "sqs")
        } catch {
            throw SQSError(error)
        }
    }

    /// Whether the call is allowed for all that this process knows: what it does not allow may be
    /// allowed by a policy that another process has set since (`authorize`).
    func isAllowed(_ exchange: SQSExchange, _ queue: Queue) -> Bool {
        let judgement = judgement(
            of: exchange, on: arn(queue.name), queue.policy, isFinal: false)
        return judgement?.decision?.isAllowed ?? true
    }

    /// The last word; on a worker.
    ///
    /// - Parameter name: the queue that `QueueUrl` names.
    func authorize(_ exchange: SQSExchange, _ name: String?) throws(SQSError) {
        guard let caller = exchange.caller else { return }
        let resource = resource(of: exchange.call, name)
        let policy = queueName(arn: resource).flatMap { name in
            // A queue that is not there, or cannot be read, has nothing to say.
            try? queues.queue(name).newestPolicy()
        }
        guard
            let judgement = judgement(of: exchange, on: resource, policy, isFinal: true),
            judgement.isRefused
        else { return }
        throw caller.isAnonymous ? SQSError(.missing) : .accessDenied(judgement.message)
    }

    private func judgement(
        of exchange: SQSExchange, on resource: String, _ policy: Policy?, isFinal: Bool
    ) -> Judgement? {
        guard let caller = exchange.caller else { return nil }
        return authorizer?.judge(
            caller, action: exchange.call.operation.action, resource: resource,
            resourcePolicy: policy, isFinal: isFinal)
    }

    /// The ARN of the queue that a call is about; of all queues if it names none.
    private func resource(of call: SQSCall, _ queue: String?) -> String {
        switch call.operation {
        case .createQueue, .getQueueURL: arn(call.input.queueName ?? "*")
        case .listQueues: arn("*")
        case .startMessageMoveTask, .listMessageMoveTasks, .cancelMessageMoveTask:
            Self.moveSource(of: call.input) ?? arn("*")
        default: arn(queue ?? "*")
        }
    }
}
