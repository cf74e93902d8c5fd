import JSON
import Journal
import QueueModel

// The operations of callers that do not wait. Each is one object with all that it needs, and no
// generic one: there are hundreds of thousands a second.

final class SendWork: JournalWork, @unchecked Sendable {
    // Safe to share, like the others: a journal runs and concludes it, one after the other.
    private let queue: Queue
    private let entries: [SendEntry]
    private let completion: Queue.Completion<[Outcome<SentMessage>]>
    private var outcomes: [Outcome<SentMessage>] = []

    init(
        _ queue: Queue, _ entries: [SendEntry],
        _ completion: @escaping Queue.Completion<[Outcome<SentMessage>]>
    ) {
        self.queue = queue
        self.entries = entries
        self.completion = completion
    }

    func run(_ session: inout JournalSession<QueueJournalState>) throws -> Bool {
        outcomes = try queue.send(entries, &session)
        queue.note(&session)
        return session.mustSync { _ in true }
    }

    func conclude(_ failure: (any Error)?) {
        if let failure { return completion(.failure(failure)) }
        queue.observeSent(entries, outcomes)
        completion(.success(outcomes))
    }
}

final class LookWork: JournalWork, @unchecked Sendable {
    private let queue: Queue
    private let limit: Int
    private let timeoutSeconds: Int64?
    private let attempt: String?
    private let completion: Queue.Completion<Queue.Look>
    private var look: Queue.Look?

    init(
        _ queue: Queue, _ limit: Int, _ timeoutSeconds: Int64?, _ attempt: String?,
        _ completion: @escaping Queue.Completion<Queue.Look>
    ) {
        self.queue = queue
        self.limit = limit
        self.timeoutSeconds = timeoutSeconds
        self.attempt = attempt
        self.completion = completion
    }

    func run(_ session: inout JournalSession<QueueJournalState>) throws -> Bool {
        var received = Queue.Received(deliveries: [], hasTransfers: false, isOnTheWay: false)
        var isFull = false
        do {
            received = try queue.receive(
                upTo: limit, timeoutSeconds: timeoutSeconds, attempt: attempt, &session)
        } catch let error as SQSError where error == .overLimit {
            received.hasTransfers = !session.state.queue.transfers.isEmpty
            isFull = true
        }
        let now = session.now
        look = Queue.Look(
            received: received, isFull: isFull,
            nextWake: received.deliveries.isEmpty
                ? session.state.queue.nextWake(after: now) : nil,
            patience: .seconds(session.state.queue.settings.receiveWaitTimeSeconds))
        queue.note(&session)
        return session.mustSync { $0.isFIFO }
    }

    func conclude(_ failure: (any Error)?) {
        if let failure { return completion(.failure(failure)) }
        guard var look = look.take() else { preconditionFailure("what was done has a result") }
        do throws(QueueRecordError) {
            try look.received.unpack()
        } catch {
            return completion(.failure(error))
        }
        completion(.success(look))
    }
}

final class DeleteWork: JournalWork, @unchecked Sendable {
    private let queue: Queue
    private let handles: [ReceiptHandle]
    private let completion: Queue.Completion<[Outcome<Void>]>
    private var outcomes: [Outcome<Void>] = []

    init(
        _ queue: Queue, _ handles: [ReceiptHandle],
        _ completion: @escaping Queue.Completion<[Outcome<Void>]>
    ) {
        self.queue = queue
        self.handles = handles
        self.completion = completion
    }

    func run(_ session: inout JournalSession<QueueJournalState>) throws -> Bool {
        outcomes = try queue.delete(handles, &session)
        queue.note(&session)
        return session.mustSync { $0.isFIFO }
    }

    func conclude(_ failure: (any Error)?) {
        if let failure { return completion(.failure(failure)) }
        queue.observeDeleted(outcomes)
        completion(.success(outcomes))
    }
}

final class VisibilityWork: JournalWork, @unchecked Sendable {
    private let queue: Queue
    private let changes: [(handle: String, seconds: Int64)]
    private let completion: Queue.Completion<[Outcome<Void>]>
    private var outcomes: [Outcome<Void>] = []

    init(
        _ queue: Queue, _ changes: [(handle: String, seconds: Int64)],
        _ completion: @escaping Queue.Completion<[Outcome<Void>]>
    ) {
        self.queue = queue
        self.changes = changes
        self.completion = completion
    }

    func run(_ session: inout JournalSession<QueueJournalState>) throws -> Bool {
        try session.sweepExpired()
        var decided: [(place: Place, visibleAt: Timestamp)] = []
        outcomes = changes.map { change -> Outcome<Void> in
            do throws(SQSError) {
                decided.append(
                    try queue.change(change.handle, toSeconds: change.seconds, &session))
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        if !decided.isEmpty { try session.append(.visibility(decided)) }
        queue.note(&session)
        return false
    }

    func conclude(_ failure: (any Error)?) {
        if let failure { return completion(.failure(failure)) }
        completion(.success(outcomes))
    }
}
