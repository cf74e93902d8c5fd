import Posix
import Synchronization

/// What all connections of one server share that one loop serves; its state belongs to that loop.
final class HTTPService: Sendable {
    struct State: Sendable {
        var connections: [CInt: HTTPConnection] = [:]
        var deadlines = DeadlineWheel(now: SystemClock.monotonicNanoseconds())
        /// Who may have to give way: those who were idle when it was made.
        var idle = IdleOrder()
        /// Where the last answer lay: the next needs no other place.
        var room: [UInt8] = []
        var dateSecond: Int64 = -1
        var dateLine: [UInt8] = []
        var sweep: EventLoop.TimerID?
        var onForgotten: (@Sendable () -> Void)?
        var onOverfull: (@Sendable () -> Void)?
    }

    /// What the services of one server have together.
    final class Totals: Sendable {
        let connections = Atomic(0)
        let heldBytes = Atomic(0)
        /// Somebody has to give up what it holds, and will.
        let isRelieving = Atomic(false)
        /// Somebody waits for a place, and nobody is idle: whoever is answered gives his up.
        let isCrowded = Atomic(false)
    }

    private static let sweepInterval = Duration.nanoseconds(Int64(DeadlineWheel.tick))

    /// How much one read takes.
    static let readSize = 65_536

    let loop: EventLoop
    let totals: Totals
    let limits: HTTPLimits
    let refusal: HTTPServer.Refusal
    let observer: HTTPServer.Observer?
    let handler: HTTPServer.Handler
    let port: UInt16
    let state: LoopConfined<State>
    private let scratch: Scratch
    private let counted = Atomic(0)
    /// What all connections hold, in bytes; only the loop changes it.
    let held = Atomic(0)
    /// When a connection was closed to make room, on the monotonic clock.
    let lastGivenWay = Atomic<UInt64>(0)

    init(
        loop: EventLoop, totals: Totals, limits: HTTPLimits, port: UInt16,
        refusal: @escaping HTTPServer.Refusal, observer: HTTPServer.Observer?,
        handler: @escaping HTTPServer.Handler
    ) {
        self.loop = loop
        self.totals = totals
        self.limits = limits
        self.port = port
        self.refusal = refusal
        self.observer = observer
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

    func swapRoom(_ output: inout [UInt8]) { state.with { swap(&$0.room, &output) } }

    /// The place of an answer that is written is for the next one's, on whatever connection.
    func keepRoom(_ output: inout [UInt8]) {
        output.removeAll(keepingCapacity: output.capacity <= Self.readSize)
        swapRoom(&output)
        output = []
    }

    /// The `Date` line of this second (RFC 9110 section 6.6.1).
    func dateLine() -> [UInt8] {
        let second = SystemClock.unixSeconds()
        return state.with { state in
            if state.dateSecond != second {
                state.dateSecond = second
                state.dateLine = Array("Date: \(HTTPDate.text(second))\r\n".utf8)
            }
            return state.dateLine
        }
    }

    // MARK: connections

    /// Those on their way to the loop included; from any thread.
    var connectionCount: Int { counted.load(ordering: .acquiring) }
    var gaveWay: UInt64 { lastGivenWay.load(ordering: .acquiring) }
    /// On the loop.
    var connections: [HTTPConnection] { state.with { Array($0.connections.values) } }

    /// Both run on the loop; set before there are connections.
    ///
    /// - Parameters:
    ///   - onForgotten: whenever a connection is gone.
    ///   - onOverfull: when the server's connections hold too much, and nobody relieves it yet.
    func follow(
        onForgotten: @escaping @Sendable () -> Void, onOverfull: @escaping @Sendable () -> Void
    ) {
        loop.execute { [self] in
            state.with { state in
                state.onForgotten = onForgotten
                state.onOverfull = onOverfull
            }
        }
    }

    /// Serves a client from here on; from the loop that accepts.
    ///
    /// - Throws: what the system says; where another loop is to serve it the client is let go then.
    func add(_ connection: HTTPConnection) throws(SystemError) {
        counted.add(1, ordering: .acquiringAndReleasing)
        totals.connections.add(1, ordering: .acquiringAndReleasing)
        guard !loop.isOnLoop else { return try start(connection) }
        loop.execute { [self] in try? start(connection) }
    }

    private func start(_ connection: HTTPConnection) throws(SystemError) {
        do throws(SystemError) {
            try connection.start()
        } catch {
            uncount()
            throw error
        }
        state.with { $0.connections[connection.identifier] = connection }
        scheduleSweep()
    }

    private func uncount() {
        counted.subtract(1, ordering: .acquiringAndReleasing)
        totals.connections.subtract(1, ordering: .acquiringAndReleasing)
        state.with { $0.onForgotten }?()
    }

    /// The connection is closed.
    func forget(_ connection: HTTPConnection) {
        // Whoever closes it may be at work with it. Its descriptor is free before anybody hears.
        loop.execute { [self] in
            state.with { $0.connections[connection.identifier] = nil }
            connection.release()
            uncount()
        }
    }

    /// Goes on as long as there are connections, also once nobody is accepted any more.
    private func scheduleSweep() {
        state.with { state in
            guard state.sweep == nil, !state.connections.isEmpty else { return }
            state.sweep = loop.schedule(after: Self.sweepInterval) { [weak self] in
                guard let self else { return }
                self.state.with { $0.sweep = nil }
                sweep()
                scheduleSweep()
            }
        }
    }

    /// Looks at those whose time has come.
    private func sweep() {
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
