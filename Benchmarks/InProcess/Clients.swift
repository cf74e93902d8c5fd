import Posix
import Synchronization

/// How many clients work at the same time, and what ends them: the time, or the number of messages.
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

    /// Each client waits for the answer to its operation before it begins the next.
    ///
    /// - Parameter operation: gets the client's number and how many it did before; returns how many
    /// messages it did. 0 ends the client.
    func run(_ operation: @escaping @Sendable (Int, Int) throws -> Int) throws -> Outcome {
        let start = SystemClock.monotonicNanoseconds()
        let deadline = start + UInt64(seconds * 1e9)
        let done = Atomic(0)
        let share = count == .max ? .max : max(1, count / clients)
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
        let took = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        if let error = failure.withLock({ $0 }) { throw error }
        return Outcome(messages: done.load(ordering: .relaxed), seconds: took)
    }
}
