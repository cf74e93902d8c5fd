import HTTP

private let limits: HTTPLimits = {
    var limits = HTTPLimits()
    limits.requestLine = 256
    limits.headerBytes = 1024
    limits.headerFields = 16
    limits.bodyBytes = 1024
    return limits
}()

/// The requests, and the status that ended them, of bytes that come in pieces of these sizes.
private func requests(
    _ bytes: ArraySlice<UInt8>, sizes: (Int) -> Int
) -> (requests: [HTTPRequest], status: Int) {
    var parser = HTTPRequestParser(limits: limits)
    var requests: [HTTPRequest] = []
    var rest = bytes
    var piece = 0
    while true {
        do throws(HTTPError) {
            while let event = try parser.next() {
                if case .request(let request) = event { requests.append(request) }
            }
        } catch {
            return (requests, error.status)
        }
        precondition(parser.bufferedBytes <= bytes.count, "no more is held than came")
        guard !rest.isEmpty else { return (requests, 0) }
        let size = max(1, sizes(piece))
        parser.append(rest.prefix(size))
        rest = rest.dropFirst(size)
        piece += 1
    }
}

private func line(_ request: HTTPRequest) -> String {
    let fields = request.headers.fields.map { "\($0.name)=\($0.value)" }
    return "\(request.method) \(request.target) \(fields) \(request.body) \(request.isKeptAlive)"
}

/// However it is cut, the requests are the same; and written out plainly, each is itself again.
func fuzzRequest(_ input: ArraySlice<UInt8>) {
    guard input.count > 4 else { return }
    let cuts = Array(input.prefix(4))
    let bytes = input.dropFirst(4)
    let whole = requests(bytes) { _ in bytes.count }
    for sizes in [{ _ in 1 }, { Int(cuts[$0 % 4]) }] as [(Int) -> Int] {
        let cut = requests(bytes, sizes: sizes)
        precondition(whole.status == cut.status, "the same end")
        precondition(whole.requests.map(line) == cut.requests.map(line), "the same requests")
    }
    for request in whole.requests {
        check(request)
    }
}

private func check(_ request: HTTPRequest) {
    precondition(request.body.count <= limits.bodyBytes, "no body beyond its limit")
    precondition(request.target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a target is visible")
    precondition(request.target.hasPrefix("/") || request.target == "*", "a target is a path")
    var text = "\(request.method) \(request.target) HTTP/1.1\r\n"
    var host = "Host: \r\n"
    for (name, value) in request.headers.fields {
        precondition(!value.utf8.contains { $0 < 0x20 && $0 != 9 || $0 == 0x7F }, "no controls")
        switch name.lowercased() {
        case "host": host = "Host: \(value)\r\n"
        case "content-length", "transfer-encoding", "expect": break
        default: text += "\(name): \(value)\r\n"
        }
    }
    // Values that are not UTF-8 have grown; what is longer than a limit now says nothing.
    text += "\(host)Content-Length: \(request.body.count)\r\n\r\n"
    let bytes = Array(text.utf8) + request.body
    let again = requests(bytes[...]) { _ in bytes.count }
    guard again.status != 431 else { return }
    precondition(again.status == 0 && again.requests.count == 1, "one request stays one")
    precondition(again.requests[0].body == request.body, "with its body")
    precondition(again.requests[0].target == request.target, "and its target")
}

func fuzzResponse(_ input: ArraySlice<UInt8>) {
    func outcome(_ size: Int) -> String {
        var parser = HTTPResponseParser(limits: limits)
        var rest = input
        do throws(HTTPError) {
            while true {
                let piece = rest.prefix(size)
                if let response = try parser.append(piece) {
                    return "\(response.status) \(response.headers.fields) \(response.body)"
                }
                guard !piece.isEmpty else { return "more" }
                rest = rest.dropFirst(size)
            }
        } catch {
            return "refused"
        }
    }
    precondition(outcome(1) == outcome(max(1, input.count)), "the same response")
}
