import JSON

/// One header field; names compare without case.
package struct GatewayHeader: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package func isNamed(_ other: String) -> Bool {
        name.utf8.count == other.utf8.count && name.lowercased() == other.lowercased()
    }
}

/// A request as it reaches the gateway, with what is known of it beside its bytes.
package struct GatewayRequest: Sendable {
    package var method: String
    /// As it stands in the request line: with the stage, percent-encoded, without the query. A
    /// REST API's begins with one slash, however many came.
    package var path: String
    /// What follows the `?`, as it stands; empty without one.
    package var query: String
    /// In the order in which they came.
    package var headers: [GatewayHeader]
    package var body: [UInt8]
    package var sourceIP: String
    package var localPort: Int
    package var received: Timestamp
    /// A REST API's is a UUID; an HTTP API's is of the form that REST APIs' extended ones have.
    package var requestID: String
    package var traceID: String

    package init(
        method: String, path: String, query: String, headers: [GatewayHeader], body: [UInt8],
        sourceIP: String, localPort: Int, received: Timestamp, requestID: String, traceID: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.sourceIP = sourceIP
        self.localPort = localPort
        self.received = received
        self.requestID = requestID
        self.traceID = traceID
    }

    /// The first field of that name.
    package func header(_ name: String) -> String? {
        headers.first { $0.isNamed(name) }?.value
    }

    /// The query's parameters, decoded, in their order; a name without a value has an empty one.
    package var parameters: [(name: String, value: String)] {
        query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? PercentEncoding.decode(parts[1], plusIsSpace: true) : ""
            return (PercentEncoding.decode(parts[0], plusIsSpace: true), value)
        }
    }

    /// Type and subtype of the body, in lower case; `nil` where none is named.
    package var mediaType: String? {
        header("Content-Type").map { String(MediaTypes.essence($0)) }
    }
}

/// An answer, but for the fields that every answer carries.
package struct GatewayResponse: Equatable, Sendable {
    package var status: Int
    package var headers: [GatewayHeader]
    package var body: [UInt8]

    package init(status: Int, headers: [GatewayHeader] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package func header(_ name: String) -> String? {
        headers.first { $0.isNamed(name) }?.value
    }

    /// Replaces every field of that name.
    package mutating func set(_ name: String, _ value: String) {
        headers.removeAll { $0.isNamed(name) }
        headers.append(GatewayHeader(name, value))
    }
}

/// Media types, as lists of an API name them: `image/png`, `image/*`, `*/*`.
package enum MediaTypes {
    /// `text/html; charset=x` without what follows the type, in lower case.
    static func essence(_ value: some StringProtocol) -> String {
        let type = value.prefix { $0 != ";" && $0 != "," }
        return String(type.filter { $0 != " " && $0 != "\t" }).lowercased()
    }

    /// Whether a list names the type.
    static func contain(_ list: [String], _ type: String) -> Bool {
        list.contains { entry in
            let entry = entry.lowercased()
            if entry == "*/*" || entry == type { return true }
            guard entry.hasSuffix("/*") else { return false }
            return type.hasPrefix(entry.dropLast())
        }
    }

    /// Whether HTTP APIs hand a body of this type over as text (*Lambda proxy integrations*).
    static func isText(_ type: String) -> Bool {
        if type.hasPrefix("text/") { return true }
        let texts = ["application/json", "application/javascript", "application/xml"]
        return texts.contains(type) || type.hasSuffix("+json") || type.hasSuffix("+xml")
    }
}
