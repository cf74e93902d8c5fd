import HTTP
import Posix

/// Does what its script says: a request at a time, on a connection that lasts as long as the server
/// keeps it.
final class Client: Sendable {
    /// Before a server that refuses is asked again.
    private static let refusalPause = Duration.milliseconds(10)
    private static let readSize = 65_536

    /// One connection. Callbacks of an earlier one find another in its place.
    private final class Link: Sendable {
        let socket: FileDescriptor
        init(_ socket: consuming FileDescriptor) { self.socket = socket }
    }

    private struct State {
        var script: any Script
        var link: Link?
        var isConnected = false
        var reader = AnswerReader()
        /// Empty if nothing is asked.
        var request: [UInt8] = []
        var written = 0
        var began: UInt64 = 0
        /// A server may close a connection just as it is used again: that is tried twice.
        var isRepeated = false
    }

    private let load: Load
    private let state: LoopConfined<State>

    init(_ script: any Script, _ load: Load) {
        self.load = load
        state = LoopConfined(State(script: script), loop: load.loop)
    }

    /// On the loop.
    func start() { state.with { step(nil, &$0) } }

    private func step(_ answer: Answer?, _ state: inout State) {
        state.request = []
        switch load.counted({ state.script.next(after: answer, &$0) }) {
        case .request(let bytes):
            state.request = bytes
            state.isRepeated = false
            state.began = SystemClock.monotonicNanoseconds()
            ask(&state)
        case .pause(let duration):
            load.loop.schedule(after: duration) { [self] in start() }
        case .end:
            drop(&state)
            load.leave()
        }
    }

    private func ask(_ state: inout State) {
        state.written = 0
        if state.link == nil { connect(&state) } else { flush(&state) }
    }

    private func connect(_ state: inout State) {
        do throws(SystemError) {
            let server = load.options.client
            let link = Link(try Sockets.connect(host: server.host, port: server.port))
            try load.loop.watch(link.socket.rawValue, .write) { [self] readiness in
                self.state.with { state in
                    guard state.link === link else { return }
                    ready(readiness, link, &state)
                }
            }
            state.link = link
        } catch {
            fail(error.reason, &state)
        }
    }

    private func ready(_ readiness: EventLoop.Readiness, _ link: Link, _ state: inout State) {
        if !state.isConnected {
            if let error = Sockets.connectError(link.socket) { return fail(error.reason, &state) }
            state.isConnected = true
            load.loop.change(link.socket.rawValue, .read)
            return flush(&state)
        }
        if readiness.contains(.write) { flush(&state) }
        if readiness.contains(.read) { read(link, &state) }
    }

    private func flush(_ state: inout State) {
        guard let link = state.link, state.isConnected else { return }
        while state.written < state.request.count {
            let transfer = state.request.withUnsafeBytes {
                Sockets.write(link.socket, UnsafeRawBufferPointer(rebasing: $0[state.written...]))
            }
            switch transfer {
            case .bytes(let count): state.written += count
            case .wouldBlock: return load.loop.change(link.socket.rawValue, [.read, .write])
            case .closed: return  // what it said before is read
            }
        }
        if state.written > Self.readSize { load.loop.change(link.socket.rawValue, .read) }
    }

    private func read(_ link: Link, _ state: inout State) {
        let transfer = withUnsafeTemporaryAllocation(byteCount: Self.readSize, alignment: 1) {
            buffer -> Sockets.Transfer in
            let transfer = Sockets.receive(link.socket, into: buffer)
            if case .bytes(let count) = transfer {
                state.reader.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            return transfer
        }
        guard transfer != .wouldBlock else { return }
        let isEnd = transfer == .closed
        do throws(HTTPError) {
            if var answer = try state.reader.next(isEnd: isEnd) {
                let took = SystemClock.monotonicNanoseconds() - state.began
                answer.microseconds = Double(took) / 1000
                if isEnd || answer.isLast { drop(&state) }
                return step(answer, &state)
            }
        } catch {
            return fail(error.message, &state)
        }
        if isEnd { closed(&state) }
    }

    /// The server has closed the connection without an answer.
    private func closed(_ state: inout State) {
        drop(&state)
        guard !state.request.isEmpty else { return }
        guard !state.isRepeated else { return fail("the connection was closed", &state) }
        state.isRepeated = true
        ask(&state)
    }

    private func drop(_ state: inout State) {
        if let link = state.link { load.loop.unwatch(link.socket.rawValue) }
        state.link = nil
        state.isConnected = false
        state.reader = AnswerReader()
    }

    private func fail(_ reason: String, _ state: inout State) {
        drop(&state)
        state.request = []
        load.loop.schedule(after: Self.refusalPause) { [self] in
            self.state.with { step(Answer(status: 0, body: Array(reason.utf8)), &$0) }
        }
    }
}
