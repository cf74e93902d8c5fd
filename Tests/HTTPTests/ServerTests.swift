import HTTP
import Posix
import Synchronization
import Testing

/// A server on a loop of its own, and a client that is not ours to be nice to it.
@Suite struct ServerTests {
    private func withServer(
        limits: HTTPLimits = HTTPLimits(), _ handler: @escaping HTTPServer.Handler,
        _ body: (UInt16) throws -> Void
    ) throws {
        let loop = try EventLoop(name: "test")
        let server = try HTTPServer(loop: loop, limits: limits, handler: handler)
        defer {
            server.stop()
            loop.shutdown()
        }
        try body(server.port)
    }

    private static let echo: HTTPServer.Handler = { request, responder in
        responder.respond(
            HTTPResponse(200, type: "text/plain", Array(request.target.utf8) + request.body))
    }

    @Test("requests in one piece, one after the other, are answered in order")
    func pipelining() throws {
        try withServer(Self.echo) { port in
            let text = (0..<50).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
            let answer = try TestServer.exchange(
                port, [text + "GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"])
            let paths = answer.split(separator: "\r\n\r\n").dropFirst().map {
                $0.split(separator: "HTTP/1.1").first.map(String.init) ?? ""
            }
            #expect(paths == (0..<50).map { "/\($0)" } + ["/end"])
        }
    }

    @Test("an answer may have any number of fields")
    func manyFields() throws {
        try withServer({ _, responder in
            var headers = HTTPHeaders()
            for _ in 0..<200 { headers.append("A", "") }
            responder.respond(HTTPResponse(200, headers: headers))
        }) { port in
            let answer = try TestServer.exchange(
                port, ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"])
            #expect(answer.split(separator: "\r\n").count { $0 == "A: " } == 200)
        }
    }

    @Test("answers may come later, from another thread")
    func later() throws {
        let pool = WorkerPool(name: "answers", limit: 2)
        try withServer({ request, responder in
            pool.execute { responder.respond(HTTPResponse(200, body: request.body)) }
        }) { port in
            let answer = try TestServer.exchange(
                port, ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", "late"],
                until: "late")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
        pool.shutdown()
    }

    @Test("a client that ended its side still gets its answer")
    func halfClosed() throws {
        try withServer(Self.echo) { port in
            let answer = try TestServer.exchange(
                port, ["GET /half HTTP/1.1\r\nHost: a\r\n\r\n"], endsWriting: true)
            #expect(answer.hasSuffix("/half"))
        }
    }

    @Test("a request knows who sent it, and on which port it came")
    func addresses() throws {
        try withServer({ request, responder in
            let text = "\(request.remoteAddress) \(request.localPort)"
            responder.respond(HTTPResponse(200, type: "text/plain", Array(text.utf8)))
        }) { port in
            let answer = try TestServer.exchange(
                port, ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"], endsWriting: true)
            #expect(answer.hasSuffix("\r\n\r\n127.0.0.1 \(port)"))
        }
    }

    @Test("who expects to be asked is asked")
    func expectContinue() throws {
        try withServer(Self.echo) { port in
            let head =
                "POST /c HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            let asked = try TestServer.exchange(port, [head], until: "Continue\r\n\r\n")
            #expect(asked == "HTTP/1.1 100 Continue\r\n\r\n")
        }
    }

    @Test("what is refused is answered, and ends the connection")
    func refused() throws {
        try withServer(Self.echo) { port in
            let answer = try TestServer.exchange(port, ["GET / HTTP/1.1\r\n\r\n"])
            #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(answer.contains("Connection: close\r\n"))
        }
    }

    @Test("who does not finish a request is told so")
    func slow() throws {
        var limits = HTTPLimits()
        limits.readTimeout = .milliseconds(50)
        try withServer(limits: limits, Self.echo) { port in
            let answer = try TestServer.exchange(port, ["GET / HTTP/1.1\r\nHos"])
            #expect(answer.hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test("a client that leaves is noticed")
    func disconnect() throws {
        let left = ThreadCondition(false)
        let arrived = ThreadCondition(false)
        try withServer({ _, responder in
            responder.onDisconnect {
                left.withLock { $0 = true }
                left.signal()
            }
            arrived.withLock { $0 = true }
            arrived.signal()
        }) { port in
            do {
                let socket = try Sockets.connect(host: "127.0.0.1", port: port)
                let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
                var isSent = false
                while !isSent {
                    isSent = request.withUnsafeBytes {
                        Sockets.write(socket, $0) == .bytes(request.count)
                    }
                }
                arrived.wait { $0 ? () : nil }
            }
            left.wait { $0 ? () : nil }
        }
    }
}
