import Posix
import Synchronization

/// Who gives way where there is no room: of connections, of descriptors, of memory.
extension HTTPService {
    /// Closes the longest idle connection of one of these services: where most are, and of a server
    /// that has few only if no other has an idle one. Services with as many take turns. Where
    /// nobody is idle, whoever is answered next gives his place up.
    ///
    /// - Returns: whether that is done; where another loop must be asked it may be done soon.
    static func makeRoom(in services: [HTTPService]) -> Bool {
        let order = services.sorted {
            let (one, other) = ($0.crowd, $1.crowd)
            return one == other ? $0.gaveWay < $1.gaveWay : one > other
        }
        return ask(order[...], of: services, at: SystemClock.monotonicNanoseconds())
    }

    private static func ask(
        _ rest: ArraySlice<HTTPService>, of all: [HTTPService], at time: UInt64
    ) -> Bool {
        guard let first = rest.first else {
            for service in all { service.totals.isCrowded.store(true, ordering: .releasing) }
            return false
        }
        let others = rest.dropFirst()
        guard first.loop.isOnLoop else {
            first.loop.execute {
                if !first.closeLongestIdle(at: time) { _ = ask(others, of: all, at: time) }
            }
            return false
        }
        return first.closeLongestIdle(at: time) || ask(others, of: all, at: time)
    }

    /// Connections of its server, and its own.
    private var crowd: (Int, Int) {
        (totals.connections.load(ordering: .acquiring), connectionCount)
    }

    /// Closes the connection on which nothing has been asked for the longest time, never one with
    /// a request under way.
    ///
    /// - Parameter time: when room was asked for; who came or was answered since, perhaps on the
    ///   place that another one gave up meanwhile, stays.
    /// - Returns: whether there was one.
    private func closeLongestIdle(at time: UInt64) -> Bool {
        guard let connection = nextIdle(at: time) ?? nextIdleOfAll(at: time) else { return false }
        lastGivenWay.store(SystemClock.monotonicNanoseconds(), ordering: .releasing)
        connection.close()
        return true
    }

    private func nextIdleOfAll(at time: UInt64) -> HTTPConnection? {
        let idle = connections.compactMap { connection in
            connection.idleSince.map { (connection.identifier, $0) }
        }
        state.with { $0.idle = IdleOrder(idle) }
        return nextIdle(at: time)
    }

    private func nextIdle(at time: UInt64) -> HTTPConnection? {
        while let (identifier, since) = state.with({ $0.idle.next(since: time) }) {
            let connection = state.with { $0.connections[identifier] }
            if let connection, connection.idleSince == since { return connection }
        }
        return nil
    }

    /// - Parameter change: of what one connection holds, in bytes. If all of a server's hold too
    ///   much, some give up soon.
    func hold(_ change: Int) {
        held.store(held.load(ordering: .relaxed) + change, ordering: .releasing)
        totals.heldBytes.add(change, ordering: .acquiringAndReleasing)
        guard change > 0, isOverfull,
            !totals.isRelieving.exchange(true, ordering: .acquiringAndReleasing)
        else { return }
        // Not at once: whoever says so is at work with its connection.
        loop.execute { [self] in
            if let onOverfull = state.with({ $0.onOverfull }) { onOverfull() } else { relieved() }
        }
    }

    /// Who holds most gives up first, so that a few who send much, and never end, keep nobody out
    /// who sends little. Each loop's own, where most is held first.
    ///
    /// - Parameter services: all or the rest of one server's.
    static func relieve(_ services: [HTTPService]) {
        var rest = services.sorted { $0.heldBytes > $1.heldBytes }
        guard !rest.isEmpty else { return }
        let first = rest.removeFirst()
        first.loop.perform { [rest] in
            first.relieve()
            guard !rest.isEmpty, first.isOverfull else { return first.relieved() }
            relieve(rest)
        }
    }

    private func relieve() {
        guard isOverfull else { return }
        let holders = connections.map { (connection: $0, bytes: $0.unservedBytes) }
            .filter { $0.bytes > 0 }.sorted { $0.bytes > $1.bytes }
        for holder in holders {
            guard isOverfull else { return }
            holder.connection.giveUp()
        }
    }

    private func relieved() { totals.isRelieving.store(false, ordering: .releasing) }

    private var heldBytes: Int { held.load(ordering: .acquiring) }
    private var isOverfull: Bool {
        totals.heldBytes.load(ordering: .acquiring) > limits.heldBytes
    }
}
