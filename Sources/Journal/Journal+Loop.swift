import Posix
import Synchronization

/// What event loops submit one of them does, at the end of its round: one lock serves all that has
/// lined up by then, and no thread is woken for it.
///
/// A loop must not be held up: it looks, reads a little, and writes records once, and neither
/// syncs nor allocates. What may take long is left to the workers: a lock that somebody has, more
/// than a little that others appended, another file that grows now, a torn tail, a reserve that is
/// short, records that could not be written, work that does not call itself brief, and what the
/// journal owes afterwards (checkpoints, new segments).
extension Journal {
    /// Bytes that other processes appended which the loop reads.
    private static var catchUpLimit: UInt64 { 64 * 1024 }
    /// Nanoseconds that a loop waits for the session: another loop has it for as long as it writes
    /// a round's records, and a worker to be woken would take longer.
    private static var sessionLimit: UInt64 { 30_000 }
    /// Nanoseconds. Work that took longer has met a disk that is slow.
    private static var briefLimit: UInt64 { 10_000_000 }
    /// So many nanoseconds the workers do all of it then.
    private static var slowPause: UInt64 { 1_000_000_000 }
    /// Nanoseconds between two looks whether old segments may go.
    private static var reclaimPause: UInt64 { 1_000_000_000 }

    /// - Returns: `false` if the loop cannot.
    func leadLater(on loop: any JournalLoop) -> Bool {
        let now = nanoseconds()
        guard loopLead.withLock({ $0.next <= now }) else { return false }
        guard loop.isOnLoop else { return loop.execute { self.lead(on: loop) } }
        loop.atEndOfRound { self.lead(on: loop) }
        return true
    }

    private func lead(on loop: any JournalLoop) {
        let batch = line.withLock { line in
            Array(line.transactions.prefix(Self.lineLimit).prefix { $0.loop != nil })
        }
        let done = batch.prefix(runAtOnce(batch))
        line.withLock { $0.transactions.removeFirst(done.count) }
        // Before any of them is told: others need not wait for that, nor a sync that begins.
        if done.count == batch.count {
            handLineOver()
        } else {
            execute { self.leadForOthers() }
        }
        conclude(Array(done))
    }

    /// - Returns: how many of them are done; the others might hold the loop up.
    private func runAtOnce(_ batch: [Lined]) -> Int {
        let start = nanoseconds()
        var chore: JournalSession<State>.Chore?
        let done = withSessionSoon { session in
            guard (try? lockFile.tryLock()) == true else { return 0 }
            defer { lockFile.unlock() }
            guard (try? session.catchUp(upTo: Self.catchUpLimit)) == true,
                session.hasReserve
            else { return 0 }
            let written = session.runTogether(batch)
            if written.count < batch.count { session.abandonPending() }
            note(session)
            chore = session.chore
            return written.count
        }
        guard let done, done == batch.count else { return done ?? 0 }
        let end = nanoseconds()
        let isOwing = loopLead.withLock { lead in
            if end - start > Self.briefLimit { lead.next = end + Self.slowPause }
            guard let chore, !lead.isTidying, chore != .reclaim || lead.nextReclaim <= end else {
                return false
            }
            lead.isTidying = true
            if chore == .reclaim { lead.nextReclaim = end + Self.reclaimPause }
            return true
        }
        if isOwing { execute { self.tidyForLoop() } }
        return done
    }

    /// - Returns: `nil` if somebody else has the session, and keeps it.
    func withSessionSoon<R>(
        _ body: (inout sending JournalSession<State>) -> sending R
    ) -> R? {
        if let result = session.withLockIfAvailable(body) { return result }
        let end = nanoseconds() + Self.sessionLimit
        while nanoseconds() < end {
            Thread.yield()
            if let result = session.withLockIfAvailable(body) { return result }
        }
        return nil
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

/// Times are on the monotonic clock.
struct LoopLead {
    /// No loop leads before.
    var next: UInt64 = 0
    var nextReclaim: UInt64 = 0
    /// A worker sees to what the journal owes.
    var isTidying = false
}
