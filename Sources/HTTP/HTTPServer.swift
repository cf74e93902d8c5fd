import Posix

/// An HTTP/1.1 server on an event loop.
package final class HTTPServer: Sendable {
    /// Runs on the loop's thread: answer at once, or hand the responder to somebody else.
    package typealias Handler = @Sendable (HTTPRequest, HTTPResponder) -> Void
    /// What a request that no handler sees is answered with.
    package typealias Refusal = @Sendable (HTTPError) -> HTTPResponse

    /// How long a refused client may go on sending before it is cut off.
    static let linger = Duration.seconds(1)
    private static let sweepInterval = Duration.milliseconds(500)
    /// How long nobody is accepted after the system ran out of descriptors.
    private static let acceptPause = Duration.milliseconds(100)

    private struct State {
        var connections: [CInt: HTTPConnection] = [:]
        var sweep: EventLoop.TimerID?
        var isStopped = false
        /// Runs when the last connection is gone.
        var onFinished: (@Sendable () -> Void)?
    }

    package let host: String
    /// The port that it listens on, also where the system chose it.
    package let port: UInt16
    private let loop: EventLoop
    private let limits: HTTPLimits
    private let handler: Handler
    private let refusal: Refusal
    private let listener: FileDescriptor
    private let state: LoopConfined<State>

    /// Listens from here on.
    /// - Parameter port: 0 lets the system choose.
    package init(
        loop: EventLoop, host: String = "127.0.0.1", port: UInt16 = 0,
        limits: HTTPLimits = HTTPLimits(), refusal: @escaping Refusal = HTTPServer.plainRefusal,
        handler: @escaping Handler
    ) throws(SystemError) {
        self.refusal = refusal
        self.loop = loop
        self.host = host
        self.limits = limits
        self.handler = handler
        listener = try Sockets.listen(host: host, port: port)
        self.port = Sockets.port(of: listener)
        state = LoopConfined(State(), loop: loop)
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
            for connection in endListening(isSweeping: true) { connection.finish() }
            reportIfFinished()
        }
    }

    private func endListening(isSweeping: Bool = false) -> [HTTPConnection] {
        loop.unwatch(listener.rawValue)
        Sockets.hangUp(listener)
        return state.with { state in
            state.isStopped = true
            if !isSweeping, let sweep = state.sweep { loop.cancel(sweep) }
            return Array(state.connections.values)
        }
    }

    private func reportIfFinished() {
        let report = state.with { state -> (@Sendable () -> Void)? in
            guard state.connections.isEmpty, let report = state.onFinished else { return nil }
            state.onFinished = nil
            return report
        }
        report?()
    }

    private func accept() {
        state.with { state in
            guard !state.isStopped else { return }
            while state.connections.count < limits.connections {
                do throws(SystemError) {
                    guard let socket = try Sockets.accept(listener) else { break }
                    let connection = HTTPConnection(
                        socket, localPort: port, loop: loop, limits: limits, refusal: refusal,
                        handler: handler,
                        onClose: { [weak self] identifier in self?.forget(identifier) })
                    try connection.start()
                    state.connections[connection.identifier] = connection
                } catch {
                    return pause(&state)
                }
            }
            if state.connections.count >= limits.connections { pause(&state) }
            scheduleSweep(&state)
        }
    }

    /// Out of descriptors or connections: whoever waits will be accepted later.
    private func pause(_ state: inout State) {
        loop.change(listener.rawValue, [])
        loop.schedule(after: Self.acceptPause) { [weak self] in
            guard let self, !self.state.with({ $0.isStopped }) else { return }
            loop.change(listener.rawValue, .read)
        }
    }

    private func forget(_ identifier: CInt) {
        // A close may come from inside `with`.
        loop.execute { [weak self] in
            self?.state.with { $0.connections[identifier] = nil }
            self?.reportIfFinished()
        }
    }

    private func scheduleSweep(_ state: inout State) {
        guard state.sweep == nil, !state.connections.isEmpty else { return }
        guard !state.isStopped || state.onFinished != nil else { return }
        state.sweep = loop.schedule(after: Self.sweepInterval) { [weak self] in
            guard let self else { return }
            let connections = self.state.with { state in
                state.sweep = nil
                return state.connections.values
            }
            let now = SystemClock.monotonicNanoseconds()
            for connection in connections { connection.sweep(at: now) }
            self.state.with { self.scheduleSweep(&$0) }
        }
    }
}
