import CPosix
import Glibc

/// A numeric host and a port; names are not looked up, but for `localhost`.
struct SocketAddress {
    let family: CInt
    private let storage: sockaddr_storage
    private let length: socklen_t

    /// - Parameter host: `127.0.0.1`, `::1`, `localhost`.
    init(_ host: String, _ port: UInt16) throws(SystemError) {
        var storage = sockaddr_storage()
        let host = host == HostAddress.loopback ? "127.0.0.1" : host
        let isIPv6 = host.contains(":")
        let isParsed = withUnsafeMutableBytes(of: &storage) { bytes -> Bool in
            guard let base = bytes.baseAddress else { return false }
            if isIPv6 {
                let address = base.assumingMemoryBound(to: sockaddr_in6.self)
                address.pointee.sin6_family = sa_family_t(AF_INET6)
                address.pointee.sin6_port = port.bigEndian
                return inet_pton(AF_INET6, host, &address.pointee.sin6_addr) == 1
            }
            let address = base.assumingMemoryBound(to: sockaddr_in.self)
            address.pointee.sin_family = sa_family_t(AF_INET)
            address.pointee.sin_port = port.bigEndian
            return inet_pton(AF_INET, host, &address.pointee.sin_addr) == 1
        }
        guard isParsed else { throw SystemError(call: "inet_pton", code: EINVAL, path: host) }
        self.storage = storage
        family = isIPv6 ? AF_INET6 : AF_INET
        length = socklen_t(
            isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
    }

    func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}

/// What a numeric address means.
package enum HostAddress {
    /// The only name: this machine, for itself.
    package static let loopback = "localhost"

    /// Whether it is an address of either family, and not a name.
    package static func isNumeric(_ host: String) -> Bool {
        (try? SocketAddress(host, 0)) != nil && host != loopback
    }

    /// Whether only this machine can reach it.
    package static func isLoopback(_ host: String) -> Bool {
        host == loopback || host == "::1" || (isNumeric(host) && host.hasPrefix("127."))
    }

    /// Under which address this machine reaches what listens on `host`: one that stands for every
    /// address of a family is none to connect to.
    package static func reaching(_ host: String) -> String {
        switch host {
        case "0.0.0.0": "127.0.0.1"
        case "::": "::1"
        default: host
        }
    }

    /// As it stands in a URL: IPv6 in brackets.
    package static func inURL(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
}
