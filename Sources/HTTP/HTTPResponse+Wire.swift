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
        let mayHaveBody = status != 204 && status != 304
        let hasBody = mayHaveBody && !isHead
        // What is not counted is short.
        let limit =
            256 + date.count + (requestIDField?.utf8CodeUnitCount ?? 0)
            + (requestID?.utf8.count ?? 0) + (type?.utf8CodeUnitCount ?? 0) + headers.wireBytes
            + (hasBody ? body.count : 0)
        WireText.append(upTo: limit, to: &output) { text in
            if status == 200 {
                text.append("HTTP/1.1 200 OK\r\n")
            } else {
                text.append("HTTP/1.1 ")
                text.append(status)
                text.append(0x20 as UInt8)
                text.append(Self.reasons[status] ?? "Status")
                text.endLine()
            }
            text.append(date)
            if let requestIDField, var requestID {
                text.append(requestIDField)
                requestID.withUTF8 { text.append(value: UnsafeRawBufferPointer($0)) }
            }
            if let type {
                text.append("Content-Type: ")
                text.append(type)
                text.endLine()
            }
            headers.forEach { name, value in
                guard Self.isForHandlers(name) else { return }
                text.append(name)
                text.append(value: value)
            }
            if mayHaveBody {
                text.append("Content-Length: ")
                text.append(body.count)
                text.endLine()
            }
            switch ending {
            case .stays: break
            case .staysForOldClient: text.append("Connection: keep-alive\r\n")
            case .closes: text.append("Connection: close\r\n")
            }
            text.endLine()
            if hasBody { text.append(body) }
        }
    }

    /// A final status (RFC 9110 section 15) that has a place on the wire.
    var isSendable: Bool { 200 <= status && status <= 599 }

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
    private static let reasons: [Int: StaticString] = [
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

extension WireText {
    /// Appends what follows a field's name.
    fileprivate mutating func append(value: UnsafeRawBufferPointer) {
        append(": ")
        if HTTPHeaders.isText(value) {
            append(value)
        } else {
            // A line break in a value would end the field, and begin another.
            for byte in value { append(byte.isTextCharacter ? byte : 0x20) }
        }
        endLine()
    }
}
