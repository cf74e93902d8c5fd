import Posix

/// What a stack runs on, and what outlives its deployments.
package struct RuntimeHost: Sendable {
    /// Serves all sockets, processes and timers.
    package var loop: EventLoop
    /// For work that blocks.
    package var pool: WorkerPool
    package var queues: QueueDirectory
    /// Who waits for messages.
    package var polls: LongPolls
    /// Who moves dead letters back.
    var moveTasks: MoveTaskRunner
    package var clock: StackClock
    /// Gets what functions do and say.
    package var monitor: Monitor
    /// Where functions find AWS.
    package var endpointURL: String
    /// An `msorch` that guards the functions' processes.
    package var guardExecutable: String
    /// Gets what a person should know, a sentence each; from any thread.
    package var warn: @Sendable (String) -> Void
}
