import Posix

/// What all connections of one server share; its state belongs to the loop.
final class HTTPService: Sendable {
    struct State: Sendable {
        var connections: [CInt: HTTPConnection] = [:]
        var deadlines = DeadlineWheel(now: SystemClock.monotonicNanoseconds())
        /// Who may have to give way: those who were idle when it was made.
        var idle = IdleOrder()
        /// What all connections hold together, in bytes.
        var heldBytes = 0
        /// Somebody has to give up what it holds, and will.
        var isRelieving = false
        var dateSecond: Int64 = -1
        var dateLine: [UInt8] = []
        var onForgotten: (@Sendable () -> Void)?
    }

    /// How much one read takes.
    static let readSize = 65_536

    let loop: EventLoop
    let limits: HTTPLimits
    let refusal: HTTPServer.Refusal
    let handler: HTTPServer.Handler
    let port: UInt16
    let state: LoopConfined<State>
    private let scratch: Scratch

    init(
        loop: EventLoop, limits: HTTPLimits, port: UInt16, refusal: @escaping HTTPServer.Refusal,
        handler: @escaping HTTPServer.Handler
    ) {
        self.loop = loop
        self.limits = limits
        self.port = port
        self.refusal = refusal
        self.handler = handler
        state = LoopConfined(State(), loop: loop)
        scratch = Scratch(loop: loop)
    }

    /// One buffer does for all who read, one after the other.
    private final class Scratch: Sendable {
        private let bytes: LoopConfined<[UInt8]>
        init(loop: EventLoop) {
            bytes = LoopConfined([UInt8](repeating: 0, count: HTTPService.readSize), loop: loop)
        }
        func with<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
            bytes.with { $0.withUnsafeMutableBytes(body) }
        }
    }

    /// A buffer for the length of `body`; on the loop.
    func withScratch<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R { scratch.with(body) }

    /// The `Date` line of this second (RFC 9110 section 6.6.1).
    func dateLine() -> [UInt8] {
        let second = SystemClock.unixMilliseconds() / 1000
        return state.with { state in
            if state.dateSecond != second {
                state.dateSecond = second
                state.dateLine = Array("Date: \(HTTPDate.text(second))\r\n".utf8)
            }
            return state.dateLine
        }
    }

    // MARK: connections

    var connectionCount: Int { state.with { $0.connections.count } }
    var connections: [HTTPConnection] { state.with { Array($0.connections.values) } }

    /// `body` runs on the loop whenever a connection is gone; set before there are any.
    func follow(_ body: @escaping @Sendable () -> Void) {
        loop.execute { [self] in state.with { $0.onForgotten = body } }
    }

    func add(_ connection: HTTPConnection) throws(SystemError) {
        try connection.start()
        state.with { $0.connections[connection.identifier] = connection }
    }

    /// The connection is closed. Its descriptor may stay for a while: a responder may hold it.
    func forget(_ connection: HTTPConnection) {
        // Whoever closes it may be at work with it.
        loop.execute { [self] in
            let onForgotten = state.with { state in
                state.connections[connection.identifier] = nil
                return state.onForgotten
            }
            onForgotten?()
        }
    }

    /// Looks at those whose time has come.
    func sweep() {
        let now = SystemClock.monotonicNanoseconds()
        let due = state.with { state in
            state.deadlines.due(at: now).compactMap { state.connections[$0] }
        }
        for connection in due { connection.look(at: now) }
    }

    /// Looks at `connection` once `deadline` has passed, or before.
    /// - Returns: after which tick.
    func watch(_ connection: CInt, until deadline: UInt64) -> UInt64 {
        state.with { $0.deadlines.insert(connection, deadline) }
    }
}
