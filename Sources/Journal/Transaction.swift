/// What a caller that does not wait still has to get.
enum Conclusion {
    case now(() -> Void)
    /// Once record `n` is on the disk, or cannot be.
    case durable(n: UInt64, @Sendable ((any Error)?) -> Void)
}

/// One caller's work on a journal, done by whichever thread leads.
final class Transaction<State: JournaledState>: @unchecked Sendable {
    // Safe to share: its caller waits, or has left it to the line, while another thread runs it.

    /// The thread that waits; `nil` if nobody does.
    let waiter: Waiter?
    /// The journal's last record when it was done.
    private(set) var end: UInt64 = 0
    private var work: (inout JournalSession<State>) -> Void
    private var failure: (any Error) -> Void
    private let conclusion: () -> Conclusion?

    init(
        waiter: Waiter?, run: @escaping (inout JournalSession<State>) -> Void,
        fail: @escaping (any Error) -> Void, conclude: @escaping () -> Conclusion?
    ) {
        self.waiter = waiter
        work = run
        failure = fail
        conclusion = conclude
    }

    /// May be called again if what the first run appended did not reach the file.
    func run(_ session: inout JournalSession<State>) {
        work(&session)
        end = session.lastN
    }

    func fail(_ error: any Error) { failure(error) }

    /// It is over. Its caller's closures must not outlive the call that lent them.
    func conclude() -> Conclusion? {
        defer {
            work = { _ in }
            failure = { _ in }
        }
        return conclusion()
    }
}
