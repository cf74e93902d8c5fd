import Posix

/// Answers one request: once, at any time, from any thread. An object, since it goes through many
/// hands.
package final class HTTPResponder: Sendable {
    let connection: HTTPConnection
    let number: UInt64
    /// What is answered, without its body.
    let request: HTTPRequest
    /// When that had come, in monotonic nanoseconds.
    let begin = SystemClock.monotonicNanoseconds()

    init(_ connection: HTTPConnection, _ number: UInt64, _ request: borrowing HTTPRequest) {
        self.connection = connection
        self.number = number
        self.request = request.withoutBody
    }

    /// Whether the caller is where the answer is written.
    package var isOnLoop: Bool { connection.service.loop.isOnLoop }

    /// Runs `work` where the answer is written: at once if the caller is there, else soon.
    package func perform(_ work: @escaping @Sendable () -> Void) {
        connection.service.loop.perform(work)
    }

    /// A second answer, and one to a client that is gone, go nowhere.
    package func respond(_ response: HTTPResponse) {
        let loop = connection.service.loop
        // On the loop, where most answers come from, it needs no closure.
        if loop.isOnLoop {
            connection.respond(response, to: self)
        } else {
            loop.execute { [self] in connection.respond(response, to: self) }
        }
    }

    /// Runs `body` on its loop if the client leaves before it is answered; not if it only has no
    /// more to say.
    package func onDisconnect(_ body: @escaping @Sendable () -> Void) {
        connection.service.loop.perform { [self] in connection.onDisconnect(of: number, body) }
    }
}
