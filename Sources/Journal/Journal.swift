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

    private struct Commit {
        var appended: UInt64 = 0
        var durable: UInt64 = 0
        var isSyncing = false
        var file: (any JournalFile)?
    }

    private enum Turn {
        case done
        case sync(upTo: UInt64, any JournalFile)
    }

    package let folder: String
    private let options: JournalOptions
    private let lockFile: any JournalFile
    private let session: Mutex<JournalSession<State>>
    private let commit = ThreadCondition(Commit())

    /// Opens the journal in `folder`, or begins one.
    package init(
        folder: String, options: JournalOptions = JournalOptions(),
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
        opened.now = Timestamp(milliseconds: SystemClock.unixMilliseconds())
        try Self.lock(lockFile, options)
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
        try session.withLock { session in
            try Self.lock(lockFile, options)
            defer { lockFile.unlock() }
            try session.catchUp()
            session.now = max(now, session.lastTime)
            let before = session.lastN
            defer { note(session) }
            let result = try body(&session)
            let appended = session.lastN
            session.tidy()
            let ticket = Ticket(n: appended, generation: session.generation)
            return (result, appended > before ? ticket : nil)
        }
    }

    /// Ends the journal for everybody who has it open: once `check` has passed, each further use
    /// throws `removed`. Then `bury` takes the folder away. All of it happens alone.
    package func end(
        check: (JournalSession<State>) throws -> Void, bury: () throws -> Void
    ) throws {
        try session.withLock { session in
            try Self.lock(lockFile, options)
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
            try Self.lock(lockFile, options)
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
        while true {
            let turn: Turn = commit.wait { commit in
                if commit.durable >= ticket.n { return .done }
                guard !commit.isSyncing, let file = commit.file else { return nil }
                commit.isSyncing = true
                return .sync(upTo: commit.appended, file)
            }
            guard case .sync(let target, let file) = turn else { break }
            defer {
                commit.withLock { $0.isSyncing = false }
                commit.signal()
            }
            do throws(SystemError) {
                try file.sync()
            } catch {
                try repair()
                continue
            }
            try confirm(target)
        }
        let isLost = session.withLock { $0.lost.remove(ticket.n) != nil }
        if isLost { throw .notDurable }
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
                    try Self.lock(lockFile, options)
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
                try Self.lock(lockFile, options)
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
        }
    }

    /// Takes the lock between processes; says who holds it if that takes too long.
    static func lock(
        _ file: any JournalFile, _ options: JournalOptions
    ) throws(JournalError) {
        if try storing({ () throws(SystemError) in try file.tryLock() }) { return }
        let deadline =
            SystemClock.monotonicNanoseconds()
            + UInt64(options.lockTimeout.wholeMilliseconds) * 1_000_000
        var pause: UInt32 = 20
        while SystemClock.monotonicNanoseconds() < deadline {
            SystemClock.pause(microseconds: pause)
            if try storing({ () throws(SystemError) in try file.tryLock() }) { return }
            pause = min(pause * 2, 1000)
        }
        let status = try storing { () throws(SystemError) in try file.status() }
        throw .busy(holder: FileSystem.lockHolder(of: status))
    }
}
