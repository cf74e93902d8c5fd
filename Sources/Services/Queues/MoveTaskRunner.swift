import Posix
import QueueModel

/// Runs the move tasks of one server, each on a thread of its own: those that a client starts, and
/// those whose process has died.
final class MoveTaskRunner: Sendable {
    private let queues: QueueDirectory
    private let warn: @Sendable (String) -> Void
    private let isStopped = Flag()

    init(_ queues: QueueDirectory, warn: @escaping @Sendable (String) -> Void) {
        self.queues = queues
        self.warn = warn
    }

    /// Goes on with the active task of a queue. What keeps it from running leaves it to the next
    /// `resume`, here or in another process.
    func run(_ name: String) {
        do {
            let thread = try Thread(name: "move") { [self] in
                do {
                    _ = try queues.runMoveTask(
                        of: name, isCancelled: { self.isStopped.isSet }, progress: { _ in })
                } catch QueueError.isBeingRedriven, QueueError.noSuchQueue {
                    // Another was quicker, or nothing is left to move.
                } catch {
                    warn("The move task of \(name) waits: \(error)")
                }
            }
            thread.detach()
        } catch {
            warn("The move task of \(name) waits: \(error)")
        }
    }

    /// Goes on with the tasks that nobody runs.
    func resume() {
        for name in (try? queues.names()) ?? [] where !isStopped.isSet {
            guard (try? queues.hasActiveMoveTask(name)) == true,
                let tasks = try? queues.moveTasks(of: name),
                tasks.contains(where: { $0.task.status.isActive && !$0.isRun })
            else { continue }
            warn("Going on with the move task of \(name).")
            run(name)
        }
    }

    /// Tasks end after their present batch; the next server goes on with them.
    func stop() { isStopped.set() }
}
