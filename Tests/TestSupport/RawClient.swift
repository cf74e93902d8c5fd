import Posix

/// A client that says what it likes, when it likes, on one connection that stays until it goes.
package final class RawClient {
    private let socket: FileDescriptor
    private var received = ""

    package init(host: String = "127.0.0.1", port: UInt16) throws(SystemError) {
        socket = try Sockets.connect(host: host, port: port)
    }

    /// Sends all of it.
    /// - Returns: whether it went out within ten seconds.
    @discardableResult
    package func send(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
        while !rest.isEmpty, SystemClock.monotonicNanoseconds() < deadline {
            guard Sockets.wait(socket, .write, milliseconds: 100) else { continue }
            switch rest.withUnsafeBytes({ Sockets.write(socket, $0) }) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: continue
            case .closed: return false
            }
        }
        return rest.isEmpty
    }

    /// Says that nothing more will come.
    package func endWriting() { Sockets.endWriting(socket) }

    /// What came, once it contains `text`; without it if the connection ends before, or ten seconds
    /// pass.
    package func read(until text: String, milliseconds: UInt64 = 10_000) -> String {
        let deadline = SystemClock.monotonicNanoseconds() + milliseconds * 1_000_000
        while !received.contains(text), SystemClock.monotonicNanoseconds() < deadline {
            guard take() else { break }
        }
        defer { received = "" }
        return received
    }

    /// Whether the other side has ended the connection, or does within ten seconds.
    package func isEnded(milliseconds: UInt64 = 10_000) -> Bool {
        let deadline = SystemClock.monotonicNanoseconds() + milliseconds * 1_000_000
        while SystemClock.monotonicNanoseconds() < deadline {
            guard take() else { return true }
        }
        return false
    }

    /// - Returns: `false` once the connection is over.
    private func take() -> Bool {
        guard Sockets.wait(socket, .read, milliseconds: 20) else { return true }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        switch buffer.withUnsafeMutableBytes({ Sockets.read(socket, into: $0) }) {
        case .bytes(let count): received += String(decoding: buffer[..<count], as: UTF8.self)
        case .wouldBlock: break
        case .closed: return false
        }
        return true
    }
}
