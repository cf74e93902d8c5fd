import Posix

/// Clients without threads: each begins its next operation when its last one is completed.
final class Callbacks: Sendable {
    /// Gets how many messages an operation did; 0 ends the client.
    typealias Done = @Sendable (Result<Int, any Error>) -> Void
    typealias Operation = @Sendable (_ client: Int, _ turn: Int, @escaping Done) -> Void

    private struct Progress {
        var active: Int
        var messages = 0
        var failure: (any Error)?
    }

    private let operation: Operation
    private let share: Int
    private let deadline: UInt64
    private let progress: ThreadCondition<Progress>

    /// One client; what it did is its own, since it does one operation after the other.
    private final class Client: @unchecked Sendable {
        let number: Int
        let callbacks: Callbacks
        var turn = 0
        var messages = 0
        /// Made once: an operation is to cost what msorch makes of it.
        private(set) var done: Done = { _ in }

        init(_ number: Int, _ callbacks: Callbacks) {
            self.number = number
            self.callbacks = callbacks
            done = { [self] result in take(result) }
        }

        func step() {
            guard messages < callbacks.share,
                SystemClock.monotonicNanoseconds() < callbacks.deadline
            else { return end(nil) }
            callbacks.operation(number, turn, done)
        }

        private func take(_ result: Result<Int, any Error>) {
            switch result {
            case .success(0): end(nil)
            case .success(let more):
                messages += more
                turn += 1
                step()
            case .failure(let error): end(error)
            }
        }

        private func end(_ failure: (any Error)?) {
            done = { _ in }
            callbacks.finish(messages, failure)
        }
    }

    private init(clients: Int, share: Int, deadline: UInt64, _ operation: @escaping Operation) {
        self.operation = operation
        self.share = share
        self.deadline = deadline
        progress = ThreadCondition(Progress(active: clients))
    }

    /// Runs until every client is done; how many messages they did.
    static func run(
        clients: Int, share: Int, deadline: UInt64, _ operation: @escaping Operation
    ) throws -> Int {
        let callbacks = Callbacks(clients: clients, share: share, deadline: deadline, operation)
        for client in 0..<clients { Client(client, callbacks).step() }
        let end = callbacks.progress.wait { $0.active == 0 ? $0 : nil }
        if let failure = end.failure { throw failure }
        return end.messages
    }

    private func finish(_ messages: Int, _ failure: (any Error)?) {
        progress.withLock {
            $0.active -= 1
            $0.messages += messages
            $0.failure = $0.failure ?? failure
        }
        progress.signal()
    }
}
