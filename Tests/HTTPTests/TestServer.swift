import HTTP
import Posix
import Testing

/// A server on a loop of its own, and a client that is not ours to be nice to it.
final class TestServer {
    private let loop: EventLoop
    private let server: HTTPServer

    init(
        host: String = "127.0.0.1", limits: HTTPLimits = HTTPLimits(),
        observer: HTTPServer.Observer? = nil, handler: @escaping HTTPServer.Handler
    ) throws {
        loop = try EventLoop(name: "test")
        server = try HTTPServer(
            loop: loop, host: host, limits: limits, observer: observer, handler: handler)
    }

    var port: UInt16 { server.port }

    func end() {
        server.stop()
        loop.shutdown()
    }

    /// Waits until the last connection is gone.
    func finish() { beginToFinish().wait { $0 ? () : nil } }

    /// - Returns: `true` once the last connection is gone.
    func beginToFinish() -> ThreadCondition<Bool> {
        let isFinished = ThreadCondition(false)
        server.finish {
            isFinished.withLock { $0 = true }
            isFinished.signal()
        }
        return isFinished
    }

    func exchange(
        _ pieces: [String], until end: String? = nil, endsWriting: Bool = false
    ) throws -> String {
        try Self.exchange(server.port, pieces, until: end, endsWriting: endsWriting)
    }

    /// Sends, and reads until the text ends so or the server has ended.
    static func exchange(
        _ port: UInt16, _ pieces: [String], until end: String? = nil, endsWriting: Bool = false
    ) throws -> String {
        let socket = try Sockets.connect(host: "127.0.0.1", port: port)
        let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
        var rest = pieces[...]
        var answer = ""
        while SystemClock.monotonicNanoseconds() < deadline {
            if let piece = rest.first {
                let sent = Array(piece.utf8).withUnsafeBytes { Sockets.write(socket, $0) }
                if case .bytes(let count) = sent {
                    let left = String(decoding: Array(piece.utf8)[count...], as: UTF8.self)
                    rest = rest.dropFirst()
                    if !left.isEmpty { rest = ([left] + rest)[...] }
                    if rest.isEmpty, endsWriting { Sockets.endWriting(socket) }
                }
            }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let transfer = buffer.withUnsafeMutableBytes { Sockets.read(socket, into: $0) }
            switch transfer {
            case .bytes(let count):
                answer += String(decoding: buffer[..<count], as: UTF8.self)
                if let end, answer.hasSuffix(end) { return answer }
            case .closed where Sockets.connectError(socket) == nil && !answer.isEmpty:
                return answer
            case .closed, .wouldBlock: SystemClock.pause(microseconds: 200)
            }
        }
        return answer + "(deadline)"
    }
}
