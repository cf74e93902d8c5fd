import Access
import HTTP
import QueueModel

/// Who may do what: the caller's own policy and the queue's, together (docs/security.md).
extension SQSEndpoint {
    /// - Returns: `nil` where everybody is the developer.
    func caller(of request: HTTPRequest) throws(SQSError) -> Caller? {
        guard let authorizer else { return nil }
        do throws(SignatureFailure) {
            return try authorizer.caller(of: request, service: "sqs")
        } catch {
            throw SQSError(error)
        }
    }

    /// Whether the call is allowed for all that this process knows: what it does not allow may be
    /// allowed by a policy that another process has set since (`authorize`).
    func isAllowed(_ exchange: SQSExchange, _ queue: Queue) -> Bool {
        guard let authorizer, authorizer.asksPolicies else { return true }
        guard let caller = exchange.caller else { return true }
        let judgement = judgement(
            by: caller, exchange.call.operation.action, on: arn(queue.name),
            queue.policy(owner: ownerARN), isFinal: false)
        return judgement?.decision?.isAllowed ?? true
    }

    /// The last word; on a worker.
    ///
    /// - Parameter name: the queue that `QueueUrl` names.
    /// - Throws: what keeps the queue from being read, too: nobody knows then what it denies.
    func authorize(_ exchange: SQSExchange, _ name: String?) throws {
        guard let caller = exchange.caller else { return }
        for (action, resource) in demands(of: exchange.call, on: name) {
            let policy = try queueName(arn: resource).flatMap {
                try queues.policy(of: $0, owner: ownerARN)
            }
            guard
                let judgement = judgement(by: caller, action, on: resource, policy, isFinal: true),
                judgement.isRefused
            else { continue }
            throw caller.isAnonymous ? SQSError(.missing) : SQSError.accessDenied(judgement.message)
        }
    }

    /// All that a call does. Who moves messages receives, deletes and sends them (SQS API
    /// reference, *StartMessageMoveTask*).
    private func demands(
        of call: SQSCall, on name: String?
    ) -> [(action: String, resource: String)] {
        let source = resource(of: call, name)
        guard call.operation == .startMessageMoveTask else {
            return [(call.operation.action, source)]
        }
        let actions = [
            call.operation.action, "sqs:ReceiveMessage", "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ]
        return actions.map { ($0, source) }
            + (call.input.destinationARN.map { [("sqs:SendMessage", $0)] } ?? [])
    }

    /// Who may use a queue whose policy cannot be read.
    private var ownerARN: String {
        "arn:aws:iam::\(accountID):user/\(CredentialStore.developer)"
    }

    private func judgement(
        by caller: Caller, _ action: String, on resource: String, _ policy: Policy?, isFinal: Bool
    ) -> Judgement? {
        authorizer?.judge(
            caller, action: action, resource: resource, resourcePolicy: policy, isFinal: isFinal)
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
