import JSON
import QueueModel

/// What a step asks of a queue.
struct Operation {
    struct Entry {
        var token: String
        var bytes: Int
        var group: String?
        var deduplicationID: String?
        var delaySeconds: Int64
    }

    enum Kind {
        case send([Entry])
        case receive(limit: Int, timeoutSeconds: Int64, attempt: String?)
        case delete(handles: [String])
        case changeVisibility(handle: String, seconds: Int64)
        case purge
        case set(QueueSettings)
        case redrive
        case settle
        case create(QueueSettings)
        case remove(force: Bool)
    }

    var kind: Kind
    var queue: String
    var clock: Timestamp

    /// Whether there is a form of it that nobody waits for.
    var canBeSubmitted: Bool {
        switch kind {
        case .send, .receive, .delete, .changeVisibility: true
        case .purge, .set, .redrive, .settle, .create, .remove: false
        }
    }

    /// Whether it may write to the peer's journal: who opens that for the first time may have to
    /// begin a segment, which takes the journal's time on. What is on its way to the peer arrives
    /// before a queue is removed.
    var opensPeer: Bool {
        switch kind {
        case .create, .remove: true
        default: !isSingle
        }
    }

    /// Whether it takes what is still on its way to its queue.
    var takesArrivals: Bool {
        switch kind {
        case .receive, .redrive: true
        default: false
        }
    }

    /// Whether one record is all that it does: then it has an effect once.
    var isSingle: Bool {
        switch kind {
        case .receive, .redrive: false
        case .send(let entries): entries.count <= QueueLimits.batchEntries
        case .delete, .changeVisibility, .purge, .set, .settle, .create, .remove: true
        }
    }
}
