/// Bytes to requests, strictly (RFC 9112): what two readers could understand differently is
/// refused.
///
/// Pure. However the bytes are cut, the events are the same.
package struct HTTPRequestParser: Sendable {
    package enum Event: Sendable {
        /// The client waits for `100 Continue` before it sends the body.
        case continueExpected
        case request(HTTPRequest)
    }

    private enum Body: Sendable {
        case none
        case length(Int)
        case chunked(ChunkedBody)

        static let done = Body.none
        var isDone: Bool {
            if case .none = self { true } else { false }
        }
    }

    private struct Pending: Sendable {
        var request: HTTPRequest
        var body: Body
        var awaitsContinue: Bool
    }

    private let limits: HTTPLimits
    private var buffer: [UInt8] = []
    /// Where the unread bytes begin.
    private var start = 0
    /// How far the end of the head has been looked for.
    private var scanned = 0
    private var pending: Pending?

    package init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

    /// How many bytes wait to be understood.
    package var bufferedBytes: Int { buffer.count - start }
    /// Whether a request has begun, so that its sender owes more.
    package var isInsideRequest: Bool { pending != nil || bufferedBytes > 0 }

    package mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 65_536, start * 2 > buffer.count {
            buffer.removeFirst(start)
            scanned -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next event; `nil` if more bytes are needed.
    /// - Throws: `HTTPError`, after which the connection is of no use.
    package mutating func next() throws(HTTPError) -> Event? {
        if pending == nil {
            guard let head = try head() else { return nil }
            pending = head
        }
        guard var current = pending else { return nil }
        defer { pending = current.body.isDone ? nil : current }
        switch current.body {
        case .none: break
        case .length(let length):
            guard bufferedBytes >= length else {
                if bufferedBytes == 0, current.awaitsContinue {
                    current.awaitsContinue = false
                    return .continueExpected
                }
                return nil
            }
            current.request.body = Array(buffer[start..<start + length])
            consume(length)
        case .chunked(var chunks):
            if bufferedBytes == 0, current.awaitsContinue {
                current.awaitsContinue = false
                return .continueExpected
            }
            let (used, isDone) = try chunks.read(buffer[start...], limits)
            consume(used)
            guard isDone else {
                current.body = .chunked(chunks)
                return nil
            }
            current.request.body = chunks.bytes
        }
        current.body = .done
        return .request(current.request)
    }

    private mutating func consume(_ count: Int) {
        start += count
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= 65_536)
            start = 0
        }
        scanned = start
    }

    // MARK: head

    private mutating func head() throws(HTTPError) -> Pending? {
        // One empty line before a request is forgiven (RFC 9112 section 2.2).
        if bufferedBytes >= 2, buffer[start] == 0x0D, buffer[start + 1] == 0x0A { consume(2) }
        guard let end = try headEnd() else { return nil }
        let bytes = buffer[start..<end]
        consume(end + 4 - start)
        return try HTTPHead(bytes, limits).pending()
    }

    /// Where the empty line begins that ends the head.
    private mutating func headEnd() throws(HTTPError) -> Int? {
        var index = max(start, scanned - 3)
        while index + 3 < buffer.count {
            if buffer[index] == 0x0D, buffer[index + 1] == 0x0A, buffer[index + 2] == 0x0D,
                buffer[index + 3] == 0x0A
            {
                return index
            }
            index += 1
        }
        scanned = buffer.count
        // Refused early, without waiting for an end that may never come.
        let line = buffer[start...].prefix(limits.requestLine + 1)
        if !line.contains(0x0A), line.count > limits.requestLine {
            throw HTTPError(414, "the request line is longer than \(limits.requestLine) bytes")
        }
        guard bufferedBytes <= limits.requestLine + limits.headerBytes else {
            throw HTTPError(431, "the header is longer than \(limits.headerBytes) bytes")
        }
        return nil
    }

    /// A parsed head, and what its fields say of the body.
    private struct HTTPHead {
        var request: HTTPRequest
        var body = Body.none
        var awaitsContinue = false

        init(_ bytes: ArraySlice<UInt8>, _ limits: HTTPLimits) throws(HTTPError) {
            var lines = FieldLines(rest: bytes)
            let line = try lines.next()
            guard let line, line.count <= limits.requestLine else {
                throw HTTPError(414, "the request line is longer than \(limits.requestLine) bytes")
            }
            guard bytes.count - line.count <= limits.headerBytes else {
                throw HTTPError(431, "the header is longer than \(limits.headerBytes) bytes")
            }
            let isNew: Bool
            (request, isNew) = try Self.requestLine(line)
            request.headers = try lines.fields(limits)
            let hosts = request.headers.all("Host")
            guard hosts.count == 1 || !isNew && hosts.isEmpty else {
                throw HTTPError(400, "exactly one Host field is needed")
            }
            let connection = request.headers.tokens("Connection")
            request.isKeptAlive =
                isNew ? !connection.contains("close") : connection.contains("keep-alive")
            try readBody(isNew, limits)
            let expectations = request.headers.tokens("Expect")
            guard expectations.allSatisfy({ $0 == "100-continue" }) else {
                throw HTTPError(417, "the only expectation known is 100-continue")
            }
            if !expectations.isEmpty, isNew, !body.isDone { awaitsContinue = true }
        }

        func pending() -> Pending {
            Pending(request: request, body: body, awaitsContinue: awaitsContinue)
        }

        private mutating func readBody(_ isNew: Bool, _ limits: HTTPLimits) throws(HTTPError) {
            let lengths = request.headers.all("Content-Length")
            let codings = request.headers.all("Transfer-Encoding")
            guard codings.isEmpty else {
                guard lengths.isEmpty, isNew else {
                    throw HTTPError(400, "Transfer-Encoding does not go with this request")
                }
                guard codings.count == 1, codings[0].lowercased() == "chunked" else {
                    throw HTTPError(501, "the only transfer coding known is chunked")
                }
                body = .chunked(ChunkedBody())
                return
            }
            guard let text = lengths.first else { return }
            guard lengths.count == 1, (1...18).contains(text.utf8.count),
                text.utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(text)
            else { throw HTTPError(400, "Content-Length is not one decimal number") }
            guard length <= limits.bodyBytes else {
                throw HTTPError(413, "the body is longer than \(limits.bodyBytes) bytes")
            }
            if length > 0 { body = .length(length) }
        }

        private static func requestLine(
            _ line: ArraySlice<UInt8>
        ) throws(HTTPError) -> (HTTPRequest, isNew: Bool) {
            let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
            guard parts.count == 3, !parts[0].isEmpty, parts[0].count <= 32,
                parts[0].allSatisfy(\.isTokenCharacter), !parts[1].isEmpty,
                parts[1].allSatisfy({ (0x21...0x7E).contains($0) })
            else { throw HTTPError(400, "the request line is not 'METHOD TARGET HTTP/1.1'") }
            let version = String(decoding: parts[2], as: UTF8.self)
            guard version == "HTTP/1.1" || version == "HTTP/1.0" else {
                let isVersion = version.hasPrefix("HTTP/") && version.utf8.count == 8
                throw isVersion
                    ? HTTPError(505, "the versions known are HTTP/1.1 and HTTP/1.0")
                    : HTTPError(400, "the request line does not end in HTTP/1.1")
            }
            let target = String(decoding: parts[1], as: UTF8.self)
            guard target.hasPrefix("/") || target == "*" || target.hasPrefix("http://") else {
                throw HTTPError(400, "the request target is not a path")
            }
            let request = HTTPRequest(
                method: String(decoding: parts[0], as: UTF8.self), target: target)
            return (request, version == "HTTP/1.1")
        }
    }
}

/// Lines that end in CR LF, nothing less.
struct FieldLines {
    var rest: ArraySlice<UInt8>

    /// The next line without its end; `nil` after the last one.
    mutating func next() throws(HTTPError) -> ArraySlice<UInt8>? {
        guard !rest.isEmpty else { return nil }
        let end = rest.firstIndex { $0 == 0x0D || $0 == 0x0A || $0 == 0 } ?? rest.endIndex
        let line = rest[..<end]
        if end < rest.endIndex {
            guard rest[end] == 0x0D, end + 1 < rest.endIndex, rest[end + 1] == 0x0A else {
                throw HTTPError(400, "a line does not end in CR LF")
            }
            rest = rest[(end + 2)...]
        } else {
            rest = rest[rest.endIndex...]
        }
        return line
    }

    mutating func fields(_ limits: HTTPLimits) throws(HTTPError) -> HTTPHeaders {
        var headers = HTTPHeaders()
        while let line = try next() {
            guard headers.fields.count < limits.headerFields else {
                throw HTTPError(431, "there are more than \(limits.headerFields) header fields")
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                line[..<colon].allSatisfy(\.isTokenCharacter)
            else { throw HTTPError(400, "a header field is not 'Name: value'") }
            var value = line[(colon + 1)...]
            while let first = value.first, first.isBlank { value = value.dropFirst() }
            while let last = value.last, last.isBlank { value = value.dropLast() }
            guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw HTTPError(400, "a header field holds a control character")
            }
            headers.append(
                String(decoding: line[..<colon], as: UTF8.self),
                String(decoding: value, as: UTF8.self))
        }
        return headers
    }
}
