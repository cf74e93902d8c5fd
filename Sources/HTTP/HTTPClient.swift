import Posix

/// Asks a server one thing over a connection of its own, and waits. For commands; a server must not
/// block like this.
package struct HTTPClient: Sendable {
    /// Why there is no response.
    package enum Failure: Error, Equatable, Sendable {
        /// Nobody listens, or the way is blocked.
        case unreachable(reason: String)
        case timeout
        /// The connection ended, or what came is no response.
        case broken(reason: String)
        /// A signal asks this process to end.
        case interrupted
    }

    /// How often it looks whether a signal came, should that come just before a wait.
    private static let glance: Int32 = 200

    package let host: String
    package let port: UInt16
    private let limits: HTTPLimits

    /// - Parameter host: a numeric address, or `localhost`.
    package init(host: String, port: UInt16, limits: HTTPLimits = Self.answers) {
        self.host = host
        self.port = port
        self.limits = limits
    }

    /// - Parameter url: `http://127.0.0.1:4566`; a path is left out.
    package init?(url: String) {
        let scheme = "http://"
        guard url.hasPrefix(scheme) else { return nil }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" }
        guard let colon = authority.lastIndex(of: ":"),
            let port = UInt16(authority[authority.index(after: colon)...])
        else { return nil }
        let host = authority[..<colon].filter { $0 != "[" && $0 != "]" }
        self.init(host: String(host), port: port)
    }

    /// What answers may be like.
    package static var answers: HTTPLimits {
        var limits = HTTPLimits()
        limits.bodyBytes = 64 * 1024 * 1024
        return limits
    }

    /// How the `Host` field names the server.
    package var authority: String { "\(HostAddress.inURL(host)):\(port)" }

    /// Sends a request and returns its response.
    ///
    /// - Parameters:
    ///   - request: `Host` is added where it has none; lengths and connection are this client's.
    ///   - timeout: from here to the last byte.
    package func send(
        _ request: HTTPRequest, timeout: Duration
    ) throws(Failure) -> HTTPResponse {
        let deadline = SystemClock.monotonicNanoseconds() + timeout.nanoseconds
        let outcome: Result<HTTPResponse, Failure>
        do throws(SystemError) {
            let socket = try Sockets.connect(host: host, port: port)
            outcome = try exchange(request, socket, deadline)
        } catch {
            throw .unreachable(reason: error.reason)
        }
        return try outcome.get()
    }

    private func exchange(
        _ request: HTTPRequest, _ socket: borrowing FileDescriptor, _ deadline: UInt64
    ) throws(SystemError) -> Result<HTTPResponse, Failure> {
        if let failure = wait(socket, .write, deadline) { return .failure(failure) }
        if let error = Sockets.connectError(socket) { throw error }
        let bytes = serialized(request)
        var written = 0
        while written < bytes.count {
            let transfer = bytes.withUnsafeBytes {
                Sockets.write(socket, UnsafeRawBufferPointer(rebasing: $0[written...]))
            }
            // A server that refuses early has said why; it is read below.
            if transfer == .closed { break }
            if case .bytes(let count) = transfer { written += count }
            if transfer == .wouldBlock, let failure = wait(socket, .write, deadline) {
                return .failure(failure)
            }
        }
        var parser = HTTPResponseParser(limits: limits, isHead: request.method == "HEAD")
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let transfer = buffer.withUnsafeMutableBytes { Sockets.receive(socket, into: $0) }
            do throws(HTTPError) {
                switch transfer {
                case .bytes(let count):
                    if let response = try parser.append(buffer[..<count]) {
                        return .success(response)
                    }
                case .closed:
                    if let response = try parser.append([]) { return .success(response) }
                case .wouldBlock:
                    if let failure = wait(socket, .read, deadline) { return .failure(failure) }
                }
            } catch {
                return .failure(.broken(reason: error.message))
            }
        }
    }

    private func wait(
        _ socket: borrowing FileDescriptor, _ interest: EventLoop.Interest, _ deadline: UInt64
    ) -> Failure? {
        while true {
            guard Signals.termination == nil else { return .interrupted }
            let now = SystemClock.monotonicNanoseconds()
            guard now < deadline else { return .timeout }
            let left = Int32(clamping: (deadline - now) / 1_000_000 + 1)
            if Sockets.wait(socket, interest, milliseconds: min(left, Self.glance)) { return nil }
        }
    }

    private func serialized(_ request: HTTPRequest) -> [UInt8] {
        var text = "\(request.method) \(request.target) HTTP/1.1\r\n"
        var headers = request.headers
        if headers["Host"] == nil { headers["Host"] = authority }
        headers["Content-Length"] =
            request.body.isEmpty && request.method == "GET" ? nil : String(request.body.count)
        headers["Connection"] = "close"
        for (name, value) in headers.fields { text += "\(name): \(value)\r\n" }
        return Array((text + "\r\n").utf8) + request.body
    }
}
