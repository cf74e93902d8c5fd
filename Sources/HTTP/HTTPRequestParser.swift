import Posix

/// Bytes to requests, strictly (RFC 9112): what two readers could understand differently is
/// refused.
///
/// Pure. It goes line by line and never looks ahead, so however the bytes are cut, the events are
/// the same.
package struct HTTPRequestParser: Sendable {
    package enum Event: Sendable {
        /// The client waits for `100 Continue` before it sends the body.
        case continueExpected
        case request(HTTPRequest)
    }

    private enum Stage: Sendable {
        case requestLine
        case fields
        /// So many bytes are still to come.
        case body(left: Int)
        case chunks
    }

    /// So much may stay in memory with a request's fields, though it is something else.
    private static let sharedBytes = 4096

    private let limits: HTTPLimits
    private var buffer: [UInt8] = []
    /// Where the unread bytes begin.
    private var start = 0
    /// How far the end of the line has been looked for.
    private var scanned = 0
    private var stage = Stage.requestLine
    private var head: HTTPHead
    private var chunks = ChunkedBody()
    /// One empty line before a request is forgiven (RFC 9112 section 2.2).
    private var isEmptyLineForgiven = false

    /// - Parameters:
    ///   - remoteAddress: of the client, and `localPort` where it came: every request says so.
    package init(
        limits: HTTPLimits = HTTPLimits(), remoteAddress: String = "127.0.0.1",
        localPort: UInt16 = 0
    ) {
        self.limits = limits
        head = HTTPHead(remoteAddress: remoteAddress, localPort: localPort)
    }

    /// Forgets what has come: the next byte begins a request.
    mutating func reset() {
        let request = head.request
        self = HTTPRequestParser(
            limits: limits, remoteAddress: request.remoteAddress, localPort: request.localPort)
    }

    /// How many bytes wait to be understood.
    package var bufferedBytes: Int { buffer.count - start }
    /// What is understood of the request that has begun, without its body.
    package var begun: HTTPRequest { head.request.withoutBody }
    /// How much of the current request's body has come.
    package var bodyBytes: Int { head.request.body.count + chunks.bytes.count }
    /// Whether a request has begun, so that its sender owes more.
    package var isInsideRequest: Bool {
        if case .requestLine = stage { bufferedBytes > 0 } else { true }
    }

    package mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            scanned -= start
            start = 0
        }
        buffer.add(bytes)
    }

    /// The next event; `nil` if more bytes are needed.
    /// - Throws: `HTTPError`, after which the connection is of no use.
    package mutating func next() throws(HTTPError) -> Event? {
        while true {
            switch stage {
            case .requestLine:
                guard start < buffer.count else { return nil }
                try checkFirstByte()
                guard try readRequestLine() else { return nil }
            case .fields:
                guard try readFields() else { return nil }
                stage = try firstStageOfBody()
            case .body(let left):
                if asksForContinue() { return .continueExpected }
                let count = min(left, bufferedBytes)
                head.request.body.add(buffer[start..<start + count])
                consume(count)
                stage = .body(left: left - count)
                return count == left ? take() : nil
            case .chunks:
                if asksForContinue() { return .continueExpected }
                let (used, isDone) = try chunks.read(buffer[start...], limits)
                consume(used)
                guard isDone else { return nil }
                head.request.body = chunks.bytes
                chunks = ChunkedBody()
                return take()
            }
        }
    }

    /// Who does not speak HTTP, such as a client that begins TLS, may never send a line's end.
    private func checkFirstByte() throws(HTTPError) {
        let isLineEnd = buffer[start] == 0x0D || buffer[start] == 0x0A
        guard isLineEnd || buffer[start].isTokenCharacter else { throw HTTPHead.badRequestLine }
    }

    private mutating func take() -> Event {
        stage = .requestLine
        isEmptyLineForgiven = false
        return .request(head.take())
    }

    private mutating func firstStageOfBody() throws(HTTPError) -> Stage {
        switch try head.end(limits) {
        case .length(let length): .body(left: length)
        case .chunked: .chunks
        }
    }

    /// Not of a client that sends without being asked.
    private mutating func asksForContinue() -> Bool {
        head.takeExpectation() && bufferedBytes == 0
    }

    // MARK: lines

    private static let tooLongLine = HTTPError(414, "the request line is too long")
    private static let tooLongHeader = HTTPError(431, "the header fields are too long")

    /// Reads the request line, or the empty line before it that is forgiven.
    /// - Returns: whether one of them has come.
    private mutating func readRequestLine() throws(HTTPError) -> Bool {
        // Not by `withBytes`: generic code of another module costs more.
        var outcome = Result<Bool, HTTPError>.success(false)
        buffer.withUnsafeBytes { bytes in
            do throws(HTTPError) {
                guard
                    let line = try Self.nextLine(
                        of: bytes, from: start, &scanned, limits.requestLine, Self.tooLongLine)
                else { return }
                if line.place.isEmpty, !isEmptyLineForgiven {
                    isEmptyLineForgiven = true
                } else {
                    try head.readRequestLine(UnsafeRawBufferPointer(rebasing: bytes[line.place]))
                    stage = .fields
                }
                start = line.place.upperBound + 2
                scanned = start
                outcome = .success(true)
            } catch {
                outcome = .failure(error)
            }
        }
        freeIfRead()
        return try outcome.get()
    }

    /// Reads the fields that have come. Their lines are copied all at once: one by one that costs
    /// more. Where little has come they share the buffer, which costs least.
    /// - Returns: whether the empty line behind them has come.
    private mutating func readFields() throws(HTTPError) -> Bool {
        var outcome = Result<Bool, HTTPError>.success(false)
        buffer.withUnsafeBytes { bytes in
            let isShared = buffer.capacity <= Self.sharedBytes && !head.request.headers.hasLines
            let first = isShared ? 0 : start
            do throws(HTTPError) {
                while let line = try Self.nextLine(
                    of: bytes, from: start, &scanned, limits.headerBytes - head.fieldBytes,
                    Self.tooLongHeader)
                {
                    if !line.place.isEmpty {
                        try head.readField(
                            UnsafeRawBufferPointer(rebasing: bytes[line.place]),
                            isPrintable: line.isPrintable, at: start - first, limits.headerFields)
                    }
                    start = line.place.upperBound + 2
                    scanned = start
                    if line.place.isEmpty {
                        outcome = .success(true)
                        break
                    }
                }
            } catch {
                outcome = .failure(error)
            }
            // Also those before one that is refused: their places are in the head.
            if isShared {
                head.request.headers.share(lines: buffer)
            } else {
                head.request.headers.append(
                    lines: UnsafeRawBufferPointer(rebasing: bytes[first..<start]))
            }
        }
        freeIfRead()
        return try outcome.get()
    }

    /// Where the next line stands, without its CR LF, and whether it is known that all of it is
    /// printed in ASCII; `nil` if its end has not come.
    ///
    /// - Parameter scanned: how far its end has been looked for.
    private static func nextLine(
        of bytes: UnsafeRawBufferPointer, from start: Int, _ scanned: inout Int, _ limit: Int,
        _ tooLong: @autoclosure () -> HTTPError
    ) throws(HTTPError) -> (place: Range<Int>, isPrintable: Bool)? {
        // Whoever looks for the end of what is printed finds most lines' end.
        let printed = bytes.endOfPrintable(from: scanned)
        let isEnd =
            printed + 1 < bytes.count && bytes[printed] == 0x0D && bytes[printed + 1] == 0x0A
        let isPrintable = isEnd && scanned == start
        let end = isEnd ? printed + 1 : bytes.firstIndex(of: 0x0A, from: printed)
        scanned = end ?? bytes.count
        // The CR may be one more than the line.
        guard scanned - start <= limit + 1 else { throw tooLong() }
        guard let end else { return nil }
        guard end > start, bytes[end - 1] == 0x0D else {
            throw HTTPError(400, "a line does not end in CR LF")
        }
        return (start..<end - 1, isPrintable)
    }

    private mutating func consume(_ count: Int) {
        start += count
        scanned = start
        freeIfRead()
    }

    /// A connection that waits holds no memory.
    private mutating func freeIfRead() {
        guard start == buffer.count else { return }
        buffer = []
        start = 0
        scanned = 0
    }
}
