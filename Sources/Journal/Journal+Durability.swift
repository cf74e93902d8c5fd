import Posix
import Synchronization

/// Who waits for a record to be on the disk.
enum Claim: Sendable {
    case thread(Waiter, DurabilityTicket)
    /// Work that was submitted, and is done.
    case work(Lined)

    var ticket: DurabilityTicket {
        switch self {
        case .thread(_, let ticket): ticket
        case .work(let lined): lined.ticket
        }
    }
}

/// How far the records are.
struct Reach {
    var appended: UInt64 = 0
    var durable: UInt64 = 0
    var file: (any JournalFile)?
    var identity: UInt64 = 0
    var unproven: Range<UInt64>?
    /// A sync of it failed: it must be replaced.
    var isSuspect = false
    var losses = Losses()

    /// Whether it is known what became of the ticket's record.
    func settles(_ ticket: DurabilityTicket) -> Bool { ticket.n <= durable || losses.cover(ticket) }
}

/// Who syncs, and who waits for it.
struct Commit {
    var reach = Reach()
    var isSyncing = false
    /// Whether the last sync was.
    var isDiskQuick = false
    /// How many claims there were at most when the last syncs ended; sinks by one with each, from
    /// `crowdLimit` at most.
    var crowd = 0
    var claims: [Claim] = []
    /// The highest that was ever waited for.
    var lastAwaited: UInt64 = 0

    mutating func advance(to new: Reach) {
        let durable = max(reach.durable, new.durable)
        reach = new
        reach.durable = durable
    }

    mutating func add(_ claim: Claim) {
        claims.append(claim)
        lastAwaited = max(lastAwaited, claim.ticket.n)
    }

    /// Whether who asks is the one to sync, for the others too.
    mutating func takeLead() -> Bool {
        defer { isSyncing = true }
        return !isSyncing
    }
}

/// Group commit: one `fdatasync` for everybody who waits. Whoever leads syncs all that is appended
/// by then; those who come meanwhile are served by the next sync.
extension Journal {
    /// Blocks until the ticket's record is on the disk.
    ///
    /// - Throws: `storage` if the disk refuses, `notDurable` if the record was lost with a failed
    /// sync: in either case the record must not be acknowledged.
    package func waitDurable(_ ticket: Ticket) throws(JournalError) {
        checkMayWait()
        let (word, waiter) = commit.withLock { commit -> (Waiter.Word?, Waiter?) in
            if commit.reach.settles(ticket) { return (.done, nil) }
            if commit.takeLead() { return (.lead, nil) }
            let waiter = Waiter()
            commit.add(.thread(waiter, ticket))
            return (nil, waiter)
        }
        switch word ?? waiter?.wait() ?? .done {
        case .done: break
        case .failed(let error): throw error
        case .lead:
            defer { handSyncOver() }
            while commit.withLock({ !$0.reach.settles(ticket) }) { try syncOnce() }
        }
        guard commit.withLock({ !$0.reach.losses.cover(ticket) }) else { throw .notDurable }
    }

    /// As `waitDurable`, for those who do not wait.
    func whenDurable(_ works: [Lined]) {
        let (leads, done, losses) = commit.withLock { commit in
            var done: [Lined] = []
            for work in works {
                if commit.reach.settles(work.ticket) {
                    done.append(work)
                } else {
                    commit.add(.work(work))
                }
            }
            return (!commit.claims.isEmpty && commit.takeLead(), done, commit.reach.losses)
        }
        if leads { syncSoon() }
        conclude(done, losses)
    }

    /// Leads: an event loop that would only wait for the sync does it itself, if the disk is quick
    /// and few wait. No thread is woken then, and none has to wake the loop.
    private func syncSoon() {
        let isForLoop = commit.withLock { $0.isDiskQuick && $0.crowd <= Self.fewClaims }
        guard isForLoop, let loop = currentLoop() else { return execute { self.syncForOthers() } }
        loop.whenIdle { isIdle in
            if isIdle, self.syncOnLoop() {
                self.tellSettled()
                self.handSyncOver()
            } else {
                self.execute { self.syncForOthers() }
            }
        }
    }

    /// - Returns: `false` if that may take longer than a sync: then it is left to the workers.
    private func syncOnLoop() -> Bool {
        let reach = commit.withLock { $0.reach }
        guard let file = reach.file, !reach.isSuspect, reach.unproven == nil else { return false }
        let start = nanoseconds()
        crashPoint("before-sync")
        guard (try? syncs.trySync(file, reach.identity)) == true else { return false }
        crashPoint("after-sync")
        noteSync(since: start)
        return withSessionSoon { session in
            guard let current = try? session.readGeneration(), session.isUp(to: current) else {
                return false
            }
            mark(reach, &session)
            return true
        } ?? false
    }

    /// On a worker, which wakes the loops.
    private func syncForOthers() {
        func isNextWithoutLoop() -> Bool {
            commit.withLock { commit in
                if case .work(let next)? = commit.claims.first { next.loop == nil } else { false }
            }
        }
        repeat { try? syncOnce() } while isNextWithoutLoop()
        handSyncOver()
    }

    private func handSyncOver() {
        let next = commit.withLock { commit -> Claim? in
            guard let next = commit.claims.first else {
                commit.isSyncing = false
                return nil
            }
            if case .thread = next { commit.claims.removeFirst() }
            return next
        }
        switch next {
        case .thread(let waiter, _): waiter.wake(.lead)
        case .work(let work):
            // Its loop is woken for what that sync allows, and does that first.
            if currentLoop() == nil, let loop = work.loop, loop.execute({ self.syncSoon() }) {
                return
            }
            syncSoon()
        case nil: break
        }
    }

    /// How long a sync waits for records that are being appended: a small part of what it takes.
    private static var gatherLimit: UInt64 { 100_000 }

    /// Waits while a thread appends records: one sync serves them, too, where their clients would
    /// else wait for the next. A loop that reads requests is not waited for: it appends at the end
    /// of its round, and may take that long.
    private func letLineBeAppended() {
        let end = SystemClock.monotonicNanoseconds() + Self.gatherLimit
        while line.withLock({ $0.isLedByThread }), SystemClock.monotonicNanoseconds() < end {
            Thread.yield()
        }
    }

    /// Syncs what is appended by now, and tells those whose records that covers.
    private func syncOnce() throws(JournalError) {
        letLineBeAppended()
        let (reach, lastAwaited) = commit.withLock { ($0.reach, $0.lastAwaited) }
        do throws(JournalError) {
            if reach.isSuspect {
                try repair(reach.file)
            } else if let file = reach.file {
                try sync(file, reach)
            } else {
                try confirm(Reach())  // the new segment could not be read yet
            }
        } catch {
            // Also those who came with records that a failed reload has left unaccounted for.
            let last = max(reach.appended, lastAwaited)
            for claim in takeClaims(where: { $0.ticket.n <= last }) {
                switch claim {
                case .thread(let thread, _): thread.wake(.failed(error))
                case .work(let work): work.settle(error)
                }
            }
            throw error
        }
        line.withLock { $0.beginTelling() }
        tellSettled()
        guard line.withLock({ $0.endTelling() }) else { return }
        leadOnce()
        handLineOver()
    }

    private func tellSettled() {
        let known = commit.withLock { $0.reach }
        tell(takeClaims { known.settles($0.ticket) })
    }

    /// Tells them that a sync covers their records, or that these are lost.
    private func tell(_ claims: [Claim]) {
        guard !claims.isEmpty else { return }
        let losses = commit.withLock { $0.reach.losses }
        var works: [Lined] = []
        works.reserveCapacity(claims.count)
        for claim in claims {
            switch claim {
            case .thread(let thread, _): thread.wake(.done)  // it looks itself
            case .work(let work): works.append(work)
            }
        }
        conclude(works, losses)
    }

    /// A loop is woken once for all that it submitted, and told on its own thread: who syncs goes
    /// on.
    private func conclude(_ works: [Lined], _ losses: Losses) {
        var rest = works
        while let first = rest.first {
            // In one pass, by hand: `filter` takes several times as long for each.
            var same: [Lined] = []
            var others: [Lined] = []
            same.reserveCapacity(rest.count)
            for work in rest {
                if work.loop === first.loop { same.append(work) } else { others.append(work) }
            }
            rest = others
            let tell: @Sendable () -> Void = { [same] in
                for work in same {
                    work.settle(losses.cover(work.ticket) ? JournalError.notDurable : nil)
                }
            }
            if let loop = first.loop, !loop.isOnLoop, loop.execute(tell) { continue }
            // What no loop submitted may take long to conclude.
            if first.loop == nil, currentLoop() != nil {
                execute(tell)
            } else {
                tell()
            }
        }
    }

    private func takeClaims(where isSettled: (Claim) -> Bool) -> [Claim] {
        commit.withLock { commit in
            commit.crowd = max(min(commit.claims.count, Self.crowdLimit), commit.crowd - 1)
            var taken: [Claim] = []
            swap(&taken, &commit.claims)
            let rest = taken.filter { !isSettled($0) }
            if !rest.isEmpty {
                commit.claims = rest
                taken.removeAll { !isSettled($0) }
            }
            return taken
        }
    }

    /// Blocks until everything that this process can see is on the disk.
    package func sync() throws {
        let ticket = try read { $0.ticket }
        try waitDurable(ticket)
    }

    /// One sync for everybody; a file that fails is replaced, and the next turn syncs that.
    private func sync(_ file: any JournalFile, _ reach: Reach) throws(JournalError) {
        do throws(SystemError) {
            let start = nanoseconds()
            crashPoint("before-sync")
            try syncs.sync(file, reach.identity, writingAnew: reach.unproven)
            crashPoint("after-sync")
            noteSync(since: start)
        } catch {
            return try repair(file)
        }
        try confirm(reach)
    }

    /// Nanoseconds that a loop may be held up by a sync. The next is left to the workers after one
    /// that took longer, until one of theirs is quick.
    private static var quickLimit: UInt64 { 500_000 }

    /// Where more wait, a loop has others to go on with while a worker syncs.
    private static var fewClaims: Int { 32 }
    /// So many are forgotten after as many syncs for few as there were few claims.
    private static var crowdLimit: Int { 2 * fewClaims }

    private func noteSync(since start: UInt64) {
        let took = nanoseconds() - start
        commit.withLock { $0.isDiskQuick = took <= Self.quickLimit }
    }

    /// After a sync of all that `reach` tells of: if another file took over meanwhile, what was
    /// synced may be an abandoned one.
    private func confirm(_ reach: Reach) throws(JournalError) {
        let result = session.withLock { session -> Result<Void, JournalError> in
            do throws(JournalError) {
                let current = try storing { () throws(SystemError) in try session.readGeneration() }
                if !session.isUp(to: current) {
                    try lockFile.lock(options)
                    defer { lockFile.unlock() }
                    try session.catchUp()
                    note(session)
                    try session.syncHere()
                }
                mark(reach, &session)
                return .success(())
            } catch {
                return outcome(of: error, &session)
            }
        }
        try result.get()
    }

    /// What `reach` tells of is synced. Of another file the sync says nothing: its next one will.
    private func mark(_ reach: Reach, _ session: inout JournalSession<State>) {
        if session.isLoaded, session.file === reach.file {
            session.markDurable(reach.appended)
            session.unproven = nil
            session.room.syncs += 1
        }
        note(session)
    }

    /// The file's sync failed: replaces it under the lock, unless that is done.
    private func repair(_ file: (any JournalFile)?) throws(JournalError) {
        let result = session.withLock { session -> Result<Void, JournalError> in
            guard !session.isLoaded || session.file === file else {
                note(session)  // whoever saw to it may not have said so
                return .success(())
            }
            do throws(JournalError) {
                defer { note(session) }
                try lockFile.lock(options)
                defer { lockFile.unlock() }
                try session.catchUp()
                if session.isSuspect { try session.replaceSegment() }
                return .success(())
            } catch {
                return outcome(of: error, &session)
            }
        }
        try result.get()
    }
}
