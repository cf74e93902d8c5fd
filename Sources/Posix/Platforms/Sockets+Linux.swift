import CPosix
import Glibc

extension Sockets {
    /// RFC 5681's; each Linux has it, and lets everybody choose it.
    private static let unpaced = "reno"

    /// Chooses a congestion control that does not pace, for what never leaves this machine. BBR,
    /// where it is the machine's, spaces packets by a timer, also on the loopback, where nothing
    /// can be congested: a tenth of the processor's time for a message.
    ///
    /// A listener's connections inherit it. Where the system refuses, its own choice stays.
    static func leaveUnpaced(_ socket: borrowing FileDescriptor) {
        setsockopt(
            socket.rawValue, CInt(IPPROTO_TCP), TCP_CONGESTION, unpaced,
            socklen_t(unpaced.utf8.count))
    }

    /// The name of the congestion control that a socket has; empty if the system does not tell.
    package static func congestionControl(of socket: borrowing FileDescriptor) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: congestionControlSize) { name in
            name.initialize(repeating: 0)
            var length = socklen_t(name.count - 1)
            let status = getsockopt(
                socket.rawValue, CInt(IPPROTO_TCP), TCP_CONGESTION, name.baseAddress, &length)
            guard status == 0, let base = name.baseAddress else { return "" }
            return String(cString: base)
        }
    }

    /// `TCP_CA_NAME_MAX`, and a zero.
    private static let congestionControlSize = 17
}
