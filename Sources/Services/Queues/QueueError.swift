import JSON
import Journal

/// Why a queue cannot serve, beyond what SQS itself would refuse (`SQSError`).
package enum QueueError: Error, Sendable {
    case noSuchQueue(String, existing: [String])
    case exists(String)
    case invalidName(String)
    /// Its namesake was removed less than a minute ago.
    case deletedRecently(String, secondsLeft: Int)
    /// Removing it would lose so many messages.
    case holdsMessages(String, count: UInt64)
    /// No queue sends its dead letters there: where its messages go to must be said.
    case unclearSource(String)
    /// The dead-letter queue's RedriveAllowPolicy leaves it out.
    case redriveDenied(String, target: String)
    /// There is no move task that could be cancelled.
    case noMoveTask(String)
    /// Another process redrives it.
    case isBeingRedriven(String, holder: Int32?)
    /// No record tells of the message; the oldest one that is retained is of then.
    case noSuchMessage(String, oldest: Timestamp?)
    /// Its records before `oldest`, or before the number `n`, are not kept any more.
    case notRetained(String, oldest: Timestamp, n: UInt64)
    case journal(JournalError, queue: String)
}
