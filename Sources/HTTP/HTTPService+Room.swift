import Posix
import Synchronization

/// Who gives way where there is no room: of connections, of descriptors, of memory.
extension HTTPService {
    /// Closes the longest idle one where most connections are, if one is idle there, and else of
    /// the next service: a port with few keeps them. Of services with as many each has its turn.
    /// Soon: each does it on its loop.
    static func closeLongestIdle(of services: [HTTPService]) {
        var rest = services.sorted {
            ($1.connectionCount, $0.gaveWay) < ($0.connectionCount, $1.gaveWay)
        }
        guard !rest.isEmpty else { return }
        let first = rest.removeFirst()
        first.loop.perform { [rest] in
            if !first.closeLongestIdle() { closeLongestIdle(of: rest) }
        }
    }

    /// Closes the connection on which nothing has been asked for the longest time, never one with
    /// a request under way.
    /// - Returns: whether there was one.
    func closeLongestIdle() -> Bool {
        guard let connection = nextIdle() ?? nextIdleOfAll() else { return false }
        lastGivenWay.store(SystemClock.monotonicNanoseconds(), ordering: .releasing)
        connection.close()
        return true
    }

    private func nextIdleOfAll() -> HTTPConnection? {
        let idle = connections.compactMap { connection in
            connection.idleSince.map { (connection.identifier, $0) }
        }
        state.with { $0.idle = IdleOrder(idle) }
        return nextIdle()
    }

    private func nextIdle() -> HTTPConnection? {
        while let (identifier, since) = state.with({ $0.idle.next() }) {
            let connection = state.with { $0.connections[identifier] }
            if let connection, connection.idleSince == since { return connection }
        }
        return nil
    }

    /// - Parameter change: of what one connection holds, in bytes. If all of them hold too much,
    ///   some give up soon.
    func hold(_ change: Int) {
        let mustRelieve = state.with { state in
            state.heldBytes += change
            guard change > 0, isOverfull(state), !state.isRelieving else { return false }
            state.isRelieving = true
            return true
        }
        // Not at once: whoever says so is at work with its connection.
        if mustRelieve { loop.execute { [self] in relieve() } }
    }

    /// Who holds most gives up first, so that a few who send much, and never end, keep nobody out
    /// who sends little.
    private func relieve() {
        state.with { $0.isRelieving = false }
        guard state.with({ isOverfull($0) }) else { return }
        let holders = connections.map { (connection: $0, bytes: $0.unservedBytes) }
            .filter { $0.bytes > 0 }.sorted { $0.bytes > $1.bytes }
        for holder in holders {
            guard state.with({ isOverfull($0) }) else { return }
            holder.connection.giveUp()
        }
    }

    private func isOverfull(_ state: State) -> Bool { state.heldBytes > limits.heldBytes }
}
