/// A request, whole.
package struct HTTPRequest: Sendable {
    package var method: String
    /// As it stands in the request line, percent-encoding untouched.
    package var target: String
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// Whether the client will send more on this connection.
    package var isKeptAlive = true
    /// Who sent it: the address of the socket's other end, without its port; a proxy's, if there is
    /// one between.
    package var remoteAddress = "127.0.0.1"
    /// The port on which it came; 0 for one that came over no socket.
    package var localPort: UInt16 = 0
    /// Whether it is HTTP/1.0, whose clients must be told that a connection stays.
    var isOld = false
}

// Beside the initializer that Swift makes: what changes after its making is copied.
extension HTTPRequest {
    package init(
        method: String, target: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []
    ) {
        self.init(
            method: method, target: target, headers: headers, body: body, isKeptAlive: true)
    }

    var withoutBody: HTTPRequest {
        HTTPRequest(
            method: method, target: target, headers: headers, body: [], isKeptAlive: isKeptAlive,
            remoteAddress: remoteAddress, localPort: localPort, isOld: isOld)
    }

    /// The target up to the `?`.
    package var path: Substring { target[..<(questionMark ?? target.endIndex)] }
    /// What follows the `?`; `nil` without one.
    package var query: Substring? {
        questionMark.map { target[target.utf8.index(after: $0)...] }
    }

    private var questionMark: String.Index? { target.utf8.firstIndex(of: UInt8(ascii: "?")) }
}

/// A response, whole. Length, date and connection fields are the server's to add.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// What the log of requests says was asked for, by whom, and which request it was; not sent.
    package var operation: String?
    package var principal: String?
    package var requestID: String?
    /// The field in which the client is told `requestID`. This one and `type` cost less than those
    /// of `headers`, and are sent before them.
    private(set) var requestIDField: StaticString?
    /// What `Content-Type` says, if it is not in `headers`.
    private(set) var type: StaticString?
}

// As for a request.
extension HTTPResponse {
    package init(_ status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        self.init(status: status, headers: headers, body: body)
    }

    package init(_ status: Int, type: String, _ body: [UInt8]) {
        self.init(status, headers: ["Content-Type": type], body: body)
    }

    /// One that says to its client which request it is for: `field` is where.
    package init(
        _ status: Int, requestID: String, in field: StaticString, type: StaticString?,
        _ body: [UInt8], operation: String? = nil, principal: String? = nil
    ) {
        self.init(
            status: status, headers: HTTPHeaders(), body: body, operation: operation,
            principal: principal, requestID: requestID, requestIDField: field, type: type)
    }
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
    /// From a request's first byte to the end of its head; and to the end of its body, if that does
    /// not come with `minimumRate`.
    package var readTimeout = Duration.seconds(30)
    /// For a client to take what is written to it, if not with `minimumRate`.
    package var writeTimeout = Duration.seconds(30)
    /// Bytes a second, either way: so slow are clients waited for, beyond the timeouts.
    package var minimumRate = 16_384
    /// What one client may send ahead while an answer is on its way, and what may wait to be
    /// written before its next request is looked at, in bytes.
    package var pipelinedBytes = 65_536
    /// Requests and answers of all connections of one server, in bytes. Beyond it, who holds most
    /// of a request that has not come whole, or of an answer that is not taken, is given up.
    package var heldBytes = 256 * 1024 * 1024
    /// Between two requests of a connection.
    package var idleTimeout = Duration.seconds(120)

    package init() {}
}
