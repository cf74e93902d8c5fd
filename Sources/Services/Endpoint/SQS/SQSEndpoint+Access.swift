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
        guard let authorizer, authorizer.asksPolicies else { return true }
        let judgement = judgement(
            of: exchange, on: arn(queue.name), queue.policy(owner: ownerARN), isFinal: false)
        return judgement?.decision?.isAllowed ?? true
    }

    /// The last word; on a worker.
    ///
    /// - Parameter name: the queue that `QueueUrl` names.
    /// - Throws: what keeps the queue from being read, too: nobody knows then what it denies.
    func authorize(_ exchange: SQSExchange, _ name: String?) throws {
        guard let caller = exchange.caller else { return }
        let resource = resource(of: exchange.call, name)
        let policy = try queueName(arn: resource).flatMap {
            try queues.policy(of: $0, owner: ownerARN)
        }
        guard
            let judgement = judgement(of: exchange, on: resource, policy, isFinal: true),
            judgement.isRefused
        else { return }
        throw caller.isAnonymous ? SQSError(.missing) : SQSError.accessDenied(judgement.message)
    }

    /// Who may use a queue whose policy cannot be read.
    private var ownerARN: String {
        "arn:aws:iam::\(accountID):user/\(CredentialStore.developer)"
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
        case .startMessageMoveTask, .listMessageMoveTasks: call.input.sourceARN ?? arn("*")
        // Its handle alone says whose task it is.
        case .cancelMessageMoveTask: Self.taskSource(of: call.input) ?? arn("*")
        default: arn(queue ?? "*")
        }
    }
}
