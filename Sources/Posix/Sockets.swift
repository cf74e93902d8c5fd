import CPosix
import Glibc

/// TCP on IPv4 and IPv6, without blocking. Descriptors are closed at an exec.
package enum Sockets {
    /// Connections that wait to be accepted.
    package static let backlog: CInt = 1024

    /// A listening socket.
    /// - Parameter port: 0 lets the system choose.
    package static func listen(
        host: String, port: UInt16
    ) throws(SystemError) -> FileDescriptor {
        let address = try SocketAddress(host, port)
        let socket = try make(address.family)
        var one: CInt = 1
        let size = socklen_t(MemoryLayout<CInt>.size)
        setsockopt(socket.rawValue, SOL_SOCKET, SO_REUSEADDR, &one, size)
        // `::` is IPv6 alone; who wants IPv4 says so.
        if address.family == AF_INET6 {
            setsockopt(socket.rawValue, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &one, size)
        }
        if HostAddress.isLoopback(host) { leaveUnpaced(socket) }
        let bound = address.withPointer { bind(socket.rawValue, $0, $1) }
        guard bound == 0 else { throw .last("bind", path: "\(host):\(port)") }
        guard Glibc.listen(socket.rawValue, backlog) == 0 else { throw .last("listen") }
        return socket
    }

    /// The port that a socket is bound to.
    package static func port(of socket: borrowing FileDescriptor) -> UInt16 {
        // The port stands at the same place in addresses of both families.
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(socket.rawValue, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin6_port)
    }

    /// The address of a connection's other end, without its port, IPv4 in IPv6 as IPv4; empty if it
    /// is gone already.
    package static func remoteAddress(of socket: borrowing FileDescriptor) -> String {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getpeername(socket.rawValue, $0, &length)
            }
        }
        guard status == 0 else { return "" }
        let family = CInt(address.ss_family)
        let text = withUnsafeBytes(of: &address) { bytes in
            let isIPv6 = family == AF_INET6
            let offset = isIPv6 ? 8 : 4  // where sockaddr_in6 and sockaddr_in keep it
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) {
                let capacity = socklen_t($0.count)
                return inet_ntop(
                    isIPv6 ? AF_INET6 : AF_INET, bytes.baseAddress.map { $0 + offset },
                    $0.baseAddress, capacity
                ).map { String(cString: $0) } ?? ""
            }
        }
        return text.hasPrefix("::ffff:") ? String(text.dropFirst(7)) : text
    }

    /// Begins to connect; the socket is ready for writing once that is done or has failed.
    package static func connect(host: String, port: UInt16) throws(SystemError) -> FileDescriptor {
        let address = try SocketAddress(host, port)
        let socket = try make(address.family)
        setNoDelay(socket)
        if HostAddress.isLoopback(host) { leaveUnpaced(socket) }
        let status = address.withPointer { Glibc.connect(socket.rawValue, $0, $1) }
        guard status == 0 || errno == EINPROGRESS else {
            throw .last("connect", path: "\(host):\(port)")
        }
        return socket
    }

    /// What became of a connection that was begun; `nil` if it stands.
    package static func connectError(_ socket: borrowing FileDescriptor) -> SystemError? {
        var code: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(socket.rawValue, SOL_SOCKET, SO_ERROR, &code, &length)
        return code == 0 ? nil : SystemError(call: "connect", code: code)
    }

    /// The next connection; `nil` if none waits.
    package static func accept(
        _ listener: borrowing FileDescriptor
    ) throws(SystemError) -> FileDescriptor? {
        let raw = retrying {
            accept4(
                listener.rawValue, nil, nil,
                CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
        }
        guard raw >= 0 else {
            switch errno {
            case EAGAIN, ECONNABORTED: return nil
            default: throw .last("accept4")
            }
        }
        let socket = FileDescriptor(owning: raw)
        setNoDelay(socket)
        return socket
    }

    package enum Transfer: Equatable, Sendable {
        case bytes(Int)
        /// Nothing now; wait until it is ready.
        case wouldBlock
        /// The peer has ended its side, or the connection is broken.
        case closed
    }

    package static func read(
        _ socket: borrowing FileDescriptor, into buffer: UnsafeMutableRawBufferPointer
    ) -> Transfer {
        transfer { Glibc.read(socket.rawValue, buffer.baseAddress, buffer.count) }
    }

    /// As `read`, but of sockets only: it takes the system less.
    package static func receive(
        _ socket: borrowing FileDescriptor, into buffer: UnsafeMutableRawBufferPointer
    ) -> Transfer {
        transfer { recv(socket.rawValue, buffer.baseAddress, buffer.count, 0) }
    }

    private static func transfer(_ call: () -> Int) -> Transfer {
        let count = retrying(call)
        if count > 0 { return .bytes(count) }
        return count < 0 && errno == EAGAIN ? .wouldBlock : .closed
    }

    /// What a pipe or socket holds that could be read now, in bytes.
    package static func readableBytes(_ descriptor: borrowing FileDescriptor) -> Int {
        var count: CInt = 0
        return ioctl(descriptor.rawValue, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    package static func write(
        _ socket: borrowing FileDescriptor, _ bytes: UnsafeRawBufferPointer
    ) -> Transfer {
        let count = retrying {
            send(socket.rawValue, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
        }
        if count >= 0 { return .bytes(count) }
        return errno == EAGAIN ? .wouldBlock : .closed
    }

    /// Waits until a socket is ready; for a thread that may block.
    /// - Returns: whether it is.
    package static func wait(
        _ socket: borrowing FileDescriptor, _ interest: EventLoop.Interest, milliseconds: Int32
    ) -> Bool {
        let events = interest.contains(.write) ? POLLOUT : POLLIN
        var entry = pollfd(fd: socket.rawValue, events: Int16(events), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }

    /// No more will be written; what the peer still says can be read.
    package static func endWriting(_ socket: borrowing FileDescriptor) {
        _ = shutdown(socket.rawValue, CInt(SHUT_WR))
    }

    /// Ends both directions; the descriptor itself stays until its owner goes.
    package static func hangUp(_ socket: borrowing FileDescriptor) {
        _ = shutdown(socket.rawValue, CInt(SHUT_RDWR))
    }

    private static func make(_ family: CInt) throws(SystemError) -> FileDescriptor {
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let raw = socket(family, kind, 0)
        guard raw >= 0 else { throw .last("socket") }
        return FileDescriptor(owning: raw)
    }

    private static func setNoDelay(_ socket: borrowing FileDescriptor) {
        var one: CInt = 1
        let size = socklen_t(MemoryLayout<CInt>.size)
        setsockopt(socket.rawValue, CInt(IPPROTO_TCP), TCP_NODELAY, &one, size)
    }
}
