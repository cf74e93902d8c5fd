import Posix

/// How many connections several servers may have together that accept on one loop.
package final class SharedRoom: Sendable {
    private struct State {
        var services: [HTTPService] = []
        var followers: [@Sendable () -> Void] = []
    }

    private let connections: Int
    private let state: LoopConfined<State>
    private let loop: EventLoop

    /// - Parameter connections: of all servers together.
    package init(connections: Int, loop: EventLoop) {
        self.connections = connections
        self.loop = loop
        state = LoopConfined(State(), loop: loop)
    }

    /// Counts a server's connections from here on.
    ///
    /// - Parameter onGone: runs on the loop when one of any server's is gone: there is room.
    func join(_ services: [HTTPService], onGone: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            state.with { state in
                state.services += services
                state.followers.append(onGone)
            }
        }
    }

    /// On the loop.
    var isFull: Bool { services.reduce(0) { $0 + $1.connectionCount } >= connections }

    /// On the loop.
    var services: [HTTPService] { state.with { $0.services } }

    /// On the loop.
    func oneIsGone() {
        for follower in state.with({ $0.followers }) { follower() }
    }
}
