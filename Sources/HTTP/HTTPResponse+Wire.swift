extension HTTPResponse {
    /// What becomes of the connection after a response, as its client must be told.
    enum Ending: Sendable {
        /// It stays, which an HTTP/1.1 client assumes.
        case stays
        case staysForOldClient
        case closes
    }

    static let continued = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// Appends the bytes for the wire (RFC 9112 section 4). A field that is the server's own to
    /// send, or whose name is none, is left out: two readers could see different responses.
    ///
    /// - Parameter date: the whole `Date` line.
    func write(to output: inout [UInt8], isHead: Bool, _ ending: Ending, date: [UInt8]) {
        if output.isEmpty { output.reserveCapacity(512 + (isHead ? 0 : body.count)) }
        let mayHaveBody = status != 204 && status != 304
        if status == 200 {
            Self.append("HTTP/1.1 200 OK\r\n", to: &output)
        } else {
            Self.append("HTTP/1.1 ", to: &output)
            Self.append(status, to: &output)
            output.append(0x20)
            output.append(contentsOf: (Self.reasons[status] ?? "Status").utf8)
            Self.endLine(&output)
        }
        output.append(contentsOf: date)
        headers.forEach { name, value in
            guard Self.isForHandlers(name) else { return }
            output.append(contentsOf: name)
            output.append(UInt8(ascii: ":"))
            output.append(0x20)
            if HTTPHeaders.isText(value) {
                output.append(contentsOf: value)
            } else {
                // A line break in a value would end the field, and begin another.
                output.append(contentsOf: value.map { $0.isTextCharacter ? $0 : 0x20 })
            }
            Self.endLine(&output)
        }
        if mayHaveBody {
            Self.append("Content-Length: ", to: &output)
            Self.append(body.count, to: &output)
            Self.endLine(&output)
        }
        switch ending {
        case .stays: break
        case .staysForOldClient: Self.append("Connection: keep-alive\r\n", to: &output)
        case .closes: Self.append("Connection: close\r\n", to: &output)
        }
        Self.endLine(&output)
        if mayHaveBody, !isHead { output.append(contentsOf: body) }
    }

    /// A final status (RFC 9110 section 15) that has a place on the wire.
    var isSendable: Bool { 200 <= status && status <= 599 }

    private static func append(_ text: StaticString, to output: inout [UInt8]) {
        output.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Two bytes one by one cost less than a text of two.
    private static func endLine(_ output: inout [UInt8]) {
        output.append(0x0D)
        output.append(0x0A)
    }

    private static func append(_ number: Int, to output: inout [UInt8]) {
        if number >= 10 { append(number / 10, to: &output) }
        output.append(UInt8(48 + number % 10))
    }

    private static func isForHandlers(_ name: UnsafeRawBufferPointer) -> Bool {
        guard !name.isEmpty, HTTPHeaders.isToken(name) else { return false }
        // By length first: it is asked for every field of every response.
        return switch name.count {
        case 4: !name.isSame("Date")
        case 7: !name.isSame("Trailer") && !name.isSame("Upgrade")
        case 10: !name.isSame("Connection") && !name.isSame("Keep-Alive")
        case 14: !name.isSame("Content-Length")
        case 17: !name.isSame("Transfer-Encoding")
        default: true
        }
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
