import Posix

/// One address on which a server takes connections.
package final class HTTPListener: Sendable {
    package typealias Listen = (_ host: String, _ port: UInt16) throws(SystemError) ->
        FileDescriptor

    /// How often the system is asked for a port that is free on both addresses of `localhost`.
    package static let portAttempts = 32

    /// Numeric.
    package let host: String
    package let socket: FileDescriptor

    private init(_ host: String, _ socket: consuming FileDescriptor) {
        self.host = host
        self.socket = socket
    }

    package var port: UInt16 { Sockets.port(of: socket) }

    /// Listens on an address; on `localhost`, under one port on what this machine has of
    /// 127.0.0.1 and ::1, because clients differ in which of them they try.
    package static func open(
        _ host: String, _ port: UInt16, by listen: Listen = Sockets.listen
    ) throws(SystemError) -> [HTTPListener] {
        guard host == HostAddress.loopback else {
            return [HTTPListener(host, try listen(host, port))]
        }
        var attempt = 1
        while true {
            do throws(SystemError) {
                return try openLoopback(port, listen)
            } catch {
                // A port that is free on one may be taken on the other.
                guard port == 0, error.isAddressInUse, attempt < portAttempts else { throw error }
                attempt += 1
            }
        }
    }

    private static func openLoopback(
        _ port: UInt16, _ listen: Listen
    ) throws(SystemError) -> [HTTPListener] {
        var listeners: [HTTPListener] = []
        var missing: SystemError?
        for host in ["127.0.0.1", "::1"] {
            do throws(SystemError) {
                let socket = try listen(host, listeners.first?.port ?? port)
                listeners.append(HTTPListener(host, socket))
            } catch {
                guard error.isAddressMissing else { throw error }
                missing = error
            }
        }
        if listeners.isEmpty, let missing { throw missing }
        return listeners
    }
}
