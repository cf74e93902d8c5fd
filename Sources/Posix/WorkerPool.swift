/// Threads for work that blocks: syncs, long polls. They start when needed, up to a limit; beyond
/// it, work waits its turn.
package final class WorkerPool: Sendable {
    private struct State {
        var work = WaitingLine<@Sendable () -> Void>()
        var idle = 0
        var threads: [Thread] = []
        var isShutDown = false
    }

    private let state = ThreadCondition(State())
    private let limit: Int
    private let name: String

    package init(name: String, limit: Int) {
        precondition(limit > 0, "somebody must do the work")
        self.name = name
        self.limit = limit
    }

    package func execute(_ work: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.work.append(work)
            guard state.work.count > state.idle, state.threads.count < limit else { return }
            // Without a thread to spare the work waits for one that there is.
            guard let thread = try? Thread(name: name, { [self] in run() }) else {
                precondition(!state.threads.isEmpty, "the system gives no thread at all")
                return
            }
            state.threads.append(thread)
        }
        state.signalOne()
    }

    /// Does what was asked before, then ends every thread and waits for them.
    package func shutdown() {
        let threads = state.withLock { state in
            state.isShutDown = true
            return state.threads
        }
        state.signal()
        for thread in threads { thread.join() }
    }

    private func run() {
        while true {
            state.withLock { $0.idle += 1 }
            let work = state.wait { state -> (@Sendable () -> Void)?? in
                if let work = state.work.popFirst() {
                    state.idle -= 1
                    return .some(work)
                }
                return state.isShutDown ? .some(nil) : nil
            }
            guard let work else { return }
            work()
        }
    }
}
