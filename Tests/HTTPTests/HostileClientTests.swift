import HTTP
import Posix
import Synchronization
import TestSupport
import Testing

/// Clients that are slow, greedy, or say one thing and do another.
@Suite struct HostileClientTests {
    private static let echo: HTTPServer.Handler = { request, responder in
        responder.respond(
            HTTPResponse(200, type: "text/plain", Array(request.target.utf8) + request.body))
    }

    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test("what was asked before its side ended is answered, all of it")
    func halfClosedPipeline() throws {
        let server = try TestServer(handler: Self.echo)
        defer { server.end() }
        let text = (0..<3).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
        let answer = try server.exchange([text, "GET /cut"], endsWriting: true)
        #expect(answer.contains("\r\n\r\n/0HTTP"))
        #expect(answer.contains("\r\n\r\n/1HTTP"))
        #expect(answer.hasSuffix("\r\n\r\n/2"))
    }

    /// A server that answers when it is told to, and what it heard of its clients.
    private final class Waiting: Sendable {
        let responders = ThreadCondition<[HTTPResponder]>([])
        let gone = ThreadCondition(0)

        /// - Parameter isLate: whether it asks to be told only once it is to answer.
        func handle(_ responder: HTTPResponder, isLate: Bool = false) {
            if !isLate { ask(responder) }
            responders.withLock { $0.append(responder) }
            responders.signal()
        }

        func ask(_ responder: HTTPResponder) {
            responder.onDisconnect { [gone] in
                gone.withLock { $0 += 1 }
                gone.signal()
            }
        }

        func next() throws -> HTTPResponder {
            try #require(responders.wait(upTo: .seconds(10)) { $0.popLast() })
        }
        var isGone: Bool { gone.wait(upTo: .seconds(10)) { $0 == 1 ? true : nil } ?? false }
    }

    @Test("who has only said its last word waits for the answer", arguments: [false, true])
    func halfClosedWait(isLate: Bool) throws {
        let waiting = Waiting()
        let server = try TestServer { waiting.handle($1, isLate: isLate) }
        defer { server.end() }
        let client = try RawClient(port: server.port)
        client.send(Self.get)
        client.endWriting()
        let responder = try waiting.next()
        if isLate { waiting.ask(responder) }
        #expect(client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        responder.respond(HTTPResponse(200, body: Array("late".utf8)))
        let answer = client.read(until: "late")
        #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("late"))
        #expect(client.isEnded())
        #expect(waiting.gone.withLock { $0 } == 0)
    }

    @Test(
        "who is gone is missed at once, and so is who cannot be asked",
        arguments: [(true, "1.1"), (false, "1.0")])
    func gone(closes: Bool, version: String) throws {
        let waiting = Waiting()
        let server = try TestServer { waiting.handle($1) }
        defer { server.end() }
        var client: RawClient? = try RawClient(port: server.port)
        client?.send("GET / HTTP/\(version)\r\nHost: a\r\n\r\n")
        let responder = try waiting.next()
        if closes { client = nil } else { client?.endWriting() }
        #expect(waiting.isGone)
        responder.respond(HTTPResponse(200))
        if let client { #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200 ")) }
        server.finish()  // nothing is left of either
    }

    @Test(
        "a byte now and then does not make a request",
        arguments: [
            "GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n",
        ])
    func dripping(head: String) throws {
        var limits = HTTPLimits()
        limits.readTimeout = .milliseconds(50)
        limits.minimumRate = 1_000_000
        let server = try TestServer(limits: limits, handler: Self.echo)
        defer { server.end() }
        let drops = [String](repeating: "a", count: 50_000)
        let answer = try server.exchange([head] + drops)
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
    }

    @Test("who asks and asks and never reads is held back, and given up")
    func neverReads() throws {
        var limits = HTTPLimits()
        limits.writeTimeout = .milliseconds(50)
        let count = Atomic<Int>(0)
        let body = [UInt8](repeating: 0x61, count: 100_000)
        let server = try TestServer(limits: limits) { _, responder in
            count.add(1, ordering: .relaxed)
            responder.respond(HTTPResponse(200, body: body))
        }
        defer { server.end() }
        let requests = 1_000
        let socket = try Sockets.connect(host: "127.0.0.1", port: server.port)
        let text = Array(String(repeating: Self.get, count: requests).utf8)
        var sent = 0
        while sent < text.count, Sockets.wait(socket, .write, milliseconds: 10_000) {
            let transfer = text.withUnsafeBytes {
                Sockets.write(socket, UnsafeRawBufferPointer(rebasing: $0[sent...]))
            }
            guard case .bytes(let count) = transfer else { break }
            sent += count
        }
        // It is given up once the write has waited too long.
        let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
        while text.withUnsafeBytes({ Sockets.write(socket, $0) }) != .closed {
            guard SystemClock.monotonicNanoseconds() < deadline else {
                Issue.record("the connection stays")
                break
            }
            SystemClock.pause(microseconds: 200)
        }
        #expect(count.load(ordering: .relaxed) < requests)
    }

    @Test("all requests together have a bound")
    func heldBytes() throws {
        var limits = HTTPLimits()
        limits.heldBytes = 100_000
        let server = try TestServer(limits: limits, handler: Self.echo)
        defer { server.end() }
        let head = "POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
        let answer = try server.exchange([head + String(repeating: "a", count: 199_999)])
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Retry-After: 1\r\n"))
        // What was given up is not counted any more.
        let small = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
        for _ in 0..<3 {
            let answer = try server.exchange(
                [small + String(repeating: "a", count: 60_000)], endsWriting: true)
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
        }
        server.finish()  // nothing is left that could keep it
    }

    /// A client whose first request is answered; of the next, `begun` has come.
    private func client(of server: TestServer, begun: String) throws -> RawClient {
        let client = try RawClient(port: server.port)
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n" + begun)
        #expect(client.read(until: "\r\n\r\n/a").hasSuffix("\r\n\r\n/a"))
        return client
    }

    @Test(
        "a request that does not come whole does not hold the end up",
        arguments: ["GET ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n"])
    func unfinished(begun: String) throws {
        let server = try TestServer(handler: Self.echo)
        defer { server.end() }
        let silent = try client(of: server, begun: begun)
        let slow = try client(of: server, begun: begun)
        let isFinished = server.beginToFinish()
        let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
        while SystemClock.monotonicNanoseconds() < deadline, slow.send("aaaaaaaaaaaaaaaa") {
            SystemClock.pause(microseconds: 200)
        }
        #expect(isFinished.wait(upTo: .seconds(5)) { $0 ? true : nil } == true)
        #expect(silent.isEnded())
    }

    @Test("a request that is on its way when the end begins gets its answer")
    func onItsWay() throws {
        let server = try TestServer(handler: Self.echo)
        defer { server.end() }
        let client = try client(of: server, begun: "GET /b HTTP/1.1\r\nHos")
        let idle = try RawClient(port: server.port)
        let isFinished = server.beginToFinish()
        #expect(idle.isEnded())  // it has begun
        client.send("t: a\r\n\r\n")
        #expect(client.read(until: "\r\n\r\n/b").contains("Connection: close\r\n"))
        #expect(client.isEnded())
        #expect(isFinished.wait(upTo: .seconds(10)) { $0 ? true : nil } == true)
    }

    @Test("a request that has come, but is not read yet when the end begins, gets its answer")
    func unread() throws {
        let isHeld = ThreadCondition(false)
        let mayGoOn = ThreadCondition(false)
        let server = try TestServer { request, responder in
            if request.target == "/hold" {  // the whole loop
                isHeld.withLock { $0 = true }
                isHeld.signal()
                _ = mayGoOn.wait(upTo: .seconds(10)) { $0 ? true : nil }
            }
            Self.echo(request, responder)
        }
        defer { server.end() }
        let client = try client(of: server, begun: "")
        let other = try RawClient(port: server.port)
        other.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(isHeld.wait(upTo: .seconds(10)) { $0 ? true : nil } == true)
        client.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        let isFinished = server.beginToFinish()
        mayGoOn.withLock { $0 = true }
        mayGoOn.signal()
        #expect(client.read(until: "\r\n\r\n/b").contains("Connection: close\r\n"))
        #expect(client.isEnded())
        #expect(isFinished.wait(upTo: .seconds(10)) { $0 ? true : nil } == true)
    }

    @Test("who sends much and does not end keeps nobody out who sends little")
    func greedy() throws {
        var limits = HTTPLimits()
        limits.heldBytes = 100_000
        let server = try TestServer(limits: limits, handler: Self.echo)
        defer { server.end() }
        func begin(_ sent: Int, of length: Int) throws -> RawClient {
            let client = try RawClient(port: server.port)
            client.send(
                "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                    + "Content-Length: \(length)\r\n\r\n")
            #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
            client.send(String(repeating: "a", count: sent))
            return client
        }
        let greedy = try begin(95_000, of: 96_000)
        let modest = try begin(20_000, of: 30_000)
        #expect(greedy.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
        #expect(greedy.isEnded())
        modest.send(String(repeating: "a", count: 10_000))
        #expect(modest.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
    }

    @Test("handlers cannot say where their answers end")
    func framing() throws {
        let server = try TestServer { _, responder in
            responder.respond(
                HTTPResponse(
                    200,
                    headers: [
                        "Transfer-Encoding": "chunked", "content-length": "999",
                        "Connection": "upgrade", "Upgrade": "x", "Date": "never",
                        "X\r\nEvil": "1", "X-Value": "a\r\nEvil: b", "X-Kept": "yes",
                    ], body: Array("hi".utf8)))
        }
        defer { server.end() }
        let answer = try server.exchange([Self.get], endsWriting: true)
        let lines = answer.split(separator: "\r\n").map(String.init)
        let kept = lines.filter { !$0.hasPrefix("Date: ") }
        #expect(
            kept == [
                "HTTP/1.1 200 OK", "X-Value: a  Evil: b", "X-Kept: yes", "Content-Length: 2", "hi",
            ])
        let dates = lines.filter { $0.hasPrefix("Date: ") }
        #expect(dates.count == 1 && dates.allSatisfy { $0.hasSuffix(" GMT") })
    }

    @Test("what is said of a request comes before other fields, and ends no line")
    func requestID() throws {
        let server = try TestServer { _, responder in
            var response = HTTPResponse(
                200, requestID: "a\r\nEvil: b", in: "X-ID", type: "text/plain", Array("hi".utf8))
            response.headers.append("X-Other", "1")
            responder.respond(response)
        }
        defer { server.end() }
        let answer = try server.exchange([Self.get], endsWriting: true)
        let lines = answer.split(separator: "\r\n").filter { !$0.hasPrefix("Date: ") }
        #expect(
            lines == [
                "HTTP/1.1 200 OK", "X-ID: a  Evil: b", "Content-Type: text/plain", "X-Other: 1",
                "Content-Length: 2", "hi",
            ])
    }

    @Test("a status that is none is not sent", arguments: [0, 100, 101, 600, -1])
    func status(number: Int) throws {
        let server = try TestServer { _, responder in responder.respond(HTTPResponse(number)) }
        defer { server.end() }
        let answer = try server.exchange([Self.get], endsWriting: true)
        #expect(answer.hasPrefix("HTTP/1.1 500 "))
    }

    @Test("old clients are told that a connection stays; HEAD has no body")
    func oldClients() throws {
        let server = try TestServer(handler: Self.echo)
        defer { server.end() }
        let answer = try server.exchange(
            ["HEAD /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n"])
        #expect(answer.contains("Connection: keep-alive\r\n\r\nHTTP/1.1 200"))
        #expect(answer.hasSuffix("Connection: close\r\n\r\n/b"))
        #expect(answer.split(separator: "Content-Length: 2").count == 3)
    }
}
