import Posix
import Synchronization

/// Who waits for a record to be on the disk.
enum CommitWaiter: Sendable {
    case thread(Waiter)
    case callback(any JournalWork)
}

/// For each lane that somebody has: the record up to which it will sync.
struct Lanes {
    private var first: UInt64?
    private var second: UInt64?

    subscript(lane: Int) -> UInt64? {
        get { lane == 0 ? first : second }
        set { if lane == 0 { first = newValue } else { second = newValue } }
    }
}

/// Group commit: one `fdatasync` for everybody who waits. Two may be under way at a time, each in a
/// lane of its own, so that the disk is not idle while answers are given. Whoever has a lane syncs
/// all that is appended by then; those who come meanwhile are served by the next sync.
extension Journal {
    /// How far the records are.
    struct Reach {
        var appended: UInt64 = 0
        var durable: UInt64 = 0
        var file: (any JournalFile)?
        /// Where the last appended record ends in it.
        var end: UInt64 = 0
        var unproven: Range<UInt64>?
        /// A sync of it failed: it must be replaced.
        var isSuspect = false
        /// A repair could not bring every record over.
        var hasLosses = false
        /// The second lane's handle on `file`. Without it that lane uses the first one's, and the
        /// two take turns.
        var twin: Twin?
    }

    /// A second handle on a file: the system tells each handle once of a failure.
    struct Twin {
        let file: any JournalFile
        let original: any JournalFile
        /// What it would not hear of.
        var unproven: Range<UInt64>?
    }

    /// Who syncs, and who waits for it.
    struct Commit {
        var reach = Reach()
        var lanes = Lanes()
        var waiters: [(n: UInt64, waiter: CommitWaiter)] = []
        /// The highest that was ever waited for.
        var lastAwaited: UInt64 = 0
        /// Somebody has had the second lane since the last look.
        var wantsTwin = false

        mutating func add(_ waiter: CommitWaiter, for n: UInt64) {
            waiters.append((n, waiter))
            lastAwaited = max(lastAwaited, n)
        }

        /// A lane for who needs record `n` synced; `nil` if another sync will do, or must end
        /// before.
        mutating func takeLane(for n: UInt64) -> Int? {
            guard max(lanes[0] ?? 0, lanes[1] ?? 0) < n,
                let lane = lanes[0] == nil ? 0 : lanes[1] == nil ? 1 : nil
            else { return nil }
            lanes[lane] = reach.appended
            if lane > 0 { wantsTwin = true }
            return lane
        }

        /// The first of those whom no other lane will serve.
        func next(for lane: Int) -> Int? {
            let covered = lanes[1 - lane] ?? 0
            return waiters.firstIndex { $0.n > covered }
        }
    }

    /// Blocks until the ticket's record is on the disk.
    ///
    /// - Throws: `storage` if the disk refuses, `notDurable` if the record was lost with a failed
    /// sync: in either case the record must not be acknowledged.
    package func waitDurable(_ ticket: Ticket) throws(JournalError) {
        let (word, waiter) = commit.withLock { commit -> (Waiter.Word?, Waiter?) in
            if commit.reach.durable >= ticket.n { return (.done, nil) }
            if let lane = commit.takeLane(for: ticket.n) { return (.sync(lane), nil) }
            let waiter = Waiter()
            commit.add(.thread(waiter), for: ticket.n)
            return (nil, waiter)
        }
        switch word ?? waiter?.wait() ?? .done {
        case .done, .lead: break
        case .failed(let error): throw error
        case .sync(let lane):
            defer { handOver(lane) }
            while commit.withLock({ $0.reach.durable < ticket.n }) { try syncOnce(lane) }
        }
        try checkLosses(ticket.n)
    }

    /// As `waitDurable`, for those who do not wait.
    func whenDurable(_ waits: [(n: UInt64, waiter: CommitWaiter)]) {
        let (lane, done) = commit.withLock { commit in
            let durable = commit.reach.durable
            for wait in waits where wait.n > durable { commit.add(wait.waiter, for: wait.n) }
            let lane = commit.waiters.last.flatMap { commit.takeLane(for: $0.n) }
            return (lane, waits.filter { $0.n <= durable })
        }
        if let lane { JournalWorkers.pool.execute { self.syncForOthers(lane) } }
        tell(done)
    }

    private func syncForOthers(_ lane: Int) {
        func isNextUnattended() -> Bool {
            commit.withLock { commit in
                guard let next = commit.next(for: lane) else { return false }
                if case .callback = commit.waiters[next].waiter { return true }
                return false
            }
        }
        while isNextUnattended() { try? syncOnce(lane) }
        handOver(lane)
    }

    /// Gives the lane to whom no other will serve.
    private func handOver(_ lane: Int) {
        let next = commit.withLock { commit -> CommitWaiter? in
            guard let next = commit.next(for: lane) else {
                commit.lanes[lane] = nil
                return nil
            }
            guard case .thread = commit.waiters[next].waiter else {
                return commit.waiters[next].waiter
            }
            return commit.waiters.remove(at: next).waiter
        }
        switch next {
        case .thread(let waiter): waiter.wake(.sync(lane))
        case .callback: JournalWorkers.pool.execute { self.syncForOthers(lane) }
        case nil: break
        }
    }

    /// How long a sync waits for records that are being appended: a small part of what it takes.
    private static var gatherLimit: UInt64 { 100_000 }

    /// Waits while records are being appended: one sync serves them, too, where their clients would
    /// else wait for the next.
    private func letLineBeAppended() {
        let end = SystemClock.monotonicNanoseconds() + Self.gatherLimit
        while line.withLock({ $0.isLed }), SystemClock.monotonicNanoseconds() < end {
            Thread.yield()
        }
    }

    /// Syncs what is appended by now, and tells those whose records that covers.
    private func syncOnce(_ lane: Int) throws(JournalError) {
        letLineBeAppended()
        let (reach, lastAwaited) = commit.withLock { commit in
            commit.lanes[lane] = commit.reach.appended
            return (commit.reach, commit.lastAwaited)
        }
        do throws(JournalError) {
            if reach.isSuspect {
                try repair(reach.file)
            } else if let file = reach.file {
                try sync(file, lane, reach)
            } else {
                try confirm(Reach())  // the new segment could not be read yet
            }
        } catch {
            // Also those who came with records that a failed reload has left unaccounted for.
            for (_, waiter) in takeWaiters(upTo: max(reach.appended, lastAwaited)) {
                switch waiter {
                case .thread(let thread): thread.wake(.failed(error))
                case .callback(let work): work.conclude(error)
                }
            }
            throw error
        }
        tell(takeWaiters(upTo: commit.withLock { $0.reach.durable }))
    }

    /// Tells them that a sync covers their records.
    private func tell(_ waiters: [(n: UInt64, waiter: CommitWaiter)]) {
        let hasLosses = !waiters.isEmpty && commit.withLock { $0.reach.hasLosses }
        for (n, waiter) in waiters {
            switch waiter {
            case .thread(let thread): thread.wake(.done)
            case .callback(let work):
                var failure: JournalError?
                do throws(JournalError) {
                    if hasLosses { try checkLosses(n) }
                } catch {
                    failure = error
                }
                work.conclude(failure)
            }
        }
    }

    private func takeWaiters(upTo n: UInt64) -> [(n: UInt64, waiter: CommitWaiter)] {
        commit.withLock { commit in
            var taken: [(n: UInt64, waiter: CommitWaiter)] = []
            swap(&taken, &commit.waiters)
            if taken.contains(where: { $0.n > n }) {
                commit.waiters = taken.filter { $0.n > n }
                taken.removeAll { $0.n > n }
            }
            return taken
        }
    }

    private func checkLosses(_ n: UInt64) throws(JournalError) {
        guard commit.withLock({ $0.reach.hasLosses }) else { return }
        if session.withLock({ $0.lost.remove(n) != nil }) { throw .notDurable }
    }

    /// Blocks until everything that this process can see is on the disk.
    package func sync() throws {
        let ticket = try read { Ticket(n: $0.lastN) }
        try waitDurable(ticket)
    }

    /// One sync for everybody; a file that fails is replaced, and the next turn syncs that.
    private func sync(
        _ file: any JournalFile, _ lane: Int, _ reach: Reach
    ) throws(JournalError) {
        let twin = lane > 0 ? reach.twin : nil
        do throws(SystemError) {
            crashPoint("before-sync")
            if let twin {
                try twin.file.sync(writingAnew: twin.unproven)
            } else {
                try file.sync(writingAnew: reach.unproven)
            }
            crashPoint("after-sync")
        } catch {
            return try repair(file)
        }
        try confirm(reach, byTwin: twin != nil)
    }

    /// After a sync of all that `reach` tells of: if another file took over meanwhile, what was
    /// synced may be an abandoned one.
    private func confirm(_ reach: Reach, byTwin: Bool = false) throws(JournalError) {
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
                session.markDurable(reach.appended)
                if session.file === reach.file {
                    if !byTwin { session.unproven = nil }
                    keepTwin(session, isProven: byTwin, behind: reach.end)
                }
                note(session)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Opens the second lane's handle if it is wanted, or notes what it has proven.
    ///
    /// - Parameter end: the file is on the disk up to there: a handle that is opened now need not
    ///   hear of what failed before.
    private func keepTwin(_ session: JournalSession<State>, isProven: Bool, behind end: UInt64) {
        let isWanted = commit.withLock { commit in
            if isProven { commit.reach.twin?.unproven = nil }
            return commit.wantsTwin && commit.reach.twin == nil
        }
        // Nobody may append meanwhile what this process has not seen.
        guard isWanted, (try? lockFile.tryLock()) == true else { return }
        defer { lockFile.unlock() }
        let path = session.path(of: session.segment)
        guard let file = try? session.storage.open(path, creating: false),
            let status = try? file.status(), status.inode == session.identity,
            status.size == session.end
        else { return }
        let twin = Twin(file: file, original: session.file, unproven: end..<session.end)
        commit.withLock { $0.reach.twin = twin }
    }

    /// The file's sync failed: replaces it under the lock, unless that is done.
    private func repair(_ file: (any JournalFile)?) throws(JournalError) {
        let result = session.withLock { session -> Result<Void, JournalError> in
            guard !session.isLoaded || session.file === file else { return .success(()) }
            do throws(JournalError) {
                session.suspect = session.identity
                defer { note(session) }
                try lockFile.lock(options)
                defer { lockFile.unlock() }
                try session.catchUp()
                if session.isSuspect { try session.replaceSegment() }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
