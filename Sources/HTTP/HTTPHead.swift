import Posix

/// The head of a request as far as it has been read, and what its fields say of the body.
struct HTTPHead: Sendable {
    enum Body: Equatable, Sendable {
        case length(Int)
        case chunked
    }

    /// What is known of a request beside what its handler is told.
    private struct Notes {
        var fieldBytes = 0
        var expectsContinue = false
        var isNew = true
        var length: Int?
        /// Whether the only transfer coding is `chunked`; `nil` if there is none.
        var isChunked: Bool?
        var hasHost = false
        var saysClose = false
        var saysKeepAlive = false
        var isExpectationKnown = true
        /// The host that an absolute target names.
        var authority: String?
    }

    var request: HTTPRequest
    private var notes = Notes()

    init(remoteAddress: String, localPort: UInt16) {
        request = HTTPRequest(method: "", target: "")
        request.remoteAddress = remoteAddress
        request.localPort = localPort
    }

    /// The request is whole, and handed over, not copied; another one begins.
    mutating func take() -> HTTPRequest {
        var taken = HTTPRequest(method: "", target: "")
        swap(&taken, &request)
        request.remoteAddress = taken.remoteAddress
        request.localPort = taken.localPort
        notes = Notes()
        return taken
    }

    /// All fields with their line ends.
    var fieldBytes: Int { notes.fieldBytes }

    /// Whether the client waits to be told to go on; once only.
    mutating func takeExpectation() -> Bool {
        defer { notes.expectsContinue = false }
        return notes.expectsContinue
    }

    // MARK: request line

    mutating func readRequestLine(_ line: UnsafeRawBufferPointer) throws(HTTPError) {
        guard let first = line.firstIndex(of: 0x20, from: 0), (1...32).contains(first),
            let second = line.firstIndex(of: 0x20, from: first + 1), second > first + 1
        else { throw Self.badRequestLine }
        let method = UnsafeRawBufferPointer(rebasing: line[..<first])
        let target = UnsafeRawBufferPointer(rebasing: line[(first + 1)..<second])
        let version = UnsafeRawBufferPointer(rebasing: line[(second + 1)...])
        // The clients of AWS's APIs post: that text is there already.
        let isPost = method.isExactly("POST")
        guard isPost || HTTPHeaders.isToken(method), target.endOfPrintable(from: 0) == target.count
        else {
            throw Self.badRequestLine
        }
        if !version.isExactly("HTTP/1.1") {
            guard version.firstIndex(of: 0x20, from: 0) == nil else { throw Self.badRequestLine }
            try readVersion(String(decoding: version, as: UTF8.self))
        }
        request.method = isPost ? "POST" : String(decoding: method, as: UTF8.self)
        guard request.method != "CONNECT" else {
            throw HTTPError(501, "this server is no proxy")
        }
        guard target.firstIndex(of: UInt8(ascii: "#"), from: 0) == nil else {
            throw HTTPError(400, "a request target has no fragment")
        }
        try readTarget(String(decoding: target, as: UTF8.self))
    }

    private mutating func readVersion(_ version: String) throws(HTTPError) {
        notes.isNew = false
        guard version != "HTTP/1.0" else { return }
        throw version.hasPrefix("HTTP/") && version.utf8.count == 8
            ? HTTPError(505, "the versions known are HTTP/1.1 and HTTP/1.0")
            : HTTPError(400, "the request line does not end in HTTP/1.1")
    }

    /// RFC 9112 section 3.2. An absolute target becomes the path that it means.
    private mutating func readTarget(_ target: String) throws(HTTPError) {
        request.target = target
        if target.utf8.first == UInt8(ascii: "/") { return }
        if target == "*", request.method == "OPTIONS" { return }
        let scheme = "http://"
        guard target.prefix(scheme.count).lowercased() == scheme else {
            throw HTTPError(400, "the request target is not a path")
        }
        let rest = target.dropFirst(scheme.count)
        let name = rest.prefix { $0 != "/" && $0 != "?" }
        guard !name.isEmpty, Array(name.utf8).withUnsafeBytes(Self.isHost) else {
            throw HTTPError(400, "the request target names no host")
        }
        notes.authority = String(name)
        let path = rest.dropFirst(name.count)
        if path.isEmpty {
            request.target = request.method == "OPTIONS" ? "*" : "/"
        } else {
            request.target = path.first == "/" ? String(path) : "/\(path)"
        }
    }

    // MARK: fields

    /// - Parameters:
    ///   - isPrintable: whether it is known that all of the line is printed in ASCII.
    ///   - distance: where the line begins in those lines that are appended to the fields next.
    ///   - limit: so many fields there may be.
    mutating func readField(
        _ line: UnsafeRawBufferPointer, isPrintable: Bool, at distance: Int, _ limit: Int
    ) throws(HTTPError) {
        let count = request.headers.count
        guard count < limit else {
            throw HTTPError(431, "there are more than \(limit) header fields")
        }
        notes.fieldBytes += line.count + 2
        let place = try HTTPHeaders.field(line, isPrintable: isPrintable)
        let name = UnsafeRawBufferPointer(rebasing: line[place.name])
        let value = UnsafeRawBufferPointer(rebasing: line[place.value])
        // Fields that say where a request ends, and whom it is for, by their names' lengths.
        switch name.count {
        case 4 where name.isSame("Host"):
            guard !notes.hasHost, Self.isHost(value) || value.isEmpty else { throw Self.badHost }
            notes.hasHost = true
        case 6 where name.isSame("Expect"):
            notes.isExpectationKnown = notes.isExpectationKnown && value.isSame("100-continue")
            notes.expectsContinue = true
        case 10 where name.isSame("Connection"):
            for option in String(decoding: value, as: UTF8.self).split(separator: ",") {
                notes.saysClose = notes.saysClose || HTTPHeaders.isSame(option.trimmed, "close")
                notes.saysKeepAlive =
                    notes.saysKeepAlive || HTTPHeaders.isSame(option.trimmed, "keep-alive")
            }
        case 14 where name.isSame("Content-Length"):
            guard notes.length == nil, (1...18).contains(value.count),
                value.allSatisfy({ 48 <= $0 && $0 <= 57 })
            else { throw HTTPError(400, "Content-Length is not one decimal number") }
            notes.length = value.reduce(0) { $0 * 10 + Int($1 - 48) }
        case 17 where name.isSame("Transfer-Encoding"):
            notes.isChunked = notes.isChunked == nil && value.isSame("chunked")
        default: break
        }
        request.headers.append(place, of: line, at: distance)
    }

    // MARK: end

    /// The empty line has come: what follows?
    mutating func end(_ limits: HTTPLimits) throws(HTTPError) -> Body {
        try checkHost()
        request.isKeptAlive = !notes.saysClose && (notes.isNew || notes.saysKeepAlive)
        request.isOld = !notes.isNew
        let body = try body(limits)
        // HTTP/1.0 knows no expectations (RFC 9110 section 10.1.1).
        if !notes.isNew || body == .length(0) { notes.expectsContinue = false }
        guard notes.isExpectationKnown || !notes.isNew else {
            throw HTTPError(417, "the only expectation known is 100-continue")
        }
        return body
    }

    private mutating func checkHost() throws(HTTPError) {
        guard notes.hasHost || !notes.isNew else { throw Self.badHost }
        guard let authority = notes.authority else { return }
        guard let host = request.headers["Host"] else {
            request.headers.append("Host", authority)
            return
        }
        guard HTTPHeaders.isSame(host, authority) else {
            throw HTTPError(400, "the request target and Host name different hosts")
        }
    }

    private func body(_ limits: HTTPLimits) throws(HTTPError) -> Body {
        if let isChunked = notes.isChunked {
            guard notes.length == nil, notes.isNew else {
                throw HTTPError(400, "Transfer-Encoding does not go with this request")
            }
            guard isChunked else {
                throw HTTPError(501, "the only transfer coding known is chunked")
            }
            return .chunked
        }
        guard (notes.length ?? 0) <= limits.bodyBytes else {
            throw HTTPError(413, "the body is longer than \(limits.bodyBytes) bytes")
        }
        return .length(notes.length ?? 0)
    }

    static let badRequestLine = HTTPError(
        400, "the request line is not 'METHOD TARGET HTTP/1.1'")
    private static let badHost = HTTPError(400, "exactly one Host field is needed, naming a host")

    /// A name or an address, with or without a port; nothing that needs decoding.
    private static func isHost(_ text: UnsafeRawBufferPointer) -> Bool {
        var end = 0
        if text.first == UInt8(ascii: "[") {
            end = 1
            while end < text.count, text[end].isAddressCharacter { end += 1 }
            guard end > 1, end < text.count, text[end] == UInt8(ascii: "]") else { return false }
            end += 1
        } else {
            while end < text.count, text[end].isNameCharacter { end += 1 }
            guard end > 0 else { return false }
        }
        guard end < text.count else { return true }
        let port = text[(end + 1)...]
        return text[end] == UInt8(ascii: ":") && port.count <= 5
            && port.allSatisfy { 48 <= $0 && $0 <= 57 }
    }
}

extension UInt8 {
    fileprivate var isNameCharacter: Bool {
        switch self {
        case 48...57, 65...90, 97...122: true
        case 45, 46, 95, 126: true  // - . _ ~
        default: false
        }
    }

    /// Of an IPv6 address, which may end in an IPv4 one.
    fileprivate var isAddressCharacter: Bool {
        switch self {
        case 46, 48...58, 65...70, 97...102: true
        default: false
        }
    }
}
