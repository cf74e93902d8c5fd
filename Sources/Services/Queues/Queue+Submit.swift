import JSON
import Journal
import QueueModel
import Synchronization

/// The queue's operations for callers that do not wait, such as an event loop: each returns at
/// once, and `completion` gets the outcome when it is as durable as the queue promises. It runs on
/// a thread of the journal's, of another caller, or of an event loop, and must not hold that up.
extension Queue {
    package typealias Completion<R> = @Sendable (Result<R, any Error>) -> Void

    /// Sends up to 10 entries as one record.
    package func submitSend(
        _ entries: [SendEntry], completion: @escaping Completion<[Outcome<SentMessage>]>
    ) {
        submit(SendWork(self, packed(entries), completion))
    }

    /// One look of a receiver that may wait if there is nothing.
    package struct Look: Sendable {
        package var received: Received
        /// As many messages are in flight as there can be: no look finds one before one is gone, or
        /// back.
        package var isFull: Bool
        /// If there was nothing: when the next message becomes visible by itself.
        package var nextWake: Timestamp?
        /// How long the queue's own setting lets a receiver wait.
        package var patience: Duration
    }

    /// Receives what is visible now, up to 10 messages, without counting it: who waits looks often
    /// and counts once (`observeReceived`).
    ///
    /// - Parameters:
    ///   - timeoutSeconds: `nil` is the queue's own.
    ///   - attempt: FIFO: the name under which the same receive may be repeated.
    package func submitLook(
        upTo limit: Int, timeoutSeconds: Int64? = nil, attempt: String? = nil,
        completion: @escaping Completion<Look>
    ) {
        submit(LookWork(self, limit, timeoutSeconds, attempt, completion), isReading: true)
    }

    package func observeReceived(_ count: Int) {
        observe(QueueActivity(queue: name, kind: .received(count)))
    }

    /// As below, of handles as clients give them.
    package func submitDelete(
        _ texts: [String], completion: @escaping Completion<[Outcome<Void>]>
    ) {
        let handles = Self.handles(texts)
        submitDelete(handles.compactMap { try? $0.get() }) { result in
            completion(result.map { Self.outcomes(of: handles, $0) })
        }
    }

    /// Deletes by receipt handle; each handle's outcome.
    package func submitDelete(
        _ handles: [ReceiptHandle], completion: @escaping Completion<[Outcome<Void>]>
    ) {
        submit(DeleteWork(self, handles, completion))
    }

    /// Changes how long received messages stay hidden; each handle's outcome.
    package func submitVisibility(
        _ changes: [(handle: String, seconds: Int64)],
        completion: @escaping Completion<[Outcome<Void>]>
    ) {
        submit(VisibilityWork(self, changes, completion))
    }

    /// - Parameter isReading: whether it may have bodies to unpack.
    private func submit(_ work: some JournalWork<QueueJournalState>, isReading: Bool = false) {
        // FIFO looks for ids in files, and for messages far ahead.
        let isBrief = known.withLock { !$0.isFIFO && !(isReading && $0.isCompressed) }
        journal.submit(now: environment.clock.now(), isBrief: isBrief, work)
    }
}
