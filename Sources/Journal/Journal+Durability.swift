import Posix
import Synchronization

/// Who waits for a record to be on the disk.
enum CommitWaiter: Sendable {
    case thread(Waiter)
    case callback(@Sendable ((any Error)?) -> Void)
}

/// Group commit: one `fdatasync` for everybody who waits. Whoever leads syncs; those who come
/// meanwhile are served by the next sync.
extension Journal {
    /// How far the records are, and who waits for them to be on the disk.
    struct Commit {
        var appended: UInt64 = 0
        var durable: UInt64 = 0
        var file: (any JournalFile)?
        var unproven: Range<UInt64>?
        /// A sync of it failed: it must be replaced.
        var isSuspect = false
        /// A repair could not bring every record over.
        var hasLosses = false
        var isSyncing = false
        var waiters: [(n: UInt64, CommitWaiter)] = []
    }

    /// Blocks until the ticket's record is on the disk.
    ///
    /// - Throws: `storage` if the disk refuses, `notDurable` if the record was lost with a failed
    /// sync: in either case the record must not be acknowledged.
    package func waitDurable(_ ticket: Ticket) throws(JournalError) {
        let (isDurable, waiter) = commit.withLock { commit -> (Bool, Waiter?) in
            if commit.durable >= ticket.n { return (true, nil) }
            guard commit.isSyncing else {
                commit.isSyncing = true
                return (false, nil)
            }
            let waiter = Waiter()
            commit.waiters.append((ticket.n, .thread(waiter)))
            return (false, waiter)
        }
        guard !isDurable else { return try checkLosses(ticket.n) }
        switch waiter?.wait() ?? .lead {
        case .done: break
        case .failed(let error): throw error
        case .lead:
            defer { handSyncOver() }
            while commit.withLock({ $0.durable < ticket.n }) { try syncOnce() }
        }
        try checkLosses(ticket.n)
    }

    /// As `waitDurable`, for those who do not wait.
    func whenDurable(_ waits: [(n: UInt64, CommitWaiter)]) {
        let (leads, done) = commit.withLock { commit in
            let durable = commit.durable
            commit.waiters += waits.filter { $0.n > durable }
            let leads = !commit.isSyncing && !commit.waiters.isEmpty
            if leads { commit.isSyncing = true }
            return (leads, waits.filter { $0.n <= durable })
        }
        if leads { JournalWorkers.pool.execute { self.syncForOthers() } }
        tell(done)
    }

    private func syncForOthers() {
        while case .callback? = commit.withLock({ $0.waiters.first?.1 }) { try? syncOnce() }
        handSyncOver()
    }

    private func handSyncOver() {
        let next = commit.withLock { commit -> CommitWaiter? in
            guard let next = commit.waiters.first?.1 else {
                commit.isSyncing = false
                return nil
            }
            if case .thread = next { commit.waiters.removeFirst() }
            return next
        }
        switch next {
        case .thread(let waiter): waiter.wake(.lead)
        case .callback: JournalWorkers.pool.execute { self.syncForOthers() }
        case nil: break
        }
    }

    /// Syncs what is appended by now, and tells those whose records that covers.
    private func syncOnce() throws(JournalError) {
        let now = commit.withLock { $0 }
        do throws(JournalError) {
            if now.isSuspect {
                try repair()
            } else if let file = now.file {
                try sync(file, writingAnew: now.unproven, upTo: now.appended)
            } else {
                try confirm(0, synced: nil)  // the new segment could not be read yet
            }
        } catch {
            // Also those who came with records that a failed reload has left unaccounted for.
            let last = now.waiters.map(\.n).max() ?? 0
            for (_, waiter) in takeWaiters(upTo: max(now.appended, last)) {
                switch waiter {
                case .thread(let thread): thread.wake(.failed(error))
                case .callback(let deliver): deliver(error)
                }
            }
            throw error
        }
        tell(takeWaiters(upTo: commit.withLock { $0.durable }))
    }

    /// Tells them that a sync covers their records.
    private func tell(_ waiters: [(n: UInt64, CommitWaiter)]) {
        for (n, waiter) in waiters {
            switch waiter {
            case .thread(let thread): thread.wake(.done)
            case .callback(let deliver):
                do throws(JournalError) {
                    try checkLosses(n)
                    deliver(nil)
                } catch {
                    deliver(error)
                }
            }
        }
    }

    private func takeWaiters(upTo n: UInt64) -> [(n: UInt64, CommitWaiter)] {
        commit.withLock { commit in
            let taken = commit.waiters.filter { $0.n <= n }
            commit.waiters.removeAll { $0.n <= n }
            return taken
        }
    }

    private func checkLosses(_ n: UInt64) throws(JournalError) {
        guard commit.withLock({ $0.hasLosses }) else { return }
        if session.withLock({ $0.lost.remove(n) != nil }) { throw .notDurable }
    }

    /// Blocks until everything that this process can see is on the disk.
    package func sync() throws {
        let ticket = try read { Ticket(n: $0.lastN) }
        try waitDurable(ticket)
    }

    /// One sync for everybody; a file that fails is replaced, and the next turn syncs that.
    private func sync(
        _ file: any JournalFile, writingAnew unproven: Range<UInt64>?, upTo target: UInt64
    ) throws(JournalError) {
        do throws(SystemError) {
            crashPoint("before-sync")
            try file.sync(writingAnew: unproven)
            crashPoint("after-sync")
        } catch {
            return try repair()
        }
        try confirm(target, synced: file)
    }

    /// After a sync: if another file took over meanwhile, what was synced may be an abandoned one.
    private func confirm(
        _ target: UInt64, synced file: (any JournalFile)?
    ) throws(JournalError) {
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
                if session.file === file { session.unproven = nil }
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
