import Posix

/// Answers one request: once, at any time, from any thread.
package struct HTTPResponder: Sendable {
    let connection: HTTPConnection
    let number: UInt64
    private var observe: (@Sendable (HTTPResponse) -> Void)?

    init(connection: HTTPConnection, number: UInt64) {
        self.connection = connection
        self.number = number
    }

    /// A responder whose answer comes to `body` as well, on the loop, as soon as it is under way.
    package func observed(by body: @escaping @Sendable (HTTPResponse) -> Void) -> HTTPResponder {
        var responder = self
        responder.observe = body
        return responder
    }

    /// A second answer, and one to a client that is gone, go nowhere.
    package func respond(_ response: HTTPResponse) {
        connection.onLoop { connection, state in
            if connection.respond(response, to: number, &state) { observe?(response) }
        }
    }

    /// Runs `body` on the loop if the client leaves before it is answered.
    package func onDisconnect(_ body: @escaping @Sendable () -> Void) {
        connection.onLoop { connection, state in
            guard state.current?.number == number else { return }
            if state.isEnded { return body() }
            state.onDisconnect = body
        }
    }
}

/// One client: reads requests, one at a time, and writes their answers in order.
final class HTTPConnection: Sendable {
    struct State: Sendable {
        var parser: HTTPRequestParser
        var output: [UInt8] = []
        var written = 0
        var nextNumber: UInt64 = 1
        /// The request that is being answered.
        var current: (number: UInt64, isHead: Bool, isKeptAlive: Bool)?
        var onDisconnect: (@Sendable () -> Void)?
        /// The next answer is the last one.
        var isLast = false
        /// The client has said its last word.
        var isEnded = false
        /// Nothing more is read: the connection ends with what is still to be written.
        var isClosing = false
        var isClosed = false
        /// What the loop watches the socket for.
        var interest: EventLoop.Interest = .read
        /// When somebody will have waited too long, on the monotonic clock.
        var deadline: UInt64?
    }

    static let readSize = 65_536

    private let socket: FileDescriptor
    private let remoteAddress: String
    private let localPort: UInt16
    private let loop: EventLoop
    private let limits: HTTPLimits
    private let refusal: HTTPServer.Refusal
    private let handler: HTTPServer.Handler
    private let state: LoopConfined<State>
    private let onClose: @Sendable (CInt) -> Void

    init(
        _ socket: consuming FileDescriptor, localPort: UInt16, loop: EventLoop, limits: HTTPLimits,
        refusal: @escaping HTTPServer.Refusal, handler: @escaping HTTPServer.Handler,
        onClose: @escaping @Sendable (CInt) -> Void
    ) {
        remoteAddress = Sockets.remoteAddress(of: socket)
        self.localPort = localPort
        self.socket = socket
        self.loop = loop
        self.limits = limits
        self.refusal = refusal
        self.handler = handler
        self.onClose = onClose
        state = LoopConfined(State(parser: HTTPRequestParser(limits: limits)), loop: loop)
    }

    var identifier: CInt { socket.rawValue }

    func start() throws(SystemError) {
        state.with { $0.deadline = deadline(limits.readTimeout) }
        try loop.watch(socket.rawValue, .read) { [self] readiness in
            state.with { state in
                if readiness.contains(.write), !state.output.isEmpty { flush(&state) }
                if readiness.contains(.read) { read(&state) }
            }
        }
    }

    /// Runs on the loop, at once if this is it.
    fileprivate func onLoop(_ body: @escaping @Sendable (HTTPConnection, inout State) -> Void) {
        if loop.isOnLoop {
            state.with { body(self, &$0) }
        } else {
            loop.execute { [self] in state.with { body(self, &$0) } }
        }
    }

    /// Closes if somebody has waited too long; on the loop.
    func sweep(at now: UInt64) {
        state.with { state in
            guard let deadline = state.deadline, deadline <= now else { return }
            if state.current == nil, state.parser.isInsideRequest, state.output.isEmpty {
                refuse(HTTPError(408, "the request took too long to come"), &state)
            } else {
                close(&state)
            }
        }
    }

    /// Closes after the request that is being answered or sent; on the loop.
    func finish() {
        state.with { state in
            state.isLast = true
            let isIdle = state.current == nil && !state.parser.isInsideRequest
            if isIdle, state.output.isEmpty { close(&state) }
        }
    }

    /// Closes at once; on the loop.
    func close() { state.with { close(&$0) } }

    private func deadline(_ patience: Duration) -> UInt64 {
        SystemClock.monotonicNanoseconds() + patience.nanoseconds
    }

    private func read(_ state: inout State) {
        guard !state.isClosed, !state.isEnded else { return }
        let transfer = withUnsafeTemporaryAllocation(byteCount: Self.readSize, alignment: 1) {
            buffer -> Sockets.Transfer in
            let transfer = Sockets.read(socket, into: buffer)
            if case .bytes(let count) = transfer, !state.isClosing {
                state.parser.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            return transfer
        }
        switch transfer {
        case .wouldBlock: return
        case .bytes: advance(&state)
        case .closed:
            state.isEnded = true
            if let onDisconnect = state.onDisconnect {
                state.onDisconnect = nil
                loop.execute(onDisconnect)
            }
            // It may have ended its own side only, and still wait for the answer.
            if state.current == nil, state.output.isEmpty { close(&state) } else { rewatch(&state) }
        }
    }

    /// Takes requests out of the parser as long as nobody is being answered.
    private func advance(_ state: inout State) {
        while state.current == nil, !state.isClosing, !state.isClosed {
            do throws(HTTPError) {
                switch try state.parser.next() {
                case .continueExpected:
                    state.output += HTTPResponse(100).serialized(isHead: false, closes: false)
                    flush(&state)
                case .request(var request):
                    request.remoteAddress = remoteAddress
                    request.localPort = localPort
                    let number = state.nextNumber
                    state.nextNumber += 1
                    state.current = (number, request.method == "HEAD", request.isKeptAlive)
                    state.deadline = nil
                    // The handler may answer at once, which touches this state.
                    let responder = HTTPResponder(connection: self, number: number)
                    loop.execute { [handler, request] in handler(request, responder) }
                case nil:
                    let isInside = state.parser.isInsideRequest
                    state.deadline = deadline(isInside ? limits.readTimeout : limits.idleTimeout)
                    return rewatch(&state)
                }
            } catch {
                refuse(error, &state)
            }
        }
        rewatch(&state)
    }

    private func refuse(_ error: HTTPError, _ state: inout State) {
        state.output += refusal(error).serialized(isHead: false, closes: true)
        state.isClosing = true
        flush(&state)
    }

    /// - Returns: whether the request waited for it.
    fileprivate func respond(
        _ response: HTTPResponse, to number: UInt64, _ state: inout State
    ) -> Bool {
        guard let current = state.current, current.number == number, !state.isClosed else {
            return false
        }
        state.current = nil
        state.onDisconnect = nil
        state.isClosing = !current.isKeptAlive || state.isEnded || state.isLast
        state.output += response.serialized(isHead: current.isHead, closes: state.isClosing)
        flush(&state)
        if !state.isClosed, !state.isClosing { advance(&state) }
        return true
    }

    private func flush(_ state: inout State) {
        while state.written < state.output.count {
            let transfer = state.output.withUnsafeBytes { bytes in
                Sockets.write(socket, UnsafeRawBufferPointer(rebasing: bytes[state.written...]))
            }
            switch transfer {
            case .bytes(let count): state.written += count
            case .wouldBlock:
                state.deadline = deadline(limits.writeTimeout)
                return rewatch(&state)
            case .closed: return close(&state)
            }
        }
        state.output.removeAll(keepingCapacity: state.output.count <= Self.readSize)
        state.written = 0
        if state.isClosing {
            // The client reads to the end before it sees ours; `linger` bounds how long we wait.
            Sockets.endWriting(socket)
            if state.isEnded { return close(&state) }
            state.deadline = deadline(HTTPServer.linger)
        }
        rewatch(&state)
    }

    private func rewatch(_ state: inout State) {
        guard !state.isClosed else { return }
        var interest: EventLoop.Interest = []
        // A client that sends on and on while one request is answered has to wait.
        if !state.isEnded, state.parser.bufferedBytes <= limits.bodyBytes + limits.headerBytes {
            interest.insert(.read)
        }
        if !state.output.isEmpty { interest.insert(.write) }
        guard interest != state.interest else { return }
        state.interest = interest
        loop.change(socket.rawValue, interest)
    }

    private func close(_ state: inout State) {
        guard !state.isClosed else { return }
        state.isClosed = true
        if let onDisconnect = state.onDisconnect {
            state.onDisconnect = nil
            loop.execute(onDisconnect)
        }
        loop.unwatch(socket.rawValue)
        Sockets.hangUp(socket)  // a responder may keep this object, but not the client waiting
        onClose(socket.rawValue)
    }
}
