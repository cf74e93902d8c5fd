import Posix
import Synchronization

/// An HTTP/1.1 server on an event loop, and on others that help it.
package final class HTTPServer: Sendable {
    /// Runs on the thread of the loop that serves the connection: answer at once, or hand the
    /// responder to somebody else.
    package typealias Handler = @Sendable (HTTPRequest, HTTPResponder) -> Void
    /// What a request that no handler sees is answered with. Of the request there is what was
    /// understood of it, without its body; perhaps no method, and no target.
    package typealias Refusal = @Sendable (HTTPError, HTTPRequest) -> HTTPResponse
    /// Hears of each answer to a request that came to the handler, on its client's loop, as soon as
    /// it is under way, or cannot be sent because the client is gone; of its request without the
    /// body, and how long it took.
    package typealias Observer =
        @Sendable (HTTPResponse, HTTPRequest, _ nanoseconds: UInt64, _ isSent: Bool) -> Void

    /// How long a refused client may go on sending before it is cut off.
    static let linger = Duration.seconds(1)
    /// How long a request that has begun may take to come whole once the server finishes.
    static let lastCall = Duration.seconds(1)
    /// So many connections the first loop serves alone: a few are served best where all that they
    /// lead to happens.
    private static let connectionsAlone = 16
    /// How long nobody is accepted where there is no room, and everybody is being served.
    private static let acceptPause = Duration.milliseconds(100)
    /// How many are accepted before those who are there already have their turn.
    private static let acceptsAtOnce = 256

    private struct State {
        /// Ends the pause in which nobody is accepted.
        var pause: EventLoop.TimerID?
        var isStopped = false
        /// Runs when the last connection is gone.
        var onFinished: (@Sendable () -> Void)?
    }

    /// The numeric address that it listens on, the first if there are two.
    package let host: String
    /// The port that it listens on, also where the system chose it.
    package let port: UInt16
    private let loop: EventLoop
    /// One a loop, that of `loop` first.
    private let services: [HTTPService]
    private let totals: HTTPService.Totals
    /// Connections that there may be together.
    private let connectionLimit: Int
    private let room: SharedRoom?
    private let listeners: [HTTPListener]
    private let state: LoopConfined<State>

    /// Listens from here on.
    ///
    /// - Parameters:
    ///   - host: a numeric address; `localhost` stands for 127.0.0.1 and ::1, or the one of them
    ///     that there is.
    ///   - port: 0 lets the system choose.
    ///   - loop: accepts, and serves connections.
    ///   - helpers: serve connections where there are many.
    ///   - room: what it shares with other servers of this loop, beside its own limits.
    package init(
        loop: EventLoop, helpers: [EventLoop] = [], host: String = "127.0.0.1", port: UInt16 = 0,
        limits: HTTPLimits = HTTPLimits(), room: SharedRoom? = nil,
        refusal: @escaping Refusal = HTTPServer.plainRefusal, observer: Observer? = nil,
        handler: @escaping Handler
    ) throws(SystemError) {
        self.loop = loop
        self.room = room
        listeners = try HTTPListener.open(host, port)
        self.host = listeners[0].host
        self.port = listeners[0].port
        connectionLimit = limits.connections
        let totals = HTTPService.Totals()
        self.totals = totals
        let port = self.port
        services = ([loop] + helpers).map { loop in
            HTTPService(
                loop: loop, totals: totals, limits: limits, port: port, refusal: refusal,
                observer: observer, handler: handler)
        }
        state = LoopConfined(State(), loop: loop)
        room?.join(services) { [weak self] in self?.endPause() }
        for service in services {
            service.follow(
                onForgotten: { [weak self] in self?.oneIsGone() },
                onOverfull: { [weak self] in self?.relieve() })
        }
        for (index, listener) in listeners.enumerated() {
            try loop.watch(listener.socket.rawValue, .read) { [weak self] _ in self?.accept(index) }
        }
    }

    /// The reason, in words.
    package static let plainRefusal: Refusal = { error, _ in
        HTTPResponse(error.status, type: "text/plain", Array("\(error.message)\n".utf8))
    }

    deinit { for listener in listeners { loop.unwatch(listener.socket.rawValue) } }

    /// Stops listening and closes every connection.
    package func stop() {
        loop.perform { [self] in
            endListening()
            forEachConnection { $0.close() }
        }
    }

    /// Stops listening; requests that are being answered, or come whole within a second on a
    /// connection that is there, get their answers, and then each connection ends.
    ///
    /// - Parameter completion: runs on the loop when the last one is gone.
    package func finish(completion: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            state.with { $0.onFinished = completion }
            endListening()
            forEachConnection { $0.finish() }
            reportIfFinished()
        }
    }

    /// Each on its loop.
    private func forEachConnection(_ body: @escaping @Sendable (HTTPConnection) -> Void) {
        for service in services {
            service.loop.perform { for connection in service.connections { body(connection) } }
        }
    }

    private func endListening() {
        for listener in listeners {
            loop.unwatch(listener.socket.rawValue)
            Sockets.hangUp(listener.socket)
        }
        state.with { $0.isStopped = true }
    }

    private var connectionCount: Int { totals.connections.load(ordering: .acquiring) }

    /// On the loop of its service.
    private func oneIsGone() {
        loop.perform { [self] in
            if let room { room.oneIsGone() } else { endPause() }
            reportIfFinished()
        }
    }

    /// On the loop of the service that notices.
    private func relieve() { HTTPService.relieve(services) }

    private func reportIfFinished() {
        guard connectionCount == 0 else { return }
        let report = state.with { state in
            defer { state.onFinished = nil }
            return state.onFinished
        }
        report?()
    }

    /// - Parameter index: of the listener that has somebody waiting.
    private func accept(_ index: Int) {
        guard !state.with({ $0.isStopped }) else { return }
        // One is known to wait. For any other the loop comes back, and nobody has to give way
        // before: without a descriptor left the system says so whether somebody waits or not.
        var isSure = true
        for _ in 0..<Self.acceptsAtOnce {
            let isFull = connectionCount >= connectionLimit
            guard !isFull, room?.isFull != true else {
                return isSure ? makeRoom(isFull: isFull) : ()
            }
            do throws(SystemError) {
                guard let socket = try Sockets.accept(listeners[index].socket) else { return }
                let service = leastBusy()
                try service.add(HTTPConnection(socket, service))
            } catch {
                guard isSure else { return }
                return error.isOutOfDescriptors ? makeRoom(isFull: false) : pause()
            }
            isSure = false
        }
    }

    /// Who serves the next connection.
    private func leastBusy() -> HTTPService {
        let first = services[0]
        guard first.connectionCount >= Self.connectionsAlone else { return first }
        return services.min { $0.connectionCount < $1.connectionCount } ?? first
    }

    /// Out of connections or descriptors: who has been idle longest gives way, and is gone when the
    /// loop comes back to who waits, or soon. Where nobody is idle, they wait until somebody is.
    ///
    /// - Parameter isFull: whether this server alone has as many as it may.
    private func makeRoom(isFull: Bool) {
        let services = isFull ? services : room?.services ?? services
        if !HTTPService.makeRoom(in: services) { pause() }
    }

    private func pause() {
        guard state.with({ $0.pause == nil }) else { return }
        for listener in listeners { loop.change(listener.socket.rawValue, []) }
        let timer = loop.schedule(after: Self.acceptPause) { [weak self] in self?.endPause() }
        state.with { $0.pause = timer }
    }

    private func endPause() {
        totals.isCrowded.store(false, ordering: .releasing)
        let pause = state.with { state in
            defer { state.pause = nil }
            return state.isStopped ? nil : state.pause
        }
        guard let pause else { return }
        loop.cancel(pause)
        for listener in listeners { loop.change(listener.socket.rawValue, .read) }
    }
}
