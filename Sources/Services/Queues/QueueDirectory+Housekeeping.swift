import Journal
import QueueModel

extension QueueDirectory {
    /// Does for a queue that nobody uses what each receive and send does beside: what has expired
    /// ends, dead letters go to their queue. A bounded share at a time; writes nothing if there is
    /// nothing to do.
    package func keepHouse(_ name: String) throws {
        let queue = try queue(name)
        let hasTransfers = try queue.commit(isDurable: { _ in false }) { session in
            try session.sweepExpired()
            try queue.sendDeadLettersAway(&session)
            return !session.state.queue.transfers.isEmpty
        }
        if hasTransfers { try finishTransfers(of: queue) }
    }

    /// Whether a queue's messages are on their way elsewhere, be anybody at it or not.
    package func hasActiveMoveTask(_ name: String) throws -> Bool {
        try queue(name).journal.read { $0.state.queue.activeMoveTask != nil }
    }
}
