import JSON
import Posix

/// A caller's work on a journal that nobody waits for (`Journal.submit`).
package protocol JournalWork<State>: AnyObject, Sendable {
    associatedtype State: JournaledState

    /// Decides and appends. Runs again if what it appended could not be written.
    /// - Returns: whether that must be durable before `conclude`.
    func run(_ session: inout JournalSession<State>) throws -> Bool

    /// It is done, and as durable as it must be; or it failed, and nothing of it is there but, of
    /// several records, the first ones.
    func conclude(_ failure: (any Error)?)
}

/// One caller's work on a journal, done by whichever thread leads.
final class Transaction<State: JournaledState>: Lined, @unchecked Sendable {
    // Safe to share: its caller waits, or has left it to the line, while another thread runs it.

    private enum Work {
        /// Of a caller that waits. Returns whether it must be durable.
        case lent((inout JournalSession<State>) throws -> Bool)
        case given(any JournalWork<State>)
        case none
    }

    fileprivate let now: Timestamp
    private var work: Work

    init(
        now: Timestamp, waiter: Waiter,
        _ work: @escaping (inout JournalSession<State>) throws -> Bool
    ) {
        self.now = now
        self.work = .lent(work)
        super.init(waiter, nil)
    }

    required init(now: Timestamp, loop: (any JournalLoop)?, _ work: any JournalWork<State>) {
        self.now = now
        self.work = .given(work)
        super.init(nil, loop)
    }

    /// May be called again if what the first run appended did not reach the file.
    fileprivate func run(_ session: inout JournalSession<State>) {
        do {
            switch work {
            case .lent(let work): mustBeDurable = try work(&session)
            case .given(let work): mustBeDurable = try work.run(&session)
            case .none: preconditionFailure("it runs before it is concluded")
            }
            failure = nil
        } catch {
            failure = error
        }
    }

    override func settle(_ failure: (any Error)?) {
        let given = work
        work = .none
        if case .given(let work) = given { work.conclude(failure) }
    }
}

extension JournalSession {
    /// Runs one after the other. Here, where the runtime need not look up for each what a session
    /// on this state is.
    mutating func run(_ batch: ArraySlice<Lined>) {
        for lined in batch {
            guard isLoaded else {
                lined.fail(unread)
                continue
            }
            // Whoever lines up here has a transaction on this state.
            let transaction = unsafeDowncast(lined, to: Transaction<State>.self)
            now = max(transaction.now, lastTime)
            markStart()
            transaction.run(&self)
            lined.start = start
            lined.ticket = ticket
            lined.isOnDisk = ticket.n <= durable
        }
    }
}

/// What all transactions have, whatever the state is.
class Lined: @unchecked Sendable {
    // Safe to share: as `Transaction`.

    /// The thread that waits; `nil` if nobody does.
    let waiter: Waiter?
    /// Which may do it at the end of its round.
    let loop: (any JournalLoop)?
    /// What there was before it.
    fileprivate(set) var start: (end: UInt64, n: UInt64) = (0, 0)
    /// For the journal's last record when it was done.
    fileprivate(set) var ticket = DurabilityTicket(n: 0, epoch: 0)
    /// Whether all that it saw was durable. What is answered on the strength of a record must not
    /// outlive it, even if another process wrote that: a duplicate of a message, say.
    fileprivate(set) var isOnDisk = false
    fileprivate(set) var mustBeDurable = false
    fileprivate(set) var failure: (any Error)?

    fileprivate init(_ waiter: Waiter?, _ loop: (any JournalLoop)?) {
        self.waiter = waiter
        self.loop = loop
    }

    func fail(_ error: any Error) { failure = error }

    /// Whether its caller must be told only once its record is on the disk. One that waits looks
    /// itself.
    var awaitsDisk: Bool { waiter == nil && failure == nil && mustBeDurable && !isOnDisk }

    /// It is over: tells its caller. A closure must not outlive the call that lent it.
    func settle(_ failure: (any Error)?) {
        preconditionFailure("only a transaction lines up")
    }
}

/// Transactions that wait for their turn. Whoever leads does all of them with one lock.
struct TransactionLine {
    var transactions: [Lined] = []
    var isLed = false
    /// The worker that tells callers of their sync now: what they submit meanwhile it does itself,
    /// once all are told, and no thread is woken for it.
    private var teller: Thread.Identifier?
    /// Whether there is something that the teller will do.
    private var isLeftToTeller = false

    /// A loop takes its transactions off the line once they are done, a thread before.
    var isLedByThread: Bool { isLed && transactions.first?.loop == nil }

    /// - Returns: whether the caller must lead, or find who does.
    mutating func add(_ transaction: Lined) -> Bool {
        transactions.append(transaction)
        let isTeller = teller == Thread.current
        let waits = transaction.waiter != nil
        if isTeller, waits, isLeftToTeller {
            isLeftToTeller = false
            return true
        }
        defer { isLed = true }
        guard !isLed else { return false }
        isLeftToTeller = isTeller && !waits
        return !isLeftToTeller
    }

    mutating func beginTelling() { teller = Thread.current }

    /// - Returns: whether the caller must lead.
    mutating func endTelling() -> Bool {
        defer { isLeftToTeller = false }
        teller = nil
        return isLeftToTeller
    }

    mutating func takeFirst(_ limit: Int) -> [Lined] {
        if transactions.count <= limit {
            var all: [Lined] = []
            swap(&all, &transactions)
            return all
        }
        let first = Array(transactions.prefix(limit))
        transactions.removeFirst(limit)
        return first
    }
}
