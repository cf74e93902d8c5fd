import Journal
import Posix
import StackModel
import Synchronization

/// Every trigger of a deployment, at work until it is stopped.
final class Delivery: Sendable {
    /// A mapping whose queue cannot be read begins again after so long.
    private static let retryPause = Duration.seconds(5)

    private struct State {
        var mappings: [Int: EventSourceMapping] = [:]
        var isStopped = false
    }

    private let triggers: [(function: FunctionDefinition, trigger: Trigger)]
    private let state = Mutex(State())

    init(_ runtime: StackRuntime) {
        triggers = runtime.deployment.stack.functions.flatMap { function in
            function.triggers.filter(\.isEnabled).map { (function, $0) }
        }
        for index in triggers.indices { start(index, runtime) }
    }

    /// Begins no further batch; returns when no message is held but those of batches that run.
    func stop() {
        for mapping in beginToStop() { mapping.stop() }
    }

    /// After `stop`: waits until what became of every batch is written.
    /// - Returns: whether it is.
    func waitForBatches(upTo limit: Duration) -> Bool {
        let end = SystemClock.monotonicNanoseconds() + limit.nanoseconds
        return state.withLock { Array($0.mappings.values) }.allSatisfy { mapping in
            let now = SystemClock.monotonicNanoseconds()
            return mapping.waitForBatches(upTo: .nanoseconds(Int64(end) - Int64(min(now, end))))
        }
    }

    /// The same, but does not wait.
    func beginToStop() -> [EventSourceMapping] {
        let mappings = state.withLock { state in
            state.isStopped = true
            return Array(state.mappings.values)
        }
        for mapping in mappings { mapping.beginToStop() }
        return mappings
    }

    private func start(_ index: Int, _ runtime: StackRuntime) {
        let (function, trigger) = triggers[index]
        do {
            // The same one, as far as there is one: it knows of batches that have not come to their
            // end.
            let known = state.withLock { $0.mappings[index] }
            let mapping = try known ?? EventSourceMapping(trigger, of: function, runtime)
            let isWanted = state.withLock { state in
                if !state.isStopped { state.mappings[index] = mapping }
                return !state.isStopped
            }
            guard isWanted else { return }
            try mapping.start { [weak self, weak runtime] error in
                guard let self, let runtime, !self.state.withLock({ $0.isStopped }) else { return }
                failed(index, error, runtime)
            }
        } catch {
            failed(index, error, runtime)
        }
    }

    private func failed(_ index: Int, _ error: any Error, _ runtime: StackRuntime) {
        let (function, trigger) = triggers[index]
        // A queue that was removed may come back, as another one.
        if case JournalError.removed = error {
            runtime.queues.forget(trigger.queue)
            state.withLock { $0.mappings[index] = nil }
        }
        runtime.host.warn(
            "Nothing is delivered from \(trigger.queue) to \(function.key) for now: \(error)")
        runtime.schedule(after: Self.retryPause) { [weak self, weak runtime] in
            guard let self, let runtime else { return }
            runtime.perform { self.start(index, runtime) }
        }
    }
}
