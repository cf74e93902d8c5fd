import Posix

/// One thread that waits for its turn, and is woken alone.
final class Waiter: Sendable {
    enum Word: Sendable {
        /// What it waits for was done by another thread.
        case done
        /// Another thread tried, and failed.
        case failed(JournalError)
        /// It is its turn to do it, for others too.
        case lead
    }

    private let word = ThreadCondition<Word?>(nil)

    func wake(_ word: Word) {
        self.word.withLock { $0 = word }
        self.word.signal()
    }

    func wait() -> Word { word.wait { $0 } }
}

/// Runs work of a journal's on some thread, soon.
package typealias JournalExecution = @Sendable (@escaping @Sendable () -> Void) -> Void

/// Threads for journals whose callers do not wait.
package enum JournalWorkers {
    /// A journal uses three at most: one that appends, one that syncs, and one that tidies up after
    /// an event loop.
    package static let pool = WorkerPool(name: "journal", limit: 32)
}
