import HTTP
import Posix
import Testing

/// Answers as servers send them, and servers that do not.
@Suite struct ClientTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var text: String
        /// Status, headers and body; or the status of the error.
        var result: String
        var isHead = false
    }

    @Test(
        "an answer is the same however it is cut",
        arguments: [
            Case(
                testDescription: "with a length",
                text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
                result: "200 Content-Length=2 hi"),
            Case(
                testDescription: "in chunks",
                text:
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n",
                result: "200 Transfer-Encoding=chunked hi!"),
            Case(
                testDescription: "to the end of the connection", text: "HTTP/1.1 500 No\r\n\r\nhi",
                result: "500  hi"),
            Case(
                testDescription: "after an informative one",
                text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
                result: "204 X=y "),
            Case(
                testDescription: "of a HEAD", text: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                result: "200 Content-Length=9 ", isHead: true),
            Case(testDescription: "no phrase", text: "HTTP/1.0 404\r\n\r\n", result: "404  "),
            Case(
                testDescription: "cut in its body",
                text: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", result: "502"),
            Case(
                testDescription: "cut in its chunks",
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
                result: "502"),
            Case(testDescription: "cut in its head", text: "HTTP/1.1 200 OK\r\nX", result: "502"),
            Case(testDescription: "nothing", text: "", result: "502"),
            Case(testDescription: "another protocol", text: "SSH-2.0\r\n\r\n", result: "502"),
            Case(
                testDescription: "too long", text: "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
                result: "502"),
            Case(
                testDescription: "a head as long as may be",
                text: "HTTP/1.1 204 OK\r\nX: \(String(repeating: "x", count: 56))\r\n\r\n",
                result: "204 X=\(String(repeating: "x", count: 56)) "),
            Case(
                testDescription: "a head that is too long",
                text: "HTTP/1.1 204 OK\r\nX: \(String(repeating: "x", count: 57))\r\n\r\n",
                result: "502"),
            Case(
                testDescription: "a length that is none",
                text: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", result: "502"),
        ])
    func parse(_ test: Case) {
        for size in 1...max(1, test.text.utf8.count) {
            #expect(Self.parse(test, size: size) == test.result, "cut into \(size)")
        }
    }

    private static func parse(_ test: Case, size: Int) -> String {
        var limits = HTTPLimits()
        limits.bodyBytes = 20
        (limits.requestLine, limits.headerBytes) = (40, 40)
        var parser = HTTPResponseParser(limits: limits, isHead: test.isHead)
        var rest = Array(test.text.utf8)[...]
        do throws(HTTPError) {
            while true {
                if let response = try parser.append(rest.prefix(size)) {
                    let headers = response.headers.fields.map { "\($0.name)=\($0.value)" }
                    return "\(response.status) \(headers.joined(separator: ";")) "
                        + String(decoding: response.body, as: UTF8.self)
                }
                rest = rest.dropFirst(size)
            }
        } catch {
            return "\(error.status)"
        }
    }

    @Test("a large body goes there and comes back", arguments: ["127.0.0.1", "::1", "localhost"])
    func exchange(host: String) throws {
        let loop = try EventLoop(name: "test")
        let server = try HTTPServer(loop: loop, host: host) { request, responder in
            let host = Array((request.headers["Host"] ?? "").utf8)
            responder.respond(HTTPResponse(200, type: "text/plain", host + request.body))
        }
        defer {
            server.stop()
            loop.shutdown()
        }
        let client = HTTPClient(host: host, port: server.port)
        let body = [UInt8](repeating: 7, count: 5_000_000)
        let response = try client.send(
            HTTPRequest(method: "POST", target: "/", body: body), timeout: .seconds(20))
        #expect(response.body == Array(client.authority.utf8) + body)
    }

    @Test("nobody there, nobody answering: said, and in time")
    func failures() throws {
        let loop = try EventLoop(name: "test")
        let server = try HTTPServer(loop: loop) { _, _ in }
        let client = HTTPClient(host: "127.0.0.1", port: server.port)
        let request = HTTPRequest(method: "GET", target: "/")
        #expect(throws: HTTPClient.Failure.timeout) {
            try client.send(request, timeout: .milliseconds(50))
        }
        server.stop()
        loop.shutdown()
        #expect(throws: HTTPClient.Failure.unreachable(reason: "Connection refused")) {
            try client.send(request, timeout: .seconds(20))
        }
    }

    @Test("a server that finishes answers what it has, and takes no more")
    func finish() throws {
        let loop = try EventLoop(name: "test")
        let waiting = ThreadCondition<HTTPResponder?>(nil)
        defer { waiting.withLock { $0 = nil } }  // it holds the server, and that holds it
        let server = try HTTPServer(loop: loop) { _, responder in
            waiting.withLock { $0 = responder }
            waiting.signal()
        }
        defer { loop.shutdown() }
        let port = server.port
        let answer = ThreadCondition<Result<HTTPResponse, HTTPClient.Failure>?>(nil)
        let thread = try Thread(name: "client") {
            let client = HTTPClient(host: "127.0.0.1", port: port)
            let result = Result { () throws(HTTPClient.Failure) in
                try client.send(HTTPRequest(method: "GET", target: "/"), timeout: .seconds(20))
            }
            answer.withLock { $0 = result }
            answer.signal()
        }
        thread.detach()
        let idle = try Sockets.connect(host: "127.0.0.1", port: port)
        let responder = waiting.wait { $0 }
        let isFinished = ThreadCondition(false)
        server.finish {
            isFinished.withLock { $0 = true }
            isFinished.signal()
        }
        let hasEnded = Sockets.wait(idle, .read, milliseconds: 20_000)
        #expect(hasEnded, "a connection that asks nothing is closed")
        #expect(!isFinished.withLock { $0 })
        #expect(throws: HTTPClient.Failure.unreachable(reason: "Connection refused")) {
            try HTTPClient(host: "127.0.0.1", port: port).send(
                HTTPRequest(method: "GET", target: "/"), timeout: .seconds(20))
        }
        responder.respond(HTTPResponse(200))
        let response = try answer.wait(upTo: .seconds(20)) { $0 }?.get()
        #expect(response?.status == 200 && response?.headers["Connection"] == "close")
        #expect(isFinished.wait(upTo: .seconds(20)) { $0 ? true : nil } == true)
    }
}
