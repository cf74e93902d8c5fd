import JSON
import Posix
import Synchronization

/// One queue's journal in one process: any number of threads here, and any number of processes
/// beside it.
///
/// A transaction locks, catches up with what others appended, decides, appends and unlocks. Syncing
/// happens outside the lock, once for everybody who waits (`Journal+Durability.swift`).
package final class Journal<State: JournaledState>: Sendable {
    package typealias Ticket = DurabilityTicket

    /// Transactions of callers that do not wait, in the line at once; more are refused.
    package static var submittedLimit: Int { 16_384 }
    /// Transactions that are done with one lock; the next ones wait for the next.
    static var lineLimit: Int { 256 }

    package let folder: String
    let options: JournalOptions
    let execute: JournalExecution
    let lockFile: any JournalFile
    let session: Mutex<JournalSession<State>>
    let commit = Mutex(Commit())
    let syncs: SegmentSyncs
    let line = Mutex(TransactionLine())
    let loopLead = Mutex(LoopLead())
    let nanoseconds: @Sendable () -> UInt64
    let currentLoop: @Sendable () -> (any JournalLoop)?
    let followers = Mutex(Followers())
    /// Looked up once: a generic type's name takes the runtime as long as the object does.
    private let transaction = Transaction<State>.self

    /// Opens the journal in `folder`, or begins one there.
    ///
    /// - Parameters:
    ///   - now: the clock; a journal that begins says so.
    ///   - creating: whether it may be a new one. If not, a folder without any segment is damaged.
    ///   - execute: runs what nobody waits for; a simulator brings its own.
    ///   - nanoseconds: the monotonic clock that tells how long an event loop was held up.
    ///   - currentLoop: the event loop on whose thread it is called.
    package init(
        folder: String, at now: Timestamp, options: JournalOptions = JournalOptions(),
        storage: any JournalStorage = DiskStorage(), creating: Bool = true,
        execute: @escaping JournalExecution = { JournalWorkers.pool.execute($0) },
        nanoseconds: @escaping @Sendable () -> UInt64 = SystemClock.monotonicNanoseconds,
        currentLoop: @escaping @Sendable () -> (any JournalLoop)? = { EventLoop.current }
    ) throws(JournalError) {
        self.folder = folder
        self.nanoseconds = nanoseconds
        self.currentLoop = currentLoop
        self.options = options
        self.execute = execute
        do throws(SystemError) {
            if creating { try storage.makeDirectory(folder) }
            lockFile = try storage.open("\(folder)/lock", creating: true)
        } catch {
            throw .storage(error)
        }
        var opened = try JournalSession<State>(
            folder: folder, storage: storage, options: options, lockFile: lockFile)
        opened.now = now
        try lockFile.lock(options)
        do throws(JournalError) {
            try opened.load(creating: creating)
        } catch {
            lockFile.unlock()
            throw error
        }
        opened.tidyAfterOpening()
        lockFile.unlock()
        syncs = opened.syncs
        session = Mutex(opened)
    }

    /// Gives back what this process has prepared in the journal, and prepares no more. Whoever uses
    /// a journal closes it; what is still under way on another thread may end afterwards.
    package func close() { session.withLock { $0.leaveRoom() } }

    /// Runs `body` with the newest state, alone among all processes. What it appends is visible to
    /// everybody when this returns, and durable when `waitDurable` does.
    ///
    /// - Parameters:
    ///   - now: the clock; the session's `now` is this, but never before the last record.
    ///   - body: runs again if what it appended could not be written, maybe with less room to
    ///     write.
    /// - Returns: what `body` returned, and a ticket for all that it saw or appended; `nil` if that
    /// is on the disk.
    package func transact<R: Sendable>(
        now: Timestamp, _ body: (inout JournalSession<State>) throws -> R
    ) throws -> (result: R, ticket: Ticket?) {
        checkMayWait()
        return try withoutActuallyEscaping(body) { body in
            var result: R?
            let waiter = Waiter()
            let transaction = Transaction<State>(now: now, waiter: waiter) { session in
                result = try body(&session)
                return false
            }
            lineUp(transaction, waiter)
            if let failure = transaction.failure { throw failure }
            guard let result else { preconditionFailure("a transaction ran, or failed") }
            return (result, transaction.isOnDisk ? nil : transaction.ticket)
        }
    }

    /// An event loop would hold up everybody, and for ever if what is waited for needs the loop.
    func checkMayWait() {
        precondition(currentLoop() == nil, "nobody waits for a journal on an event loop")
    }

    /// As `transact`, for who does not wait: returns at once. The work is concluded on a thread of
    /// the journal's, of another caller, or of an event loop that submits; it must not hold any of
    /// them up. Where `submittedLimit` of them wait already it fails at once, with `overloaded`.
    ///
    /// - Parameter isBrief: whether it is done in microseconds, unless a disk is slow: then an
    ///   event loop on which this is called, or another that submits, does it at the end of its
    ///   round.
    package func submit(
        now: Timestamp, isBrief: Bool = false, _ work: any JournalWork<State>
    ) {
        let submitted = transaction.init(now: now, loop: isBrief ? currentLoop() : nil, work)
        let leads = line.withLock { line in
            line.transactions.count < Self.submittedLimit ? line.add(submitted) : nil
        }
        guard let leads else { return submitted.settle(JournalError.overloaded) }
        if leads { pass(to: submitted) }
    }

    /// Lines up, and leads if nobody does. Transactions that come while others are done are done
    /// together.
    private func lineUp(_ transaction: Lined, _ waiter: Waiter) {
        let leads = line.withLock { $0.add(transaction) }
        if !leads, case .done = waiter.wait() { return }
        leadOnce()
        handLineOver()
    }

    func leadForOthers() {
        func isNextForWorkers() -> Bool {
            line.withLock { line in
                line.transactions.first.map { $0.waiter == nil && $0.loop == nil } ?? false
            }
        }
        repeat { leadOnce() } while isNextForWorkers()
        handLineOver()
    }

    func leadOnce() {
        let batch = line.withLock { $0.takeFirst(Self.lineLimit) }
        run(batch)
        conclude(batch)
    }

    func conclude(_ batch: [Lined]) {
        guard !batch.isEmpty else { return }
        // The usual group of a queue whose sends are synced: no other list is made of it.
        if batch.allSatisfy(\.awaitsDisk) { return whenDurable(batch) }
        var waits: [Lined] = []
        for transaction in batch {
            if transaction.awaitsDisk {
                waits.append(transaction)
            } else {
                transaction.settle(transaction.failure)
                // Whoever led is not waiting; that it is told all the same does not matter.
                transaction.waiter?.wake(.done)
            }
        }
        if !waits.isEmpty { whenDurable(waits) }
    }

    func handLineOver() {
        let next = line.withLock { line -> Lined? in
            line.isLed = !line.transactions.isEmpty
            return line.transactions.first
        }
        if let next { pass(to: next) }
    }

    /// Lets lead whoever can do the first in the line best.
    private func pass(to first: Lined) {
        if let waiter = first.waiter { return waiter.wake(.lead) }
        if let loop = first.loop, leadLater(on: loop) { return }
        execute { self.leadForOthers() }
    }

    private func run(_ batch: [Lined]) {
        session.withLock { session in
            do {
                try lockFile.lock(options)
            } catch {
                return batch.forEach { $0.fail(error) }
            }
            defer { lockFile.unlock() }
            do throws(JournalError) {
                try session.catchUp()
            } catch {
                return batch.forEach { $0.fail(error) }
            }
            run(batch, &session)
            session.tidy()
            note(session)
        }
    }

    /// The lock is taken, and the newest state known.
    private func run(_ batch: [Lined], _ session: inout JournalSession<State>) {
        let written = session.runTogether(batch)
        if written.count < batch.count { runSingly(batch.dropFirst(written.count), &session) }
    }

    /// From the first that could not be written with the others on each runs again, with its own
    /// write, so that those succeed that still can.
    private func runSingly(
        _ rest: ArraySlice<Lined>, _ session: inout JournalSession<State>
    ) {
        do throws(JournalError) {
            try session.forgetPending()
        } catch {
            return rest.forEach { $0.fail(error) }
        }
        session.run(rest)
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
            note(session)
            try check(session)
            try session.markEnded()
            try bury()
        }
    }

    /// Runs `body`, which renames the journal's folder to where others find it; the name is on the
    /// disk when this returns. All of it happens alone.
    package func settleName(_ body: () throws -> Void) throws {
        try session.withLock { session in
            try lockFile.lock(options)
            defer { lockFile.unlock() }
            try session.catchUp()
            note(session)
            try session.settleName(body)
        }
    }

    /// Looks at the state as this process knows it, which others may have changed since.
    package func look(_ body: (State) -> Void) { session.withLock { body($0.state) } }

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

    /// Tells those who wait for durability how far the session got.
    // Inlined: what a session on this state is its callers have looked up.
    @inline(__always)
    func note(_ session: JournalSession<State>) {
        tellFollowers(session.news)
        guard let reach = session.reach else { return }
        commit.withLock { $0.advance(to: reach) }
    }
}
