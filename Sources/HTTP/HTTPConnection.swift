import Posix
import Synchronization

/// One client: reads requests, hands over one at a time, and writes their answers in order. All of
/// it happens on the loop.
final class HTTPConnection: Sendable {
    struct Current: Sendable {
        var number: UInt64
        var isHead: Bool
        var isKeptAlive: Bool
        var isOld: Bool
        var bodyBytes: Int
    }

    struct State: Sendable {
        /// `nil` once the connection is over and nothing can be at work with it.
        var socket: Socket?
        var parser: HTTPRequestParser
        var output: [UInt8] = []
        /// So much of `output` is written.
        var written = 0
        /// So much was written before `output`, since there was nothing to write.
        var passed = 0
        var nextNumber: UInt64 = 1
        /// The request that is being answered.
        var current: Current?
        var onDisconnect: (@Sendable () -> Void)?
        /// `run` is at work: whatever else happens on this connection is left to it.
        var isRunning = false
        /// Since when the next answer is the last one, and a request that has not come whole has
        /// little time left.
        var finishingSince: UInt64?
        /// The client has said its last word.
        var isEnded = false
        /// No more requests: the connection ends with what is still to be written.
        var isClosing = false
        var isClosed = false
        /// Our side has ended; what the client still says is read past.
        var isLingering = false
        /// What the loop watches for.
        var watched = EventLoop.Interest.read
        /// What the server was told that this connection holds, in bytes.
        var held = 0
        /// Since when nothing was asked that is not answered; `nil` while there is. Monotonic
        /// nanoseconds.
        var idleSince: UInt64?
        /// When somebody will have waited too long.
        var deadline: UInt64?
        /// The tick after which the server looks at this connection; `max`: it does not.
        var nextLook = UInt64.max
        /// Since when there is a request that has not come whole, or bytes that are not taken.
        var readingSince: UInt64?
        var writingSince: UInt64?
    }

    final class Socket: Sendable {
        let descriptor: FileDescriptor
        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    /// The descriptor's number; somebody else's once the connection is over.
    let identifier: CInt
    let service: HTTPService
    let state: LoopConfined<State>

    init(_ socket: consuming FileDescriptor, _ service: HTTPService) {
        let parser = HTTPRequestParser(
            limits: service.limits, remoteAddress: Sockets.remoteAddress(of: socket),
            localPort: service.port)
        identifier = socket.rawValue
        self.service = service
        state = LoopConfined(
            State(socket: Socket(socket), parser: parser), loop: service.loop)
    }

    func start() throws(SystemError) {
        try service.loop.watch(identifier, .read) { [self] in ready($0) }
        state.with { state in
            let now = SystemClock.monotonicNanoseconds()
            state.idleSince = now
            wait(service.limits.readTimeout, since: now, &state)
        }
    }

    private func ready(_ readiness: EventLoop.Readiness) {
        // Nobody is there to take an answer.
        guard !readiness.contains(.hangUp) else { return close() }
        run { state in
            if readiness.contains(.read) { read(&state) }
        }
    }

    /// Closes after the request that is being answered, that has come already, or that comes whole
    /// within `HTTPServer.lastCall`.
    func finish() {
        run { state in
            state.finishingSince = SystemClock.monotonicNanoseconds()
            if state.watched.contains(.read) { read(&state) }
        }
        state.with { state in
            guard state.current == nil, !state.isClosed else { return }
            guard !state.parser.isInsideRequest else { return setDeadline(&state) }
            // The last answer may still be on its way.
            if state.output.isEmpty { close(&state) } else { state.isClosing = true }
        }
    }

    /// Closes at once.
    func close() { state.with { close(&$0) } }

    var idleSince: UInt64? { state.with { $0.isClosed ? nil : $0.idleSince } }

    // MARK: requests

    /// Hands requests over until one waits for its answer, and writes what answers there are, all
    /// at once. A handler that answers at once comes back into this object: it runs outside.
    ///
    /// - Parameter begin: what is done to the state first.
    func run(_ begin: (inout State) -> Void = { _ in }) {
        var next = state.with { state in
            begin(&state)
            return state.isRunning ? nil : goOn(&state)
        }
        while let (request, number) = next {
            service.handler(request, HTTPResponder(self, number, request))
            next = state.with { goOn(&$0) }
        }
    }

    /// The next request; without one, what there is is written, and `run` is over.
    private func goOn(_ state: inout State) -> (HTTPRequest, UInt64)? {
        state.isRunning = true
        repeat {
            if let next = take(&state) { return next }
        } while settle(&state)
        state.isRunning = false
        return nil
    }

    /// The next request; `nil` while there is none, and while its turn has not come.
    private func take(_ state: inout State) -> (HTTPRequest, UInt64)? {
        while state.current == nil, !state.isClosing, !state.isClosed,
            state.output.count - state.written <= service.limits.pipelinedBytes
        {
            do throws(HTTPError) {
                switch try state.parser.next() {
                case .continueExpected: state.output += HTTPResponse.continued
                case .request(let request):
                    let number = state.nextNumber
                    state.nextNumber += 1
                    state.readingSince = nil
                    state.idleSince = nil
                    state.current = Current(
                        number: number, isHead: request.method == "HEAD",
                        isKeptAlive: request.isKeptAlive, isOld: request.isOld,
                        bodyBytes: request.body.count)
                    return (request, number)
                case nil:
                    // It may have ended its own side only, and had its answers now.
                    state.isClosing = state.isEnded
                    return nil
                }
            } catch {
                refuse(error, &state)
            }
        }
        return nil
    }

    func refuse(_ error: HTTPError, _ state: inout State) {
        var response = service.refusal(error, state.parser.begun)
        if error.status == 503 { response.headers["Retry-After"] = "1" }
        response.write(to: &state.output, isHead: false, .closes, date: service.dateLine())
        state.isClosing = true
    }

    /// A second answer goes nowhere.
    func respond(_ response: HTTPResponse, to responder: HTTPResponder) {
        let outcome = state.with { state -> (isSent: Bool, hasNext: Bool)? in
            guard let current = state.current, current.number == responder.number else {
                return nil
            }
            state.current = nil
            guard !state.isClosed else { return (false, false) }
            state.onDisconnect = nil
            state.isClosing =
                !current.isKeptAlive || state.finishingSince != nil
                || service.totals.isCrowded.load(ordering: .acquiring)
            // Written from where it is: a copy costs more.
            if response.isSendable {
                write(response, to: current, &state)
            } else {
                write(HTTPResponse(500), to: current, &state)
            }
            return (true, state.parser.bufferedBytes > 0)
        }
        guard let (isSent, hasNext) = outcome else { return }
        // What comes next may be answered at once: that is told of later.
        if hasNext { tell(of: response, to: responder, isSent) }
        if isSent { run() }
        if !hasNext { tell(of: response, to: responder, isSent) }
    }

    private func tell(of response: HTTPResponse, to responder: HTTPResponder, _ isSent: Bool) {
        guard let observe = service.observer else { return }
        // Most connections are idle since the answer was out.
        let end = idleSince ?? SystemClock.monotonicNanoseconds()
        observe(response, responder.request, end - responder.begin, isSent)
    }

    private func write(_ response: HTTPResponse, to request: Current, _ state: inout State) {
        if state.output.isEmpty { service.swapRoom(&state.output) }
        response.write(
            to: &state.output, isHead: request.isHead,
            state.isClosing ? .closes : request.isOld ? .staysForOldClient : .stays,
            date: service.dateLine())
    }

    func onDisconnect(of number: UInt64, _ body: @escaping @Sendable () -> Void) {
        let isEnded = state.with { state in
            guard let current = state.current, current.number == number else { return false }
            state.onDisconnect = body
            if state.isClosed { tellOfDisconnect(&state) } else { askWhetherGone(&state) }
            return state.isEnded
        }
        if isEnded { run() }
    }
}
