import JSON
import Posix
import Synchronization

/// One queue's journal in one process: any number of threads here, and any number of processes
/// beside it.
///
/// A transaction locks, catches up with what others appended, decides, appends and unlocks. Syncing
/// happens outside the lock, once for everybody who waits (`waitDurable`).
package final class Journal<State: JournaledState>: Sendable {
    /// A record's claim on durability, to be waited for.
    package struct Ticket: Sendable {
        var n: UInt64
        var generation: UInt64
    }

    /// How far the records are, and who waits for them to be on the disk.
    private struct Commit {
        var appended: UInt64 = 0
        var durable: UInt64 = 0
        var file: (any JournalFile)?
        /// A repair could not bring every record over.
        var hasLosses = false
        var isSyncing = false
        var waiters: [(n: UInt64, waiter: Waiter)] = []
    }

    private enum Turn {
        case done(hasLosses: Bool)
        case sync(upTo: UInt64, any JournalFile)
        case wait(Waiter)
    }

    /// Transactions that wait for their turn. Whoever leads does all of them with one lock.
    private struct Line {
        var transactions: [Transaction] = []
        var isLed = false
    }

    private final class Transaction: @unchecked Sendable {
        // Safe to share: its thread waits while another one runs it.
        let waiter = Waiter()
        private var work: (inout JournalSession<State>) -> Void
        private var failure: (any Error) -> Void

        init(
            run: @escaping (inout JournalSession<State>) -> Void,
            fail: @escaping (any Error) -> Void
        ) {
            work = run
            failure = fail
        }

        func run(_ session: inout JournalSession<State>) {
            work(&session)
            forget()
        }

        func fail(_ error: any Error) {
            failure(error)
            forget()
        }

        /// Its thread's closures must not outlive the call that lent them.
        private func forget() {
            work = { _ in }
            failure = { _ in }
        }
    }

    /// Transactions that are done with one lock; the next ones wait for the next.
    private static var lineLimit: Int { 256 }

    package let folder: String
    private let options: JournalOptions
    private let lockFile: any JournalFile
    private let session: Mutex<JournalSession<State>>
    private let commit = Mutex(Commit())
    private let line = Mutex(Line())

    /// Opens the journal in `folder`, or begins one.
    ///
    /// - Parameter now: the clock; a journal that begins says so.
    package init(
        folder: String, at now: Timestamp, options: JournalOptions = JournalOptions(),
        storage: any JournalStorage = DiskStorage()
    ) throws(JournalError) {
        self.folder = folder
        self.options = options
        do throws(SystemError) {
            try storage.makeDirectory(folder)
            lockFile = try storage.open("\(folder)/lock", creating: true)
        } catch {
            throw .storage(error)
        }
        var opened = try JournalSession<State>(
            folder: folder, storage: storage, options: options, lockFile: lockFile)
        opened.now = now
        try lockFile.lock(options)
        do throws(JournalError) {
            try opened.load()
        } catch {
            lockFile.unlock()
            throw error
        }
        opened.tidy()
        lockFile.unlock()
        session = Mutex(opened)
    }

    /// Runs `body` with the newest state, alone among all processes. What it appends is visible to
    /// everybody when this returns, and durable when `waitDurable` does.
    ///
    /// - Parameter now: the clock; the session's `now` is this, but never before the last record.
    /// - Returns: what `body` returned, and a ticket if it appended.
    package func transact<R: Sendable>(
        now: Timestamp, _ body: (inout JournalSession<State>) throws -> R
    ) throws -> (result: R, ticket: Ticket?) {
        try withoutActuallyEscaping(body) { body in
            var outcome: Result<(result: R, ticket: Ticket?), any Error>?
            let transaction = Transaction { session in
                session.now = max(now, session.lastTime)
                let before = session.lastN
                outcome = Result {
                    let result = try body(&session)
                    let ticket = Ticket(n: session.lastN, generation: session.generation)
                    return (result, session.lastN > before ? ticket : nil)
                }
            } fail: {
                outcome = .failure($0)
            }
            carryOut(transaction)
            guard let outcome else { preconditionFailure("a transaction ran, or failed") }
            return try outcome.get()
        }
    }

    /// Lines up, and leads if nobody does. Threads that come while one works are done together.
    private func carryOut(_ transaction: Transaction) {
        let leads = line.withLock { line in
            line.transactions.append(transaction)
            defer { line.isLed = true }
            return !line.isLed
        }
        if !leads, transaction.waiter.wait() == .done { return }
        let batch = line.withLock { line in
            let batch = Array(line.transactions.prefix(Self.lineLimit))
            line.transactions.removeFirst(batch.count)
            return batch
        }
        run(batch)
        for other in batch where other !== transaction { other.waiter.wake(.done) }
        let next = line.withLock { line in
            line.isLed = !line.transactions.isEmpty
            return line.transactions.first
        }
        next?.waiter.wake(.lead)
    }

    private func run(_ batch: [Transaction]) {
        session.withLock { session in
            do {
                try lockFile.lock(options)
                defer { lockFile.unlock() }
                try session.catchUp()
                for transaction in batch { transaction.run(&session) }
                session.tidy()
                note(session)
            } catch {
                for transaction in batch { transaction.fail(error) }
            }
        }
    }

    /// Ends the journal for everybody who has it open: once `check` has passed, each further use
    /// throws `removed`. Then `bury` takes the folder away. All of it happens alone.
    package func end(
        check: (JournalSession<State>) throws -> Void, bury: () throws -> Void
    ) throws {
        try session.withLock { session in
            try lockFile.lock(options)
            defer { lockFile.unlock() }
            try session.catchUp()
            try check(session)
            try session.markEnded()
            try bury()
        }
    }

    /// Looks at the newest state.
    package func read<R: Sendable>(_ body: (JournalSession<State>) throws -> R) throws -> R {
        try session.withLock { session in
            try lockFile.lock(options)
            defer { lockFile.unlock() }
            try session.catchUp()
            note(session)
            return try body(session)
        }
    }

    /// Blocks until the ticket's record is on the disk. One `fdatasync` serves all who wait.
    ///
    /// - Throws: `storage` if the disk refuses, `notDurable` if the record was lost with a failed
    /// sync: in either case the record must not be acknowledged.
    package func waitDurable(_ ticket: Ticket) throws(JournalError) {
        var turn = commit.withLock { commit in
            if commit.durable >= ticket.n { return Turn.done(hasLosses: commit.hasLosses) }
            if commit.isSyncing {
                let waiter = Waiter()
                commit.waiters.append((ticket.n, waiter))
                return .wait(waiter)
            }
            commit.isSyncing = true
            return Self.turnToSync(commit)
        }
        while true {
            switch turn {
            case .done(let hasLosses):
                guard hasLosses, session.withLock({ $0.lost.remove(ticket.n) != nil }) else {
                    return
                }
                throw .notDurable
            case .wait(let waiter):
                let word = waiter.wait()
                turn = commit.withLock { commit in
                    word == .lead ? Self.turnToSync(commit) : .done(hasLosses: commit.hasLosses)
                }
            case .sync(let target, let file):
                do throws(JournalError) {
                    // Somebody else's sync may have covered this one's record meanwhile.
                    if commit.withLock({ $0.durable < ticket.n }) { try sync(file, upTo: target) }
                } catch {
                    endSync()
                    throw error
                }
                turn = commit.withLock { commit in
                    commit.durable >= ticket.n
                        ? .done(hasLosses: commit.hasLosses) : Self.turnToSync(commit)
                }
                if case .done = turn { endSync() }
            }
        }
    }

    private static func turnToSync(_ commit: Commit) -> Turn {
        guard let file = commit.file else { preconditionFailure("what was appended has a file") }
        return .sync(upTo: commit.appended, file)
    }

    /// One sync for everybody; a file that fails is replaced, and the next turn syncs that.
    private func sync(_ file: any JournalFile, upTo target: UInt64) throws(JournalError) {
        do throws(SystemError) {
            try file.sync()
        } catch {
            return try repair()
        }
        try confirm(target)
    }

    /// Wakes those whose records are safe, and gives the next turn to one of the others.
    private func endSync() {
        let (done, next) = commit.withLock { commit in
            let durable = commit.durable
            let done = commit.waiters.filter { $0.n <= durable }
            commit.waiters.removeAll { $0.n <= durable }
            commit.isSyncing = !commit.waiters.isEmpty
            return (done, commit.waiters.isEmpty ? nil : commit.waiters.removeFirst())
        }
        for (_, waiter) in done { waiter.wake(.done) }
        next?.waiter.wake(.lead)
    }

    /// Blocks until everything that this process can see is on the disk.
    package func sync() throws {
        let ticket = try read { Ticket(n: $0.lastN, generation: $0.generation) }
        try waitDurable(ticket)
    }

    /// After a sync: if another file took over meanwhile, what was synced may be an abandoned one.
    private func confirm(_ target: UInt64) throws(JournalError) {
        let result = session.withLock { session -> Result<Void, JournalError> in
            do throws(JournalError) {
                let current = try storing { () throws(SystemError) in try session.readGeneration() }
                if current != session.generation {
                    try lockFile.lock(options)
                    defer { lockFile.unlock() }
                    try session.catchUp()
                    try session.syncHere()
                    note(session)
                }
                session.markDurable(target)
                note(session)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// The file's sync failed: replaces it under the lock, unless another process did so already.
    private func repair() throws(JournalError) {
        let result = session.withLock { session -> Result<Void, JournalError> in
            do throws(JournalError) {
                try lockFile.lock(options)
                defer { lockFile.unlock() }
                let generation = session.generation
                try session.catchUp()
                if session.generation == generation { try session.replaceSegment() }
                note(session)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Tells those who wait for durability how far the session got.
    private func note(_ session: JournalSession<State>) {
        commit.withLock { commit in
            commit.appended = session.lastN
            commit.durable = max(commit.durable, session.durable)
            commit.file = session.file
            commit.hasLosses = !session.lost.isEmpty
        }
    }
}
