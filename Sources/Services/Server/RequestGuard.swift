import HTTP
import JSON
import Posix
import Synchronization

/// Refuses what a page in a browser may have sent (DNS rebinding, requests across origins) before
/// anybody reads it (docs/security.md).
package struct RequestGuard: Sendable {
    /// Names beside the machine's own that clients may ask for.
    private let allowedHosts: Set<String>
    private let refusesOtherOrigins: Bool
    private let lastOwn = LastHost()

    /// - Parameters:
    ///   - allowedHosts: in lower case, without ports.
    ///   - refusesOtherOrigins: not where each route has CORS settings of its own.
    package init(allowedHosts: Set<String>, refusesOtherOrigins: Bool) {
        self.allowedHosts = allowedHosts
        self.refusesOtherOrigins = refusesOtherOrigins
    }

    /// - Returns: what a request is answered with that goes no further; `nil` for all others.
    package func refusal(of request: HTTPRequest) -> HTTPResponse? {
        // HTTP/1.0, which no browser speaks, does without.
        if let host = request.headers.bytes(of: "Host"), !isOwn(host) {
            let name = String(decoding: host, as: UTF8.self)
            return Self.refuse(421, "This server does not answer for the host '\(name)'.")
        }
        guard refusesOtherOrigins else { return nil }
        if let origin = request.headers["Origin"],
            origin.lowercased() != "http://\((request.headers["Host"] ?? "").lowercased())"
        {
            return Self.refuse(403, "Requests of another origin are not answered.")
        }
        // Requests that carry no Origin, such as an image's, are told apart by Fetch Metadata.
        if let site = request.headers["Sec-Fetch-Site"], !["same-origin", "none"].contains(site) {
            return Self.refuse(403, "Requests of another site are not answered.")
        }
        return nil
    }

    /// Whether a name cannot have been made to point here by somebody else: an address, a name of
    /// this machine, or one of AWS's, which SDKs ask for when they are redirected.
    private func isOwn(_ field: ArraySlice<UInt8>) -> Bool {
        if lastOwn.is(field) { return true }
        let text = String(decoding: field, as: UTF8.self)
        guard let name = Self.name(text)?.lowercased(), isOwn(name: name) else { return false }
        lastOwn.set(field)
        return true
    }

    private func isOwn(name host: String) -> Bool {
        host == "localhost" || host.hasSuffix(".localhost") || HostAddress.isNumeric(host)
            || host.hasSuffix(".amazonaws.com") || allowedHosts.contains(host)
    }

    /// A `Host` field without its port, an IPv6 address without its brackets; `nil` for what is no
    /// host (RFC 9112 section 3.2), whatever it ends in.
    private static func name(_ field: String) -> Substring? {
        let end = field.firstIndex(of: "]").flatMap { field.hasPrefix("[") ? $0 : nil }
        let name =
            end.map { field[field.index(after: field.startIndex)..<$0] }
            ?? field.prefix { $0 != ":" }
        let rest = field[name.endIndex...].dropFirst(end == nil ? 0 : 1)
        let isHost = end == nil ? isName(name) : HostAddress.isNumeric(String(name))
        guard isHost, isPort(rest) else { return nil }
        return name
    }

    /// Letters, digits and `-._`: nothing that anybody could read as the end of a name.
    private static func isName(_ name: Substring) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 45, 46, 48...57, 65...90, 95, 97...122: true
                default: false
                }
            }
    }

    /// Nothing, or a colon and digits.
    private static func isPort(_ rest: Substring) -> Bool {
        rest.isEmpty
            || (rest.first == ":" && rest.dropFirst().utf8.allSatisfy { 48 <= $0 && $0 <= 57 })
    }

    /// The `Host` that was last found to be one of ours: most requests have the same.
    private final class LastHost: Sendable {
        /// No name of a host is longer (RFC 1035 section 2.3.4), but for its port.
        private static let limit = 260
        private let field = Mutex<[UInt8]>([])

        func `is`(_ field: ArraySlice<UInt8>) -> Bool {
            self.field.withLock { last in
                !last.isEmpty
                    && last.withUnsafeBytes { last in
                        field.withUnsafeBytes { last.isSame(as: $0) }
                    }
            }
        }

        func set(_ field: ArraySlice<UInt8>) {
            if field.count <= Self.limit { self.field.withLock { $0 = Array(field) } }
        }
    }

    private static func refuse(_ status: Int, _ message: String) -> HTTPResponse {
        .json(status, ["message": .string(message)])
    }
}
