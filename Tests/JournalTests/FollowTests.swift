import JSON
import Journal
import Posix
import Synchronization
import TestSupport
import Testing

/// Who waits for something to happen is told.
@Suite struct FollowTests {
    @Test("every append of this process is told, until nobody follows")
    func own() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Tally>(folder: folder.path)
        let count = Mutex(0)
        let follower = journal.follow { count.withLock { $0 += 1 } }
        try journal.add(1)
        #expect(count.withLock { $0 } >= 1)
        let seen = count.withLock { $0 }
        #expect(try journal.values == [1])
        #expect(count.withLock { $0 } == seen, "a look is no news")
        journal.unfollow(follower)
        try journal.add(2)
        #expect(count.withLock { $0 } == seen)
    }

    @Test("what another process appends is told by whoever catches up with it")
    func others() throws {
        let folder = try TemporaryFolder()
        let journal = try Journal<Tally>(folder: folder.path)
        let other = try Journal<Tally>(folder: folder.path)
        let count = Mutex(0)
        _ = journal.follow { count.withLock { $0 += 1 } }
        #expect(!journal.mayBeBehind)
        try other.add(1)
        #expect(journal.mayBeBehind)
        #expect(count.withLock { $0 } == 0)
        #expect(try journal.values == [1])
        #expect(count.withLock { $0 } == 1)
        #expect(!journal.mayBeBehind)
    }
}
