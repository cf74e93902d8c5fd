/// A request, whole.
package struct HTTPRequest: Sendable {
    package var method: String
    /// As it stands in the request line, percent-encoding untouched.
    package var target: String
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// Whether the client will send more on this connection.
    package var isKeptAlive: Bool
    /// Who sent it: the address of the socket's other end, without its port; a proxy's, if there is
    /// one between.
    package var remoteAddress = "127.0.0.1"
    /// The port on which it came; 0 for one that came over no socket.
    package var localPort: UInt16 = 0

    package init(method: String, target: String, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        isKeptAlive = true
    }

    /// The target up to the `?`.
    package var path: Substring { target.prefix { $0 != "?" } }
    /// What follows the `?`; `nil` without one.
    package var query: Substring? {
        target.firstIndex(of: "?").map { target[target.index(after: $0)...] }
    }
}

/// A response, whole. Length, date and connection fields are the server's to add.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// What the log of requests says was asked for, and by whom; not sent.
    package var operation: String?
    package var principal: String?

    package init(_ status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package init(_ status: Int, type: String, _ body: [UInt8]) {
        self.init(status, headers: ["Content-Type": type], body: body)
    }

    /// The bytes for the wire (RFC 9112 section 4).
    func serialized(isHead: Bool, closes: Bool) -> [UInt8] {
        var text = "HTTP/1.1 \(status) \(Self.reasons[status] ?? "Status")\r\n"
        for (name, value) in headers.fields {
            text += "\(name): \(Self.safe(value))\r\n"
        }
        let mayHaveBody = status >= 200 && status != 204 && status != 304
        if mayHaveBody { text += "Content-Length: \(body.count)\r\n" }
        if closes { text += "Connection: close\r\n" }
        text += "\r\n"
        var bytes = Array(text.utf8)
        if mayHaveBody, !isHead { bytes += body }
        return bytes
    }

    /// A line break in a value would end the field, and begin another.
    private static func safe(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
            return value
        }
        return String(
            decoding: value.utf8.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }, as: UTF8.self)
    }

    /// Reason phrases are for people (RFC 9110 section 15).
    private static let reasons: [Int: String] = [
        100: "Continue",
        200: "OK",
        201: "Created",
        202: "Accepted",
        203: "Non-Authoritative Information",
        204: "No Content",
        205: "Reset Content",
        206: "Partial Content",
        300: "Multiple Choices",
        301: "Moved Permanently",
        302: "Found",
        303: "See Other",
        304: "Not Modified",
        307: "Temporary Redirect",
        308: "Permanent Redirect",
        400: "Bad Request",
        401: "Unauthorized",
        402: "Payment Required",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        406: "Not Acceptable",
        408: "Request Timeout",
        409: "Conflict",
        410: "Gone",
        411: "Length Required",
        412: "Precondition Failed",
        413: "Content Too Large",
        414: "URI Too Long",
        415: "Unsupported Media Type",
        417: "Expectation Failed",
        421: "Misdirected Request",
        422: "Unprocessable Content",
        425: "Too Early",
        426: "Upgrade Required",
        428: "Precondition Required",
        429: "Too Many Requests",
        431: "Request Header Fields Too Large",
        451: "Unavailable For Legal Reasons",
        500: "Internal Server Error",
        501: "Not Implemented",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Gateway Timeout",
        505: "HTTP Version Not Supported",
        507: "Insufficient Storage",
    ]
}

/// A request that is refused before anybody reads it: the status, and why.
package struct HTTPError: Error, Equatable, Sendable {
    package var status: Int
    package var message: String

    package init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }
}

/// What a client may ask for. Nothing grows beyond these.
package struct HTTPLimits: Sendable {
    /// The request line, in bytes.
    package var requestLine = 8192
    /// All header fields, or all trailer fields, in bytes.
    package var headerBytes = 65_536
    package var headerFields = 100
    package var bodyBytes = 8 * 1024 * 1024
    /// A chunk's size line, extensions included, in bytes.
    package var chunkLine = 256
    package var connections = 10_240
    /// For a whole head, and for each further piece of a body.
    package var readTimeout = Duration.seconds(30)
    /// For a client to take what is written to it.
    package var writeTimeout = Duration.seconds(30)
    /// Between two requests of a connection.
    package var idleTimeout = Duration.seconds(120)

    package init() {}
}
