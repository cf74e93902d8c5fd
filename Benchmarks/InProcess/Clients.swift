import Posix
import Synchronization

/// How many clients work at the same time, and what ends them: the time, or the number of messages.
/// Each waits for the answer to its operation before it begins the next.
struct Load {
    var clients: Int
    var seconds: Double
    var count: Int

    /// What was done, in how long.
    struct Outcome {
        var messages: Int
        var seconds: Double
        var rate: Double { Double(messages) / seconds }
    }

    private var share: Int { count == .max ? .max : max(1, count / clients) }

    /// A client is a thread.
    ///
    /// - Parameter operation: gets the client's number and how many it did before; returns how many
    /// messages it did. 0 ends the client.
    func run(_ operation: @escaping @Sendable (Int, Int) throws -> Int) throws -> Outcome {
        try timed { deadline in
            let done = Atomic(0)
            let failure = Mutex<(any Error)?>(nil)
            @Sendable func work(_ client: Int) {
                var mine = 0
                var turn = 0
                do {
                    while mine < share, SystemClock.monotonicNanoseconds() < deadline {
                        let messages = try operation(client, turn)
                        guard messages > 0 else { break }
                        mine += messages
                        turn += 1
                    }
                } catch {
                    failure.withLock { $0 = error }
                }
                done.add(mine, ordering: .relaxed)
            }
            if clients == 1 {
                work(0)
            } else {
                let threads = try (0..<clients).map { client in
                    try Thread(name: "client-\(client)") { work(client) }
                }
                for thread in threads { thread.join() }
            }
            if let error = failure.withLock({ $0 }) { throw error }
            return done.load(ordering: .relaxed)
        }
    }

    /// A client is a chain of completions, as in an event loop.
    func submit(_ operation: @escaping Callbacks.Operation) throws -> Outcome {
        try timed { deadline in
            try Callbacks.run(clients: clients, share: share, deadline: deadline, operation)
        }
    }

    private func timed(_ body: (_ deadline: UInt64) throws -> Int) rethrows -> Outcome {
        let start = SystemClock.monotonicNanoseconds()
        let messages = try body(start + UInt64(seconds * 1e9))
        let took = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        return Outcome(messages: messages, seconds: took)
    }
}
