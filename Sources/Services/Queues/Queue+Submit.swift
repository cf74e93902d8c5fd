import JSON
import Journal
import QueueModel
import Synchronization

/// The queue's operations for callers that do not wait, such as an event loop: each returns at
/// once, and `completion` gets the outcome when it is as durable as the queue promises. It runs on
/// a thread of the journal's or of another caller, and must not hold that up.
extension Queue {
    package typealias Completion<R> = @Sendable (Result<R, any Error>) -> Void

    /// Sends up to 10 entries as one record.
    package func submitSend(
        _ entries: [SendEntry],
        completion: @escaping Completion<[Outcome<SentMessage>]>
    ) {
        let entries = packed(entries)
        submit { [self] session in
            try send(entries, &session)
        } completion: { [self] result in
            if case .success(let outcomes) = result { observeSent(entries, outcomes) }
            completion(result)
        }
    }

    /// Receives what is visible now, up to 10 messages.
    ///
    /// - Parameter timeoutSeconds: `nil` is the queue's own.
    package func submitReceive(
        upTo limit: Int, timeoutSeconds: Int64? = nil, completion: @escaping Completion<Received>
    ) {
        submit(isReading: true, isDurable: { $0.isFIFO }) { [self] session in
            try receive(upTo: limit, timeoutSeconds: timeoutSeconds, &session)
        } completion: { [self] result in
            let result = result.flatMap { received in Result { try received.unpacked() } }
            if case .success(let received) = result {
                observe(QueueActivity(queue: name, kind: .received(received.deliveries.count)))
            }
            completion(result)
        }
    }

    /// One look of a receiver that may wait if there is nothing.
    package struct Look: Sendable {
        package var received: Received
        /// If there was nothing: when the next message becomes visible by itself.
        package var nextWake: Timestamp?
        /// How long the queue's own setting lets a receiver wait.
        package var patience: Duration
    }

    /// As `submitReceive`, without counting it: who waits looks often and counts once
    /// (`observeReceived`).
    ///
    /// - Parameter attempt: FIFO: the name under which the same receive may be repeated.
    package func submitLook(
        upTo limit: Int, timeoutSeconds: Int64?, attempt: String?,
        completion: @escaping Completion<Look>
    ) {
        submit(isReading: true, isDurable: { $0.isFIFO }) { [self] session in
            let received = try receive(
                upTo: limit, timeoutSeconds: timeoutSeconds, attempt: attempt, &session)
            let queue = session.state.queue
            return Look(
                received: received,
                nextWake: received.deliveries.isEmpty ? queue.nextWake(after: session.now) : nil,
                patience: .seconds(queue.settings.receiveWaitTimeSeconds))
        } completion: { result in
            completion(
                result.flatMap { look in
                    Result {
                        var look = look
                        look.received = try look.received.unpacked()
                        return look
                    }
                })
        }
    }

    package func observeReceived(_ count: Int) {
        observe(QueueActivity(queue: name, kind: .received(count)))
    }

    /// Deletes by receipt handle; each handle's outcome.
    package func submitDelete(
        _ handles: [String], completion: @escaping Completion<[Outcome<Void>]>
    ) {
        submit(isDurable: { $0.isFIFO }) { session in
            try Self.delete(handles, &session)
        } completion: { [self] result in
            if case .success(let outcomes) = result { observeDeleted(outcomes) }
            completion(result)
        }
    }

    /// Changes how long received messages stay hidden; each handle's outcome.
    package func submitVisibility(
        _ changes: [(handle: String, seconds: Int64)],
        completion: @escaping Completion<[Outcome<Void>]>
    ) {
        submit(isDurable: { _ in false }) { session in
            try session.sweepExpired()
            var decided: [(place: Place, visibleAt: Timestamp)] = []
            let outcomes = changes.map { change -> Outcome<Void> in
                do throws(SQSError) {
                    decided.append(
                        try session.state.queue.changeVisibility(
                            change.handle, toSeconds: change.seconds, at: session.now))
                    return .success(())
                } catch {
                    return .failure(error)
                }
            }
            if !decided.isEmpty { try session.append(.visibility(decided)) }
            return outcomes
        } completion: {
            completion($0)
        }
    }

    /// - Parameter isReading: whether it may have bodies to unpack.
    private func submit<R: Sendable>(
        isReading: Bool = false,
        isDurable: @escaping @Sendable (QueueSettings) -> Bool = { _ in true },
        _ body: @escaping @Sendable (inout JournalSession<QueueJournalState>) throws -> R,
        completion: @escaping Completion<R>
    ) {
        // FIFO looks for ids in files, and for messages far ahead.
        let isBrief = known.withLock { !$0.isFIFO && !(isReading && $0.isCompressed) }
        journal.submit(
            now: environment.clock.now(), isBrief: isBrief,
            Submission(self, isDurable, body, completion))
    }
}

/// One operation: all of it in one object, since there are hundreds of thousands a second.
private final class Submission<R: Sendable>: JournalWork, @unchecked Sendable {
    // Safe to share: a journal runs and concludes it, one after the other.
    private let queue: Queue
    private let isDurable: @Sendable (QueueSettings) -> Bool
    private let body: @Sendable (inout JournalSession<QueueJournalState>) throws -> R
    private let completion: Queue.Completion<R>
    private var outcome: R?

    init(
        _ queue: Queue, _ isDurable: @escaping @Sendable (QueueSettings) -> Bool,
        _ body: @escaping @Sendable (inout JournalSession<QueueJournalState>) throws -> R,
        _ completion: @escaping Queue.Completion<R>
    ) {
        self.queue = queue
        self.isDurable = isDurable
        self.body = body
        self.completion = completion
    }

    func run(_ session: inout JournalSession<QueueJournalState>) throws -> Bool {
        outcome = try body(&session)
        queue.note(session.state.queue.settings)
        return session.mustSync(isDurable)
    }

    func conclude(_ failure: (any Error)?) {
        if let failure { return completion(.failure(failure)) }
        guard let outcome else { preconditionFailure("what was done has a result") }
        completion(.success(outcome))
    }
}

extension JournalSession where State == QueueJournalState {
    /// Whether the queue promises that what `isDurable` asks about is on the disk before the reply.
    func mustSync(_ isDurable: (QueueSettings) -> Bool) -> Bool {
        state.queue.settings.durability == .fsync && isDurable(state.queue.settings)
    }
}
