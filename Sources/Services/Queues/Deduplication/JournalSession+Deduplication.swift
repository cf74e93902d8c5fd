import JSON
import Journal
import QueueModel

extension JournalSession where State == QueueJournalState {
    /// What a send to a FIFO queue would do.
    mutating func decideSend(
        _ entries: [SendEntry], newID: () -> MessageID, heldWaiting: Int
    ) throws -> (new: [QueueRecord.NewMessage], outcomes: [Outcome<SentMessage>]) {
        let queue = state.queue
        return try queue.send(
            entries, at: now, n: nextN, newID: newID, heldWaiting: heldWaiting
        ) {
            try earlierSend($0)
        }
    }

    /// The message that was sent with this deduplication key within the last five minutes, as far
    /// as the state holds it no more.
    mutating func earlierSend(_ key: String) throws -> SentMessage? {
        guard state.queue.mayHaveForgotten(at: now) else { return nil }
        if !state.ids.isComplete {
            try flush()
            try listSegments()
        }
        let source = DeduplicationSource(self)
        let candidates: [DeduplicationEntry]
        do {
            candidates = try state.ids.candidates(key, in: source)
        } catch is DeduplicationIndex.Harmed {
            return try earlierSend(key)
        }
        for candidate in candidates {
            try flush()
            guard segmentNames.contains(candidate.record.segment) else { continue }
            let line = try read(candidate.record)
            let found = try line.withUnsafeBytes { bytes -> SentMessage? in
                guard let frame = RecordFrame(checking: bytes),
                    frame.n > state.queue.purgeRecord
                else { return nil }
                let messages = try QueueRecord.messages(in: bytes)
                guard Int(candidate.index) < messages.count,
                    case let message = messages[Int(candidate.index)],
                    // A repair writes messages anew, with the time at which they were sent.
                    now - (message.sent ?? frame.time) < QueueLimits.deduplicationInterval,
                    state.queue.deduplicationKey(of: message) == key
                else { return nil }
                return SentMessage(
                    id: message.id,
                    sequenceNumber: Place(n: frame.n, index: candidate.index).sequenceNumber)
            }
            if let found { return found }
        }
        return nil
    }
}
