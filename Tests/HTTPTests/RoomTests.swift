import Posix
import TestSupport
import Testing

@testable import HTTP

/// A server that may have no more connections than a few.
@Suite struct RoomTests {
    private static let ask = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let answer = "\r\n\r\n/a"

    private static func limits(_ connections: Int) -> HTTPLimits {
        var limits = HTTPLimits()
        limits.connections = connections
        return limits
    }

    private static let echo: HTTPServer.Handler = { request, responder in
        responder.respond(HTTPResponse(200, body: Array(request.target.utf8)))
    }

    private func ask(_ client: RawClient) -> Bool {
        client.send(Self.ask) && client.read(until: Self.answer).hasSuffix(Self.answer)
    }

    @Test("who has been idle longest gives way, one after the other")
    func longestIdle() throws {
        let server = try TestServer(limits: Self.limits(3), handler: Self.echo)
        defer { server.end() }
        var clients: [RawClient] = []
        for _ in 0..<3 {
            let client = try RawClient(port: server.port)
            #expect(ask(client))
            clients.append(client)
        }
        // The first has been here longest, and idle for the shortest time.
        #expect(ask(clients[0]))
        for victim in [1, 2, 0] {
            let new = try RawClient(port: server.port)
            #expect(ask(new))
            #expect(clients[victim].isEnded())
            clients.append(new)
        }
        for stays in clients.suffix(3) { #expect(ask(stays)) }
    }

    @Test("two ports share their room: the one that has more gives way, and neither is shut out")
    func shared() throws {
        let loop = try EventLoop(name: "test")
        defer { loop.shutdown() }
        let room = SharedRoom(connections: 4, loop: loop)
        let servers = try [3, 3].map {
            try HTTPServer(
                loop: loop, limits: Self.limits($0), room: room, handler: Self.echo)
        }
        defer { for server in servers { server.stop() } }
        func client(of server: Int) throws -> RawClient {
            let client = try RawClient(port: servers[server].port)
            #expect(ask(client))
            return client
        }
        let first = try (0..<3).map { _ in try client(of: 0) }
        var second = [try client(of: 1)]
        // Four are there, three of them on the first port.
        second.append(try client(of: 1))
        #expect(first[0].isEnded())
        // Two on either.
        for client in [first[1], first[2]] + second { #expect(ask(client)) }
        let more = try client(of: 1)
        let last = try client(of: 1)
        #expect(ask(more) && ask(last))
        let port = servers[0].port
        let again = try RawClient(port: port)
        #expect(ask(again))
    }

    @Test("who came since room was asked for does not give way")
    func late() throws {
        let loops = try [EventLoop(name: "near"), EventLoop(name: "far")]
        defer { for loop in loops { loop.shutdown() } }
        let held = ThreadCondition<[HTTPResponder]>([])
        defer { held.withLock { $0 = [] } }  // they hold the server, and that holds them
        // As many on either loop.
        let server = try HTTPServer(
            loop: loops[0], helpers: [loops[1]], limits: Self.limits(32)
        ) { request, responder in
            guard request.target == "/wait" else { return Self.echo(request, responder) }
            held.withLock { $0.append(responder) }
            held.signal()
        }
        defer { server.stop() }
        func pass(_ loop: EventLoop) throws {
            let isPassed = ThreadCondition(false)
            loop.execute {
                isPassed.withLock { $0 = true }
                isPassed.signal()
            }
            try #require(isPassed.wait(upTo: .seconds(10)) { $0 ? true : nil } == true)
        }
        var clients: [RawClient] = []
        for _ in 0..<33 {
            let client = try RawClient(port: server.port)
            #expect(ask(client))
            clients.append(client)
        }
        // One of the near loop gave way: the far one is asked first now. All wait for answers, the
        // last one's comes first.
        for (some, count) in [(clients[32...], 1), (clients[..<32], 32)] {
            for client in some { client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n") }
            try #require(held.wait(upTo: .seconds(10)) { $0.count == count ? true : nil } == true)
        }
        let isHeldUp = ThreadCondition(true)
        loops[1].execute { _ = isHeldUp.wait(upTo: .seconds(10)) { $0 ? nil : true } }

        let late = try RawClient(port: server.port)
        for _ in 0..<2 { try pass(loops[0]) }  // the far loop has been asked to make room
        clients[32].endWriting()
        held.withLock { $0[0] }.respond(HTTPResponse(204))
        #expect(ask(late))
        isHeldUp.withLock { $0 = false }
        isHeldUp.signal()
        for loop in loops.reversed() { try pass(loop) }
        #expect(ask(late))
    }

    @Test("who is idle for too short a time to give way is still the next")
    func next() {
        var order = IdleOrder([(connection: 2, since: 20), (connection: 1, since: 10)])
        #expect(order.next(since: 9) == nil)
        for (connection, time) in [(1, 10), (2, 30)] as [(CInt, UInt64)] {
            #expect(order.next(since: time)?.connection == connection)
        }
        #expect(order.next(since: 30) == nil)
    }

    @Test("who has asked for something, or begun to, does not give way")
    func busy() throws {
        let held = ThreadCondition<[HTTPResponder]>([])
        defer { held.withLock { $0 = [] } }  // they hold the server, and that holds them
        let server = try TestServer(limits: Self.limits(3)) { request, responder in
            guard request.target == "/wait" else { return Self.echo(request, responder) }
            held.withLock { $0.append(responder) }
            held.signal()
        }
        defer { server.end() }
        let waits = try RawClient(port: server.port)
        waits.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(held.wait(upTo: .seconds(10)) { $0.isEmpty ? nil : true } == true)
        let begins = try RawClient(port: server.port)
        begins.send(
            "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        #expect(begins.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
        let idle = try RawClient(port: server.port)
        #expect(ask(idle))

        let new = try RawClient(port: server.port)
        #expect(ask(new))
        #expect(idle.isEnded())
        // Now three are served, and a fourth waits until one of them is done.
        new.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(held.wait(upTo: .seconds(10)) { $0.count == 2 ? true : nil } == true)
        let last = try RawClient(port: server.port)
        last.send(Self.ask)
        #expect(last.read(until: Self.answer, milliseconds: 300).isEmpty)
        begins.send("x")
        #expect(begins.read(until: Self.answer).hasSuffix(Self.answer))
        #expect(last.read(until: Self.answer).hasSuffix(Self.answer))
        for responder in held.withLock({ $0 }) { responder.respond(HTTPResponse(204)) }
        for client in [waits, new] {
            #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204 "))
        }
    }

    @Test("clients that ask again at once are no way to keep others out")
    func busyForEver() throws {
        let loop = try EventLoop(name: "later")
        defer { loop.shutdown() }
        let server = try TestServer(limits: Self.limits(3)) { request, responder in
            guard request.target == "/slow" else { return Self.echo(request, responder) }
            loop.schedule(after: .milliseconds(20)) { responder.respond(HTTPResponse(204)) }
        }
        defer { server.end() }
        // More than they get: none of them is ever idle.
        let slow = String(repeating: "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", count: 500)
        let clients = try (0..<3).map { _ in try RawClient(port: server.port) }
        for client in clients { #expect(client.send(slow)) }
        for client in clients {
            #expect(client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204 "))
        }
        for _ in 0..<3 {
            let new = try RawClient(port: server.port)
            #expect(ask(new))
        }
        #expect(clients.contains { $0.isEnded(milliseconds: 5000) }, "one gave its place up")
    }

    @Test("connections that say nothing are no way to keep others out")
    func silent() throws {
        let server = try TestServer(limits: Self.limits(8), handler: Self.echo)
        defer { server.end() }
        var silent: [RawClient] = []
        for _ in 0..<100 { silent.append(try RawClient(port: server.port)) }
        let client = try RawClient(port: server.port)
        #expect(ask(client))
        #expect(silent.prefix(92).allSatisfy { $0.isEnded() })
    }
}
