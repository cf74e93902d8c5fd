import Posix

/// How many connections several servers of one loop may have together.
package final class SharedRoom: Sendable {
    private let connections: Int
    private let joined: LoopConfined<[HTTPService]>
    private let loop: EventLoop

    /// - Parameter connections: of all servers together.
    package init(connections: Int, loop: EventLoop) {
        self.connections = connections
        self.loop = loop
        joined = LoopConfined([], loop: loop)
    }

    /// Counts a server's connections from here on.
    func join(_ service: HTTPService) {
        loop.execute { [self] in joined.with { $0.append(service) } }
    }

    /// On the loop.
    var isFull: Bool {
        services.reduce(0) { $0 + $1.connectionCount } >= connections
    }

    /// On the loop.
    var services: [HTTPService] { joined.with { $0 } }
}
