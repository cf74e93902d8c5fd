import JSON
import Posix
import QueueModel
import StackModel

/// Delivers waiting messages to their functions until the stack is quiet.
package final class Drain: Sendable {
    /// How often it looks whether the stack is quiet, while nothing tells it.
    private static let interval = Duration.milliseconds(20)

    package struct Summary: Equatable, Sendable {
        package var tally = EventSourceMapping.Tally()
        /// Messages that went to dead-letter queues meanwhile.
        package var deadLetters: UInt64 = 0
        /// What is still there.
        package var waiting: UInt64 = 0
        package var isQuiet = false
    }

    private let runtime: StackRuntime
    private let mappings: [EventSourceMapping]
    private let queues: [Queue]

    /// - Parameter queues: those to drain, each with a trigger.
    package init(_ runtime: StackRuntime, queues names: [String]) throws {
        self.runtime = runtime
        let functions = runtime.deployment.stack.functions
        mappings = try functions.flatMap { function in
            try function.triggers.filter { $0.isEnabled && names.contains($0.queue) }
                .map { try EventSourceMapping($0, of: function, runtime) }
        }
        queues = try names.map { try runtime.queues.queue($0) }
    }

    /// Returns when nothing is visible, in flight, or about to become visible before the time is
    /// up; when the time is up; or when a signal asks this process to end.
    package func run(
        timeout: Duration, progress: (Summary) -> Void
    ) throws -> Summary {
        let end = SystemClock.monotonicNanoseconds() + timeout.nanoseconds
        let before = try deadLetters()
        for mapping in mappings { try mapping.start() }
        defer { for mapping in mappings { mapping.stop() } }
        var summary = Summary()
        while true {
            let now = SystemClock.monotonicNanoseconds()
            let left = Duration.nanoseconds(end > now ? Int64(end - now) : 0)
            summary = try look(before, timeLeft: left)
            progress(summary)
            if summary.isQuiet || now >= end || Signals.termination != nil { break }
            SystemClock.pause(microseconds: UInt32(Self.interval.nanoseconds / 1000))
        }
        for mapping in mappings { mapping.stop() }
        try finishBatches()
        let isQuiet = summary.isQuiet
        summary = try look(before, timeLeft: .zero)
        summary.isQuiet = isQuiet
        return summary
    }

    /// Batches that run when the time is up come to their end; functions have a timeout.
    private func finishBatches() throws {
        while Signals.termination == nil, mappings.contains(where: { $0.tally.running > 0 }) {
            SystemClock.pause(microseconds: UInt32(Self.interval.nanoseconds / 1000))
        }
    }

    private func look(_ before: UInt64, timeLeft: Duration) throws -> Summary {
        for mapping in mappings { if let error = mapping.error { throw error } }
        var summary = Summary()
        summary.tally = tally()
        var isQuiet = summary.tally.running == 0
        let limit = runtime.clock.now() + timeLeft
        for queue in queues {
            let (counts, nextWake) = try queue.outlook()
            summary.waiting += counts.visible + counts.inFlight + counts.delayed
            let isComing = counts.delayed > 0 && nextWake.map { $0 <= limit } ?? false
            if counts.visible > 0 || counts.inFlight > 0 || isComing { isQuiet = false }
        }
        // A batch that came and went between two looks may have sent messages behind our back.
        summary.isQuiet = isQuiet && tally() == summary.tally
        summary.deadLetters = try deadLetters() - before
        return summary
    }

    private func tally() -> EventSourceMapping.Tally {
        mappings.map(\.tally).reduce(into: EventSourceMapping.Tally()) { sum, tally in
            sum.batches += tally.batches
            sum.failedBatches += tally.failedBatches
            sum.succeeded += tally.succeeded
            sum.failed += tally.failed
            sum.filtered += tally.filtered
            sum.running += tally.running
            sum.lastFailure = tally.lastFailure ?? sum.lastFailure
        }
    }

    private func deadLetters() throws -> UInt64 {
        try queues.reduce(0) { $0 + (try $1.deadLetterCount) }
    }
}
