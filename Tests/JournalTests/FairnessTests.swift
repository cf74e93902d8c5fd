import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

/// Who works on a journal lines up for its lock with all others.
@Suite struct FairnessTests {
    @Test("sixteen who never pause each get their share")
    func shares() throws {
        let folder = try TemporaryFolder("fairness")
        let total = 16_000
        let counts = Mutex([Int](repeating: 0, count: 16))
        let ready = ThreadCondition(0)
        let threads = try (0..<16).map { index in
            // Each has the journal open for itself, as a process of its own would.
            let journal = try Journal<Tally>(
                folder: folder.path, at: Timestamp(milliseconds: 1))
            return try Thread(name: "client-\(index)") {
                // Nobody begins before everybody can.
                ready.withLock { $0 += 1 }
                ready.signal()
                ready.wait { $0 == 16 ? () : nil }
                while counts.withLock({ $0.reduce(0, +) }) < total {
                    let now = Timestamp(milliseconds: 1000)
                    let result = try? journal.transact(now: now) { session in
                        _ = try session.append(Tally.add(Int64(index)))
                    }
                    guard result != nil else { return }
                    counts.withLock { $0[index] += 1 }
                }
            }
        }
        for thread in threads { thread.join() }
        let shares = counts.withLock { $0 }
        #expect(shares.reduce(0, +) >= total)
        let least = try #require(shares.min())
        // Far below a fair share, for machines that are busy otherwise.
        #expect(least >= total / 16 / 20, "\(shares)")
    }

    @Test("a wait for the lock ends when it is free, or when its time is over")
    func timeout() throws {
        let folder = try TemporaryFolder("lock")
        let storage = DiskStorage()
        let holder = try storage.open("\(folder.path)/lock", creating: true)
        let waiter = try storage.open("\(folder.path)/lock", creating: true)
        #expect(try holder.tryLock())
        let start = SystemClock.monotonicNanoseconds()
        #expect(try !waiter.lock(milliseconds: 30))
        #expect(SystemClock.monotonicNanoseconds() - start >= 30_000_000)
        let thread = try Thread(name: "holder") { holder.unlock() }
        #expect(try waiter.lock(milliseconds: 60_000))
        thread.join()
        #expect(try !holder.tryLock())
        waiter.unlock()
    }
}
