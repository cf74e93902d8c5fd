import JSON

/// One caller's work on a journal, done by whichever thread leads.
final class Transaction<State: JournaledState>: @unchecked Sendable {
    // Safe to share: its caller waits, or has left it to the line, while another thread runs it.

    /// Returns whether what it appended must be durable before its caller is told.
    typealias Work = (inout JournalSession<State>) throws -> Bool

    /// The thread that waits; `nil` if nobody does, and `completion` is to be told.
    let waiter: Waiter?
    private let completion: (@Sendable ((any Error)?) -> Void)?
    private let now: Timestamp
    private var work: Work?
    /// The journal's last record when it was done.
    private(set) var end: UInt64 = 0
    /// Whether all that it saw was durable. What is answered on the strength of a record must not
    /// outlive it, even if another process wrote that: a duplicate of a message, say.
    private(set) var isOnDisk = false
    private(set) var mustBeDurable = false
    private(set) var failure: (any Error)?

    init(
        now: Timestamp, waiter: Waiter?, completion: (@Sendable ((any Error)?) -> Void)? = nil,
        _ work: @escaping Work
    ) {
        self.now = now
        self.waiter = waiter
        self.completion = completion
        self.work = work
    }

    /// May be called again if what the first run appended did not reach the file.
    func run(_ session: inout JournalSession<State>) {
        guard let work else { preconditionFailure("it runs before it is concluded") }
        session.now = max(now, session.lastTime)
        do {
            mustBeDurable = try work(&session)
            failure = nil
        } catch {
            failure = error
        }
        end = session.lastN
        isOnDisk = end <= session.durable
    }

    func fail(_ error: any Error) { failure = error }

    /// It is over. Its caller's closure must not outlive the call that lent it.
    /// - Returns: who must be told once record `n` is on the disk; all others have been.
    func conclude() -> (n: UInt64, CommitWaiter)? {
        work = nil
        guard let completion else { return nil }
        guard failure == nil, mustBeDurable, !isOnDisk else {
            completion(failure)
            return nil
        }
        return (end, .callback(completion))
    }
}
