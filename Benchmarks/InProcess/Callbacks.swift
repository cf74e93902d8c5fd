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
        for client in 0..<clients { callbacks.step(client, turn: 0, messages: 0) }
        let end = callbacks.progress.wait { $0.active == 0 ? $0 : nil }
        if let failure = end.failure { throw failure }
        return end.messages
    }

    private func step(_ client: Int, turn: Int, messages: Int) {
        guard messages < share, SystemClock.monotonicNanoseconds() < deadline else {
            return finish(messages, nil)
        }
        operation(client, turn) { [self] result in
            switch result {
            case .success(0): finish(messages, nil)
            case .success(let more): step(client, turn: turn + 1, messages: messages + more)
            case .failure(let error): finish(messages, error)
            }
        }
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
