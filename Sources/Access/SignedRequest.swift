import JSON

/// A request as Signature Version 4 sees it: what came over the wire, untouched.
package struct SignedRequest: Equatable, Sendable {
    package var method: String
    /// The path up to the `?`, as it stands in the request line.
    package var path: String
    /// What follows the `?`, as it stands; empty without one.
    package var query: String
    /// In the order in which they came.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(
        method: String, path: String, query: String, headers: [(name: String, value: String)],
        body: [UInt8]
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The first header of that name, whatever its case.
    package func header(_ name: String) -> String? {
        headers.first { Self.isNamed($0.name, name) }?.value
    }

    /// - Parameter lowercase: in lower case.
    static func isNamed(_ name: String, _ lowercase: String) -> Bool {
        guard name.utf8.count == lowercase.utf8.count else { return false }
        var wanted = lowercase.utf8.makeIterator()
        for byte in name.utf8 {
            guard ((65...90).contains(byte) ? byte + 32 : byte) == wanted.next() else {
                return false
            }
        }
        return true
    }

    /// The query's parameters, decoded, in order. A `+` is a space and is signed as one, as
    /// API Gateway does it: who reads it takes it for one.
    package var parameters: [(name: String, value: String)] {
        query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? PercentEncoding.decode(parts[1], plusIsSpace: true) : ""
            return (PercentEncoding.decode(parts[0], plusIsSpace: true), value)
        }
    }

    package static func == (lhs: SignedRequest, rhs: SignedRequest) -> Bool {
        lhs.method == rhs.method && lhs.path == rhs.path && lhs.query == rhs.query
            && lhs.body == rhs.body && lhs.headers.elementsEqual(rhs.headers, by: ==)
    }
}
