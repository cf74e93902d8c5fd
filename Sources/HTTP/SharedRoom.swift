import Posix

/// How many connections several servers of one loop may have together.
package final class SharedRoom: Sendable {
    private let connections: Int
    private let services: LoopConfined<[HTTPService]>
    private let loop: EventLoop

    /// - Parameter connections: of all servers together.
    package init(connections: Int, loop: EventLoop) {
        self.connections = connections
        self.loop = loop
        services = LoopConfined([], loop: loop)
    }

    /// Counts a server's connections from here on.
    func join(_ service: HTTPService) {
        loop.execute { [self] in services.with { $0.append(service) } }
    }

    /// On the loop.
    var isFull: Bool {
        services.with { $0.reduce(0) { $0 + $1.connectionCount } >= connections }
    }

    /// Where most connections are somebody gives way first: a port with few keeps them.
    /// - Returns: whether there was anybody who is idle; on the loop.
    func closeLongestIdle() -> Bool {
        services.with { $0 }.sorted { $0.connectionCount > $1.connectionCount }
            .contains { $0.closeLongestIdle() }
    }
}
