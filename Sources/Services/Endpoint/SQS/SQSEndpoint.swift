import Crypto
import HTTP
import JSON
import Journal
import Posix
import QueueModel
import Synchronization

/// SQS on the stack's queues, in JSON 1.0 and Query (docs/sqs.md).
///
/// A call on a queue's messages runs on its client's event loop and is answered from the journal's
/// callbacks; whatever may block goes to the workers.
package final class SQSEndpoint: Sendable {
    /// Bytes of bodies from which on reading and hashing them would hold the loop up.
    static let largeBody = 65_536

    let queues: QueueDirectory
    let region: String
    let accountID: String
    let workers: WorkerPool
    let polls: LongPolls
    let moveTasks: MoveTaskRunner
    let authorizer: Authorizer?
    private let quota: FIFOQuota
    private let failures: FailureLog
    /// The URL that was last found to be a queue's: many calls in a row are for one. It has no
    /// backslash, so that JSON has it as it is.
    let lastURL = Mutex<(url: String, name: String)?>(nil)

    /// - Parameters:
    ///   - authorizer: `nil` takes everybody for the developer.
    ///   - quotaQueues: the queues whose quota is enforced.
    init(
        region: String, accountID: String, host: RuntimeHost, authorizer: Authorizer? = nil,
        quotaQueues: Set<String> = []
    ) {
        self.region = region
        self.accountID = accountID
        self.authorizer = authorizer
        quota = FIFOQuota(queues: quotaQueues, clock: host.clock)
        failures = FailureLog(clock: host.clock, warn: host.warn)
        queues = host.queues
        workers = host.pool
        polls = host.polls
        moveTasks = host.moveTasks
    }

    /// Takes one request; on the loop of its client.
    func handle(_ request: HTTPRequest, _ client: any SQSClient) {
        guard request.body.count > Self.largeBody else { return begin(request, client) }
        workers.execute { [self] in begin(request, client) }
    }

    private func begin(_ request: HTTPRequest, _ client: any SQSClient) {
        do throws(SQSCall.Refusal) {
            let call = try SQSCall(
                request, requestID: RandomBytes.uuid(), lastURL: lastURL.withLock { $0?.url })
            begin(call, of: request, client)
        } catch {
            client.respond(
                error.error.map { error.wire.failure($0) } ?? error.wire.nothingAsked())
        }
    }

    /// Finds out who calls, and the queue.
    private func begin(_ call: SQSCall, of request: HTTPRequest, _ client: any SQSClient) {
        let exchange: SQSExchange
        do throws(SQSError) {
            exchange = SQSExchange(call, client, failures, try caller(of: request))
        } catch {
            return SQSExchange(call, client, failures, nil).fail(error)
        }
        do throws(SQSError) {
            if call.operation.isAboutMessages, let name = try queueName(of: call),
                let queue = queues.opened(name), isAllowed(exchange, queue)
            {
                return perform(exchange, queue)
            }
        } catch {
            return exchange.fail(error)
        }
        workers.execute { [self] in performOnWorker(exchange) }
    }

    /// Opening a queue reads its journal; most other operations look at files as well.
    private func performOnWorker(_ exchange: SQSExchange) {
        exchange.answer {
            let call = exchange.call
            let name = try queueName(of: call)
            try authorize(exchange, name)
            guard call.operation.isAboutMessages, let name else {
                do {
                    return try reply(to: call)
                } catch JournalError.removed {
                    // Another queue may have its name by now.
                    if let name { queues.forget(name) }
                    return try reply(to: call)
                }
            }
            let queue = try queue(named: name)
            perform(exchange, queue)
            return nil
        }
    }

    /// Answers that it went wrong; if the queue is another one by now, the call is for that.
    func failed(_ exchange: SQSExchange, _ queue: Queue, _ error: any Error) {
        guard case JournalError.removed = error, !exchange.isRepeated else {
            return exchange.fail(error)
        }
        queues.forget(queue.name)
        workers.execute { [self] in performOnWorker(exchange.again) }
    }

    private func perform(_ exchange: SQSExchange, _ queue: Queue) {
        do throws(SQSError) {
            try quota.take(
                exchange.call.operation, of: queue.name,
                isHighThroughput: queue.hasHighThroughput)
            switch exchange.call.operation {
            case .sendMessage: try sendMessage(exchange, queue)
            case .sendMessageBatch: try sendMessageBatch(exchange, queue)
            case .receiveMessage: try receiveMessage(exchange, queue)
            case .deleteMessage, .deleteMessageBatch: try deleteMessages(exchange, queue)
            default: try changeVisibility(exchange, queue)
            }
        } catch {
            exchange.fail(error)
        }
    }

    /// What may block; on a worker.
    private func reply(to call: SQSCall) throws -> SQSReply {
        switch call.operation {
        case .createQueue: try createQueue(call)
        case .deleteQueue: try deleteQueue(call)
        case .purgeQueue: try purgeQueue(call)
        case .getQueueURL: try getQueueURL(call)
        case .listQueues: try listQueues(call)
        case .listDeadLetterSourceQueues: try listDeadLetterSourceQueues(call)
        case .getQueueAttributes: try getQueueAttributes(call)
        case .setQueueAttributes: try setQueueAttributes(call)
        case .listQueueTags: try listQueueTags(call)
        case .tagQueue: try tagQueue(call)
        case .untagQueue: try untagQueue(call)
        case .addPermission: try addPermission(call)
        case .removePermission: try removePermission(call)
        case .startMessageMoveTask: try startMessageMoveTask(call)
        case .listMessageMoveTasks: try listMessageMoveTasks(call)
        case .cancelMessageMoveTask: try cancelMessageMoveTask(call)
        case .sendMessage, .sendMessageBatch, .receiveMessage, .deleteMessage,
            .deleteMessageBatch, .changeMessageVisibility, .changeMessageVisibilityBatch:
            throw SQSError.unknownOperation
        }
    }

    /// The queue that `QueueUrl` names; `nil` for operations without.
    private func queueName(of call: SQSCall) throws(SQSError) -> String? {
        guard call.operation.hasQueueURL else { return nil }
        return try queueName(url: try SQSInput.required(call.input.queueURL, "QueueUrl"))
    }

    /// The queue that `QueueUrl` names; on a worker.
    func queue(_ call: SQSCall) throws -> Queue {
        try queue(named: try queueName(of: call) ?? "")
    }

    func queue(named name: String) throws -> Queue {
        do {
            return try queues.queue(name)
        } catch QueueError.noSuchQueue {
            throw SQSError.queueDoesNotExist
        }
    }
}
