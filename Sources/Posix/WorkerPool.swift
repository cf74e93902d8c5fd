import Synchronization

/// Threads for work that blocks: syncs, long polls. They start when needed, up to a limit; beyond
/// it, work waits its turn.
package final class WorkerPool: Sendable {
    private struct State {
        var work = WaitingLine<@Sendable () -> Void>()
        var idle = 0
        var threads: [Thread] = []
    }

    private let state = Mutex(State())
    /// Once for each work; and at the end, when each thread that ends tells the next. A condition's
    /// lock would cost each thread that it wakes a call of the system to give it back.
    private let calls = Semaphore()
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
        calls.signal()
    }

    /// Does what was asked before, then ends every thread and waits for them.
    package func shutdown() {
        calls.signal()
        // Work that ends may have handed on more, for which a thread began.
        while let thread = state.withLock({ $0.threads.popLast() }) { thread.join() }
    }

    private func run() {
        while true {
            state.withLock { $0.idle += 1 }
            calls.wait()
            let work = state.withLock { state in
                let work = state.work.popFirst()
                if work != nil { state.idle -= 1 }
                return work
            }
            guard let work else { return calls.signal() }
            work()
        }
    }
}
