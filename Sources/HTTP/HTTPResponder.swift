import Posix

/// Answers one request: once, at any time, from any thread.
package struct HTTPResponder: Sendable {
    let connection: HTTPConnection
    let number: UInt64
    private var observe: (@Sendable (HTTPResponse, _ isSent: Bool) -> Void)?

    init(connection: HTTPConnection, number: UInt64) {
        self.connection = connection
        self.number = number
    }

    /// A responder whose answer comes to `body` as well, on the client's loop, as soon as it is
    /// under way, or cannot be sent because the client is gone.
    package func observed(
        by body: @escaping @Sendable (HTTPResponse, _ isSent: Bool) -> Void
    ) -> HTTPResponder {
        var responder = self
        responder.observe = body
        return responder
    }

    /// Runs `work` where the answer is written: at once if the caller is there, else soon.
    package func perform(_ work: @escaping @Sendable () -> Void) {
        connection.service.loop.perform(work)
    }

    /// A second answer, and one to a client that is gone, go nowhere.
    package func respond(_ response: HTTPResponse) {
        connection.service.loop.perform { [self] in
            switch connection.respond(response, to: number) {
            case .isUnderWay: observe?(response, true)
            case .clientIsGone: observe?(response, false)
            case .isSecond: break
            }
        }
    }

    /// Runs `body` on its loop if the client leaves before it is answered; not if it only has no
    /// more to say.
    package func onDisconnect(_ body: @escaping @Sendable () -> Void) {
        connection.service.loop.perform { [self] in connection.onDisconnect(of: number, body) }
    }
}
