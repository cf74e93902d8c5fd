import HTTP
import JSON
import Journal
import Posix
import QueueModel

/// Where a call came from. An object, so that holding it costs no box.
protocol SQSClient: AnyObject, Sendable {
    func respond(_ response: HTTPResponse)
    /// Runs `body`, on the client's loop, if the client leaves before it is answered.
    func onDisconnect(_ body: @escaping @Sendable () -> Void)
    /// Whether the caller is where the answer is written.
    var isOnLoop: Bool { get }
    /// Runs `work` there.
    func perform(_ work: @escaping @Sendable () -> Void)
}

extension HTTPResponder: SQSClient {}

/// A call and the client that waits for its answer. An object, as a call is.
final class SQSExchange: Sendable {
    let call: SQSCall
    let client: any SQSClient
    let failures: FailureLog
    /// Who calls; `nil` where everybody is the developer.
    let caller: Caller?
    /// Whether the queue was removed under it once already.
    let isRepeated: Bool

    init(
        _ call: SQSCall, _ client: any SQSClient, _ failures: FailureLog, _ caller: Caller?,
        isRepeated: Bool = false
    ) {
        self.call = call
        self.client = client
        self.failures = failures
        self.caller = caller
        self.isRepeated = isRepeated
    }

    /// The same for the second time.
    var again: SQSExchange { SQSExchange(call, client, failures, caller, isRepeated: true) }

    func succeed(_ reply: SQSReply) {
        client.respond(call.wire.success(reply, call.operation, by: caller?.arn))
    }

    func fail(_ error: any Error) {
        let answer = SQSError(error)
        if answer.isInternalFailure {
            let words = answer == .unknownFailure ? "\(error)." : answer.message
            failures.say("\(call.operation.rawValue)\(place) failed: \(words)")
        }
        client.respond(call.wire.failure(answer, call.operation, by: caller?.arn))
    }

    /// " of Q"; the URL is the client's, and may hold anything.
    private var place: String {
        let name = call.input.queueURL?.split(separator: "/").last.map(String.init) ?? ""
        return QueueDirectory.isValid(name) ? " of \(name)" : ""
    }

    /// - Parameter body: `nil` if somebody else answers.
    func answer(_ body: () throws -> SQSReply?) {
        do {
            if let reply = try body() { succeed(reply) }
        } catch {
            fail(error)
        }
    }
}

extension SQSError {
    /// In SQS's words, whatever went wrong.
    init(_ error: any Error) {
        self =
            switch error {
            case let error as SQSError: error
            case JournalError.removed, QueueError.noSuchQueue, QueueError.journal(.removed, _):
                .queueDoesNotExist
            case QueueError.deletedRecently: .queueDeletedRecently
            case QueueError.redriveDenied:
                .invalidParameter(
                    "The dead-letter queue's RedriveAllowPolicy does not allow this source queue.")
            case JournalError.overloaded: .requestThrottled
            case let error as JournalError: .internalFailure("\(error).")
            case QueueError.journal(let error, _): .internalFailure("\(error).")
            case let error as SystemError: .internalFailure("\(error).")
            default: .unknownFailure
            }
    }
}
