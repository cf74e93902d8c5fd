import Synchronization

/// Who waits for something to happen to the journal is told by this process's own transactions; of
/// what others do it hears once somebody here has caught up with them.
extension Journal {
    /// Names a follower.
    package struct FollowerID: Sendable {
        fileprivate let number: UInt64
    }

    /// Runs `body` whenever there may be news: at once after the append, before that is durable. It
    /// runs under the journal's lock, on any thread, and must not hold that up, or use the journal.
    package func follow(_ body: @escaping @Sendable () -> Void) -> FollowerID {
        followers.withLock { followers in
            defer { followers.nextNumber += 1 }
            followers.bodies[followers.nextNumber] = body
            return FollowerID(number: followers.nextNumber)
        }
    }

    package func unfollow(_ id: FollowerID) {
        followers.withLock { _ = $0.bodies.removeValue(forKey: id.number) }
    }

    func tellFollowers(_ news: UInt64) {
        let bodies = followers.withLock { followers -> [@Sendable () -> Void] in
            guard followers.told != news else { return [] }
            followers.told = news
            return Array(followers.bodies.values)
        }
        for body in bodies { body() }
    }

    /// Whether other processes may have done something that nobody here has caught up with. It does
    /// not wait for those who are at work with the journal: they will.
    package var mayBeBehind: Bool {
        session.withLockIfAvailable { session in (try? session.isBehind()) ?? true } ?? true
    }
}

/// Not within `Journal`, like all that needs not know of its state: a generic type's parts are
/// generic types too, and the runtime looks up for each use which one is meant.
struct Followers {
    var bodies: [UInt64: @Sendable () -> Void] = [:]
    var nextNumber: UInt64 = 1
    /// The news of which they were told.
    var told: UInt64 = 0
}
