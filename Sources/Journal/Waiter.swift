import Posix

/// One thread that waits for its turn, and is woken alone.
final class Waiter: Sendable {
    enum Word {
        /// What it waits for was done by another thread.
        case done
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
