import JSON
import Journal
import QueueModel

/// A FIFO queue's deduplication ids lie in files beside its journal, but for the newest.
extension QueueJournalState {
    /// Ids are looked up in their records, so those must stay.
    package var keepsSegments: Duration {
        queue.settings.isFIFO ? QueueLimits.deduplicationInterval : .zero
    }

    package var isIndexDue: Bool { ids.isDue }

    package mutating func writeIndex(_ session: JournalSession<QueueJournalState>) throws {
        guard queue.settings.isFIFO else { return }
        try ids.flush(at: session.anchor, DeduplicationSource(session))
    }

    package mutating func dropIndex() { ids = DeduplicationIndex() }
}
