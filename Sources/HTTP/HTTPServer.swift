import Posix

/// An HTTP/1.1 server on an event loop.
package final class HTTPServer: Sendable {
    /// Runs on the loop's thread: answer at once, or hand the responder to somebody else.
    package typealias Handler = @Sendable (HTTPRequest, HTTPResponder) -> Void
    /// What a request that no handler sees is answered with.
    package typealias Refusal = @Sendable (HTTPError) -> HTTPResponse

    /// How long a refused client may go on sending before it is cut off.
    static let linger = Duration.seconds(1)
    private static let sweepInterval = Duration.nanoseconds(Int64(DeadlineWheel.tick))
    /// How long nobody is accepted after the system ran out of descriptors.
    private static let acceptPause = Duration.milliseconds(100)
    /// How many are accepted before those who are there already have their turn.
    private static let acceptsAtOnce = 256

    private struct State {
        var sweep: EventLoop.TimerID?
        var isStopped = false
        /// Runs when the last connection is gone.
        var onFinished: (@Sendable () -> Void)?
    }

    package let host: String
    /// The port that it listens on, also where the system chose it.
    package let port: UInt16
    private let loop: EventLoop
    private let service: HTTPService
    private let listener: FileDescriptor
    private let state: LoopConfined<State>

    /// Listens from here on.
    /// - Parameter port: 0 lets the system choose.
    package init(
        loop: EventLoop, host: String = "127.0.0.1", port: UInt16 = 0,
        limits: HTTPLimits = HTTPLimits(), refusal: @escaping Refusal = HTTPServer.plainRefusal,
        handler: @escaping Handler
    ) throws(SystemError) {
        self.loop = loop
        self.host = host
        listener = try Sockets.listen(host: host, port: port)
        self.port = Sockets.port(of: listener)
        service = HTTPService(
            loop: loop, limits: limits, port: self.port, refusal: refusal, handler: handler)
        state = LoopConfined(State(), loop: loop)
        service.follow { [weak self] in self?.reportIfFinished() }
        try loop.watch(listener.rawValue, .read) { [weak self] _ in self?.accept() }
    }

    /// The reason, in words.
    package static let plainRefusal: Refusal = { error in
        HTTPResponse(error.status, type: "text/plain", Array("\(error.message)\n".utf8))
    }

    deinit { loop.unwatch(listener.rawValue) }

    /// Stops listening and closes every connection.
    package func stop() {
        let stop: @Sendable () -> Void = { [self] in
            for connection in endListening() { connection.close() }
        }
        if loop.isOnLoop { stop() } else { loop.execute(stop) }
    }

    /// Stops listening; requests that are being answered, or are on their way on a connection, get
    /// their answers, and then each connection ends.
    ///
    /// - Parameter completion: runs on the loop when the last one is gone.
    package func finish(completion: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            state.with { $0.onFinished = completion }
            for connection in endListening() { connection.finish() }
            reportIfFinished()
        }
    }

    private func endListening() -> [HTTPConnection] {
        loop.unwatch(listener.rawValue)
        Sockets.hangUp(listener)
        state.with { $0.isStopped = true }
        return service.connections
    }

    private func reportIfFinished() {
        guard service.connectionCount == 0 else { return }
        let report = state.with { state in
            defer { state.onFinished = nil }
            return state.onFinished
        }
        report?()
    }

    private func accept() {
        guard !state.with({ $0.isStopped }) else { return }
        for _ in 0..<Self.acceptsAtOnce {
            guard service.connectionCount < service.limits.connections else { return pause() }
            do throws(SystemError) {
                guard let socket = try Sockets.accept(listener) else { break }
                try service.add(HTTPConnection(socket, service))
            } catch {
                return pause()
            }
        }
        scheduleSweep()
    }

    /// Out of descriptors or connections: whoever waits will be accepted later.
    private func pause() {
        scheduleSweep()
        loop.change(listener.rawValue, [])
        loop.schedule(after: Self.acceptPause) { [weak self] in
            guard let self, !self.state.with({ $0.isStopped }) else { return }
            loop.change(listener.rawValue, .read)
        }
    }

    /// Goes on as long as there are connections, also once nobody is accepted any more.
    private func scheduleSweep() {
        guard service.connectionCount > 0 else { return }
        state.with { state in
            guard state.sweep == nil else { return }
            state.sweep = loop.schedule(after: Self.sweepInterval) { [weak self] in
                guard let self else { return }
                self.state.with { $0.sweep = nil }
                service.sweep()
                scheduleSweep()
            }
        }
    }
}
