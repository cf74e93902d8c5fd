import Posix
import Synchronization

/// What an event loop submits it does itself, at the end of its round: one lock serves all that the
/// round brought, and no thread is woken for it.
///
/// The loop must not be held up. What may take long is left to the workers: a lock that somebody
/// has, more than a little that others appended, work that does not call itself brief, and what
/// the journal owes afterwards (checkpoints, new segments).
extension Journal {
    /// Bytes that other processes appended which the loop reads.
    private static var catchUpLimit: UInt64 { 64 * 1024 }
    /// Nanoseconds. Work that took longer has met a disk that is slow.
    private static var briefLimit: UInt64 { 10_000_000 }
    /// So many nanoseconds the workers do all of it then.
    private static var slowPause: UInt64 { 1_000_000_000 }
    /// Nanoseconds between two looks whether old segments may go.
    private static var reclaimPause: UInt64 { 1_000_000_000 }

    /// Times are on the monotonic clock.
    struct LoopLead {
        /// No loop leads before.
        var next: UInt64 = 0
        var nextReclaim: UInt64 = 0
        /// A worker sees to what the journal owes.
        var isTidying = false
    }

    /// - Returns: `false` if the loop cannot.
    func leadLater(on loop: EventLoop) -> Bool {
        let now = SystemClock.monotonicNanoseconds()
        guard loopLead.withLock({ $0.next <= now }) else { return false }
        guard loop.isOnLoop else { return loop.execute { self.lead(on: loop) } }
        loop.atEndOfRound { self.lead(on: loop) }
        return true
    }

    private func lead(on loop: EventLoop) {
        let batch = line.withLock { line in
            Array(line.transactions.prefix(Self.lineLimit).prefix { $0.loop != nil })
        }
        guard runAtOnce(batch) else {
            return execute { self.leadForOthers() }
        }
        line.withLock { $0.transactions.removeFirst(batch.count) }
        conclude(batch)
        handLineOver()
    }

    /// - Returns: `false` if that might have held the loop up; then nothing was done.
    private func runAtOnce(_ batch: [Lined]) -> Bool {
        let start = SystemClock.monotonicNanoseconds()
        var chore: JournalSession<State>.Chore?
        let isDone = session.withLockIfAvailable { session in
            guard (try? lockFile.tryLock()) == true else { return false }
            defer { lockFile.unlock() }
            guard (try? session.catchUp(upTo: Self.catchUpLimit)) == true else { return false }
            run(batch, &session)
            note(session)
            chore = session.chore
            return true
        }
        guard isDone == true else { return false }
        let end = SystemClock.monotonicNanoseconds()
        let isOwing = loopLead.withLock { lead in
            if end - start > Self.briefLimit { lead.next = end + Self.slowPause }
            guard let chore, !lead.isTidying, chore != .reclaim || lead.nextReclaim <= end else {
                return false
            }
            lead.isTidying = true
            lead.nextReclaim = end + Self.reclaimPause
            return true
        }
        if isOwing { execute { self.tidyForLoop() } }
        return true
    }

    private func tidyForLoop() {
        defer { loopLead.withLock { $0.isTidying = false } }
        session.withLock { session in
            guard (try? lockFile.lock(options)) != nil else { return }
            defer { lockFile.unlock() }
            guard (try? session.catchUp()) != nil else { return }
            session.tidy()
            note(session)
        }
    }
}
