import Journal
import Posix
import QueueModel

/// What a receive does before it looks for messages: a bounded share of the queue's own work.
extension JournalSession where State == QueueJournalState {
    /// Puts dead letters on their way to their queue.
    mutating func sendDeadLettersAway() throws {
        var count = 0
        while count < QueueLimits.deadLettersByReceive,
            let record = state.queue.deadLetters(at: now)
        {
            if case .transfer(_, _, _, let places) = record { count += places.count }
            try append(record)
        }
    }

    /// Puts messages that came back too often behind the others. They need room for that: where the
    /// disk is full they stay where they are, and come last.
    mutating func putPoisonBack() throws {
        var count = 0
        while count < QueueLimits.requeuedByReceive {
            let messages = state.queue.poison(at: now)
            guard !messages.isEmpty else { return }
            try flush()
            let bodies = try Queue.messages(messages.map(\.entry), self)
            do {
                try append(QueueState.requeue(messages, bodies))
            } catch {
                guard case .storage(let reason) = error, reason.isNoSpace else { throw error }
                return
            }
            count += messages.count
        }
    }
}
