import FunctionModel
import JSON
import Journal
import Posix
import QueueModel
import StackModel
import Synchronization

/// Delivers one queue's messages to one function: batches, as many at once as the function's limits
/// allow (Lambda guide, *services-sqs-scaling*).
package final class EventSourceMapping: Sendable {
    /// What was delivered, and what became of it.
    package struct Tally: Equatable, Sendable {
        package var batches = 0
        /// Batches that came back whole: function errors, answers that say nothing.
        package var failedBatches = 0
        /// Messages that are done.
        package var succeeded = 0
        /// Deliveries that failed; a message that fails twice counts twice.
        package var failed = 0
        /// Messages that the filter dropped.
        package var filtered = 0
        /// Why the last failed batch failed.
        package var lastFailure: String?
        package var running = 0
    }

    /// What one invocation gets. Of the messages it keeps what ends them: the payload holds the
    /// rest, and may be large.
    private final class Batch: Sendable {
        let messages: [(id: String, handle: ReceiptHandle)]
        let payload: [UInt8]
        /// From then on others may receive some of it.
        let hiddenUntil: Timestamp?
        /// Whether all of it is done; `nil` while it runs.
        let isDone = Mutex<Bool?>(nil)

        init(_ messages: ArraySlice<SQSEvent.Message>, _ payload: [UInt8]) {
            self.messages = messages.map { ($0.id, $0.delivery.received.handle) }
            self.payload = payload
            hiddenUntil = EventSourceMapping.hiddenUntil(messages)
        }
    }

    /// What became of a batch's messages.
    private struct Outcome {
        /// Those that are done and deleted.
        var succeeded = 0
        var failed: Int
        /// Why the batch came back whole.
        var reason: String?
    }

    private struct State {
        var tally = Tally()
        var isStopping = false
        var isPolling = false
        var error: (any Error)?
    }

    /// A receive waits this long; a message wakes it, and so does `interruption`.
    private static let receiveWait = Duration.seconds(20)
    private static let throttlePause = Duration.milliseconds(200)
    /// After so long it is tried again to delete what is done.
    private static let deletePause = Duration.seconds(1)

    package let trigger: Trigger
    package let function: FunctionDefinition
    private let queue: Queue
    private let arn: String
    private let runtime: StackRuntime
    private let filter: EventFilter?
    /// Batches that may run at once.
    private let limit: Int
    private let state = ThreadCondition(State())
    private let interruption: Interruption

    init(
        _ trigger: Trigger, of function: FunctionDefinition, _ runtime: StackRuntime
    ) throws {
        self.trigger = trigger
        self.function = function
        self.runtime = runtime
        interruption = try Interruption()
        queue = try runtime.queues.queue(trigger.queue)
        arn = runtime.deployment.stack.queueARN(trigger.queue)
        filter = try trigger.filter.map { try EventFilter(json: $0) }
        limit = min(
            trigger.maximumConcurrency ?? 1000, runtime.environmentLimit(of: function))
    }

    package var tally: Tally { state.withLock { $0.tally } }
    /// What ended the mapping before it was stopped: a queue that cannot be read.
    package var error: (any Error)? { state.withLock { $0.error } }

    /// Begins to deliver, also once more after a failure.
    ///
    /// - Parameter onFailure: gets what ended it, if it was not stopped.
    func start(onFailure: @escaping @Sendable (any Error) -> Void = { _ in }) throws {
        state.withLock { $0.isPolling = true }
        let thread: Thread
        do throws(SystemError) {
            thread = try Thread(name: "mapping") { [self] in
                do {
                    try poll()
                    hasStoppedPolling()
                } catch {
                    state.withLock { $0.error = error }
                    hasStoppedPolling()
                    onFailure(error)
                }
            }
        } catch {
            hasStoppedPolling()
            throw error
        }
        thread.detach()
    }

    private func hasStoppedPolling() {
        state.withLock { $0.isPolling = false }
        state.signal()
    }

    /// Begins no further batch; when this returns it holds no message but those of batches that
    /// run.
    func stop() {
        beginToStop()
        state.wait { $0.isPolling ? nil : () }
    }

    /// After `stop`: waits until what became of every batch is written.
    /// - Returns: whether it is.
    func waitForBatches(upTo limit: Duration) -> Bool {
        state.wait(upTo: limit) { $0.tally.running == 0 ? true : nil } ?? false
    }

    /// Begins no further batch; `stop` waits.
    func beginToStop() {
        state.withLock { $0.isStopping = true }
        state.signal()
        interruption.signal()
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func poll() throws {
        while true {
            guard hasRoom() else { return }
            let messages = try collect()
            guard !messages.isEmpty else { continue }
            if isStopping { try release(messages[...]) } else { try deliver(messages) }
        }
    }

    /// Receives a batch: until it is full, in messages or in bytes, or the window has passed.
    private func collect() throws -> [SQSEvent.Message] {
        var messages: [SQSEvent.Message] = []
        var windowEnd: UInt64?
        while messages.count < trigger.batchSize, !isStopping,
            SQSEvent.size(of: messages) < FunctionLimits.requestBytes
        {
            var wait = Self.receiveWait
            if let windowEnd {
                let now = SystemClock.monotonicNanoseconds()
                wait = windowEnd > now ? min(wait, .nanoseconds(Int64(windowEnd - now))) : .zero
            }
            let deliveries = try receive(upTo: trigger.batchSize - messages.count, wait)
            let received = try deliveries.map {
                try SQSEvent.Message($0, arn: arn, of: runtime.deployment.stack)
            }
            // One that became visible within the window has come again.
            messages.removeAll { old in received.contains { $0.id == old.id } }
            messages += received
            if windowEnd == nil {
                guard !deliveries.isEmpty else { return [] }
                let window = Duration.seconds(trigger.batchWindowSeconds)
                windowEnd = SystemClock.monotonicNanoseconds() + window.nanoseconds
            }
            let isPast = SystemClock.monotonicNanoseconds() >= (windowEnd ?? 0)
            if isPast, deliveries.count < 10 { break }
        }
        return try passing(messages)
    }

    private func receive(upTo limit: Int, _ wait: Duration) throws -> [Queue.Delivery] {
        do {
            return try queue.receive(
                upTo: min(10, limit), wait: wait, movingTo: runtime.queues, isCounted: false,
                interruption: interruption, isCancelled: { self.isStopping })
        } catch let error as SQSError where error == .overLimit {
            return []  // others have as many in flight as there can be: the next wait goes on
        }
    }

    /// What the filter lets through; the rest is deleted, as on AWS.
    private func passing(_ messages: [SQSEvent.Message]) throws -> [SQSEvent.Message] {
        guard let filter else { return messages }
        let dropped = messages.filter { !filter.matches($0.record) }
        guard !dropped.isEmpty else { return messages }
        if let error = delete(dropped.map(\.delivery.received.handle)).error { throw error }
        state.withLock { $0.tally.filtered += dropped.count }
        return messages.filter { filter.matches($0.record) }
    }

    /// What does not fit into one event comes with another: at once, lest it use up its receives
    /// unseen; of a FIFO queue, once all before it is done.
    private func deliver(_ messages: [SQSEvent.Message]) throws {
        var rest = messages[...]
        while !rest.isEmpty {
            let (payload, count) = SQSEvent.make(Array(rest), limit: FunctionLimits.requestBytes)
            let batch = Batch(rest.prefix(count), payload)
            state.withLock { $0.tally.running += 1 }
            invoke(batch)
            rest = rest.dropFirst(count)
            guard !rest.isEmpty else { return }
            guard !isFIFO || isDone(batch), hasRoom() else { return try release(rest) }
            // Waiting took too long: they are others' by now.
            guard isHidden(until: Self.hiddenUntil(rest)) else { return }
        }
    }

    private var isFIFO: Bool { queue.name.hasSuffix(".fifo") }

    /// Waits for a batch to end; `false` as well if no other may run any more.
    private func isDone(_ batch: Batch) -> Bool {
        state.wait { state -> Bool? in
            state.isStopping ? false : batch.isDone.withLock { $0 }
        }
    }

    /// Waits until another batch may run; `false` if none may any more.
    private func hasRoom() -> Bool {
        state.wait { state -> Bool? in
            if state.isStopping { return false }
            return state.tally.running < limit ? true : nil
        }
    }

    /// Gives messages back at once. One that has gone, or is another's by now, needs not.
    private func release(_ messages: ArraySlice<SQSEvent.Message>) throws {
        try release(messages.map(\.handle))
    }

    private func release(_ handles: [String]) throws {
        for handle in handles {
            do {
                try queue.changeVisibility(of: handle, toSeconds: 0)
            } catch is SQSError {
                continue
            }
        }
    }

    private func invoke(_ batch: Batch) {
        let end = batch.hiddenUntil
        runtime.invoke(function, payload: batch.payload, notAfter: end) { [self] result in
            if case .failure(.throttled) = result, !isStopping, isHidden(until: end) {
                runtime.schedule(after: Self.throttlePause) { [self] in invoke(batch) }
                return
            }
            runtime.perform { [self] in settle(batch, result) }
        }
    }

    /// From then on others may receive some of them.
    private static func hiddenUntil(_ messages: ArraySlice<SQSEvent.Message>) -> Timestamp? {
        messages.map(\.delivery.hiddenUntil).min()
    }

    /// Whether what is hidden until then is still this mapping's alone.
    private func isHidden(until end: Timestamp?) -> Bool {
        end.map { runtime.clock.now() < $0 } ?? false
    }

    private func settle(_ batch: Batch, _ result: Result<InvocationResult, InvocationError>) {
        let messages = batch.messages
        var failed = messages
        var reason: String?
        switch result {
        case .success(let result) where result.failure == nil:
            let response =
                trigger.reportsBatchItemFailures
                ? BatchResponse(result.payload, messageIDs: messages.map(\.id)) : .succeeded
            switch response {
            case .succeeded: failed = []
            case .failed(let ids): failed = messages.filter { ids.contains($0.id) }
            case .unusable(let why): reason = why
            }
        case .success(let result): reason = result.failure?.errorType
        case .failure(let error): reason = "\(error)"
        }
        // No function has seen it, and none will see it here: it need not stay hidden.
        if case .failure = result, isStopping {
            do {
                try release(messages.map(\.handle.text))
            } catch {
                state.withLock { $0.error = error }
            }
        }
        let done = messages.filter { message in !failed.contains { $0.id == message.id } }
        finish(batch, deleting: done.map(\.handle), Outcome(failed: failed.count, reason: reason))
    }

    /// Deletes what is done, and tries that again as long as it is this mapping's alone: nobody
    /// should do it twice.
    private func finish(_ batch: Batch, deleting done: [ReceiptHandle], _ outcome: Outcome) {
        var outcome = outcome
        let (left, error) = delete(done)
        outcome.succeeded += done.count - left.count
        if let error {
            var isRemoved = false
            if case JournalError.removed = error { isRemoved = true }
            if !isRemoved, !isStopping, isHidden(until: batch.hiddenUntil) {
                runtime.schedule(after: Self.deletePause) { [self, outcome] in
                    runtime.perform { [self] in finish(batch, deleting: left, outcome) }
                }
                return
            }
            state.withLock { $0.error = error }
            if !isRemoved { warn(of: left.count, error) }
        }
        batch.isDone.withLock { [outcome] in $0 = left.isEmpty && outcome.failed == 0 }
        state.withLock { [outcome] state in
            state.tally.running -= 1
            state.tally.batches += 1
            state.tally.succeeded += outcome.succeeded
            state.tally.failed += outcome.failed
            if let reason = outcome.reason {
                state.tally.failedBatches += 1
                state.tally.lastFailure = reason
            }
        }
        state.signal()
    }

    private func warn(of count: Int, _ error: any Error) {
        runtime.host.warn(
            "\(count == 1 ? "A message" : "\(count) messages") of \(queue.name) that "
                + "\(function.key) has done may come again: \(error)")
    }

    /// - Returns: those that could not be deleted, and why.
    private func delete(
        _ handles: [ReceiptHandle]
    ) -> (left: [ReceiptHandle], error: (any Error)?) {
        for start in stride(from: 0, to: handles.count, by: QueueLimits.batchEntries) {
            let end = min(start + QueueLimits.batchEntries, handles.count)
            do {
                _ = try queue.delete(Array(handles[start..<end]))
            } catch {
                return (Array(handles[start...]), error)
            }
        }
        return ([], nil)
    }
}
