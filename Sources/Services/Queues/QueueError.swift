import Journal

/// Why a queue cannot serve, beyond what SQS itself would refuse (`SQSError`).
package enum QueueError: Error, Sendable {
    case noSuchQueue(String, existing: [String])
    case exists(String)
    case invalidName(String)
    /// Removing it would lose so many messages.
    case holdsMessages(String, count: UInt64)
    case journal(JournalError, queue: String)
}
