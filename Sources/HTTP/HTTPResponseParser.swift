import Posix

/// Bytes to one response (RFC 9112 sections 4 and 6.3). Pure; however the bytes are cut, the
/// response is the same.
package struct HTTPResponseParser: Sendable {
    private enum Step: Sendable {
        case head
        case length(Int)
        case chunked(ChunkedBody)
        /// The body ends with the connection.
        case rest
    }

    private let limits: HTTPLimits
    private let isHead: Bool
    private var buffer: [UInt8] = []
    private var response = HTTPResponse(0)
    private var step = Step.head

    /// - Parameter isHead: whether the request was a HEAD, whose response has no body.
    package init(limits: HTTPLimits, isHead: Bool = false) {
        self.limits = limits
        self.isHead = isHead
    }

    /// Takes more bytes; none at all say that the connection has ended.
    /// - Returns: the response once it is whole.
    /// - Throws: `HTTPError` if this is no response, or a larger one than allowed.
    package mutating func append(
        _ bytes: some Collection<UInt8>
    ) throws(HTTPError) -> HTTPResponse? {
        let isEnd = bytes.isEmpty
        buffer.append(contentsOf: bytes)
        while case .head = step {
            guard try takeHead() else {
                guard !isEnd else { throw HTTPError(502, "the answer ended before it began") }
                return nil
            }
        }
        switch step {
        case .head: return nil
        case .length(let length):
            guard buffer.count >= length else {
                guard !isEnd else { throw HTTPError(502, "the answer was cut off") }
                return nil
            }
            response.body = Array(buffer[..<length])
        case .chunked(var chunks):
            let (used, isDone) = try chunks.read(buffer[...], limits)
            buffer.removeFirst(used)
            step = .chunked(chunks)
            guard isDone else {
                guard !isEnd else { throw HTTPError(502, "the answer was cut off") }
                return nil
            }
            response.body = chunks.bytes
        case .rest:
            guard buffer.count <= limits.bodyBytes else { throw tooLong }
            guard isEnd else { return nil }
            response.body = buffer
        }
        return response
    }

    /// - Returns: whether a head was there. One that is only informative (1xx) is passed over.
    private mutating func takeHead() throws(HTTPError) -> Bool {
        let end = buffer.indices.first { buffer[$0...].starts(with: [0x0D, 0x0A, 0x0D, 0x0A]) }
        // Also of a head that came all at once.
        guard end.map({ $0 + 4 }) ?? buffer.count <= limits.requestLine + limits.headerBytes else {
            throw HTTPError(502, "the answer's head is too long")
        }
        guard let end else { return false }
        let head = buffer[..<end]
        buffer.removeFirst(end + 4)
        let line = head.prefix { $0 != 0x0D }
        let words = line.split(separator: 0x20, maxSplits: 2)
        guard words.count >= 2, line.starts(with: "HTTP/1.".utf8), words[1].count == 3,
            let status = Int(String(decoding: words[1], as: UTF8.self)), status >= 100
        else { throw HTTPError(502, "the answer is not HTTP/1.1") }
        response = HTTPResponse(
            status, headers: try Self.fields(head.dropFirst(line.count + 2), limits))
        guard status >= 200 else { return true }
        step = try body(status)
        return true
    }

    private static func fields(
        _ bytes: ArraySlice<UInt8>, _ limits: HTTPLimits
    ) throws(HTTPError) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for line in bytes.split(separator: 0x0A) {
            guard headers.count < limits.headerFields else {
                throw HTTPError(502, "the answer has too many header fields")
            }
            // The last line's end is the head's.
            let line = line.last == 0x0D ? line.dropLast() : line
            try Array(line).withBytes { (bytes) throws(HTTPError) in
                headers.append(try HTTPHeaders.field(bytes), of: bytes, at: 0)
                headers.append(lines: bytes)
            }
        }
        return headers
    }

    private func body(_ status: Int) throws(HTTPError) -> Step {
        if isHead || status == 204 || status == 304 { return .length(0) }
        if let coding = response.headers["Transfer-Encoding"] {
            guard coding.lowercased() == "chunked" else {
                throw HTTPError(502, "the answer's transfer coding is not known: \(coding)")
            }
            return .chunked(ChunkedBody())
        }
        guard let field = response.headers["Content-Length"] else { return .rest }
        guard field.utf8.allSatisfy({ 48 <= $0 && $0 <= 57 }), let length = Int(field),
            response.headers.all("Content-Length").allSatisfy({ $0 == field })
        else {
            throw HTTPError(502, "the answer's length is not a number")
        }
        guard length <= limits.bodyBytes else { throw tooLong }
        return .length(length)
    }

    private var tooLong: HTTPError {
        HTTPError(502, "the answer is longer than \(limits.bodyBytes) bytes")
    }
}
