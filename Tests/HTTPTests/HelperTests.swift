import HTTP
import Posix
import TestSupport
import Testing

/// A server whose connections several event loops serve.
@Suite struct HelperTests {
    private static let ask = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let answer = "\r\n\r\n/a"

    /// How many requests each loop has handled.
    private final class Handled: Sendable {
        private let loops: [EventLoop]
        private let counts: ThreadCondition<[Int]>

        init(_ loops: [EventLoop]) {
            self.loops = loops
            counts = ThreadCondition([Int](repeating: 0, count: loops.count))
        }

        func count() {
            guard let index = loops.firstIndex(where: { $0.isOnLoop }) else { return }
            counts.withLock { $0[index] += 1 }
        }

        var byLoop: [Int] { counts.withLock { $0 } }
    }

    private func ask(_ client: RawClient) -> Bool {
        client.send(Self.ask) && client.read(until: Self.answer).hasSuffix(Self.answer)
    }

    /// - Parameter body: gets the port, and what the loops have handled.
    private func withServer(
        connections: Int = 1000, _ body: (HTTPServer, Handled) throws -> Void
    ) throws {
        let loops = try (0..<3).map { try EventLoop(name: "test-\($0)") }
        defer { for loop in loops { loop.shutdown() } }
        let handled = Handled(loops)
        var limits = HTTPLimits()
        limits.connections = connections
        let server = try HTTPServer(
            loop: loops[0], helpers: Array(loops[1...]), limits: limits
        ) { request, responder in
            handled.count()
            guard request.target != "/wait" else { return }
            responder.respond(HTTPResponse(200, body: Array(request.target.utf8)))
        }
        defer { server.stop() }
        try body(server, handled)
    }

    @Test("a few connections are served by the first loop, many by all, each by one")
    func spread() throws {
        try withServer { server, handled in
            var clients: [RawClient] = []
            func connect(_ count: Int) throws {
                for _ in 0..<count {
                    let client = try RawClient(port: server.port)
                    #expect(ask(client))
                    clients.append(client)
                }
            }
            try connect(16)
            #expect(handled.byLoop == [16, 0, 0])
            try connect(32)
            #expect(handled.byLoop == [16, 16, 16])
            for client in clients { #expect(ask(client)) }
            #expect(handled.byLoop == [32, 32, 32])
        }
    }

    @Test("where the first loop's clients all wait, those of another loop give way")
    func givesWay() throws {
        try withServer(connections: 24) { server, _ in
            let waiting = try (0..<16).map { _ in try RawClient(port: server.port) }
            for client in waiting { client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n") }
            let idle = try (0..<8).map { _ in try RawClient(port: server.port) }
            for client in idle { #expect(ask(client)) }
            var clients: [RawClient] = []
            for _ in 0..<8 {
                let client = try RawClient(port: server.port)
                #expect(ask(client))
                clients.append(client)
            }
            #expect(idle.allSatisfy { $0.isEnded() })
            for client in clients { #expect(ask(client)) }
        }
    }

    @Test("it is finished when the last connection of every loop is gone")
    func finish() throws {
        let held = ThreadCondition<[HTTPResponder]>([])
        defer { held.withLock { $0 = [] } }  // they hold the server, and that holds them
        let loops = try (0..<2).map { try EventLoop(name: "test-\($0)") }
        defer { for loop in loops { loop.shutdown() } }
        let server = try HTTPServer(loop: loops[0], helpers: [loops[1]]) { _, responder in
            held.withLock { $0.append(responder) }
            held.signal()
        }
        defer { server.stop() }
        let clients = try (0..<30).map { _ in try RawClient(port: server.port) }
        for client in clients { #expect(client.send(Self.ask)) }
        try #require(held.wait(upTo: .seconds(20)) { $0.count == 30 ? true : nil } == true)
        let isFinished = ThreadCondition(false)
        server.finish {
            isFinished.withLock { $0 = true }
            isFinished.signal()
        }
        let responders = held.withLock { $0 }
        for responder in responders.dropLast() {
            responder.respond(HTTPResponse(200, body: Array("/a".utf8)))
        }
        #expect(isFinished.wait(upTo: .milliseconds(50)) { $0 ? true : nil } == nil)
        responders.last?.respond(HTTPResponse(200, body: Array("/a".utf8)))
        for client in clients {
            #expect(client.read(until: Self.answer).hasSuffix(Self.answer))
            #expect(client.isEnded())
        }
        #expect(isFinished.wait(upTo: .seconds(20)) { $0 ? true : nil } == true)
    }

    @Test("a client that was slow with its last answer does not hold the end up")
    func finishWhileWriting() throws {
        let isAsked = ThreadCondition(false)
        let loop = try EventLoop(name: "test")
        defer { loop.shutdown() }
        // More than the sockets between them hold.
        let body = [UInt8](repeating: UInt8(ascii: "b"), count: 16 * 1024 * 1024)
        let server = try HTTPServer(loop: loop) { _, responder in
            responder.respond(HTTPResponse(200, body: body))
            isAsked.withLock { $0 = true }
            isAsked.signal()
        }
        defer { server.stop() }
        let client = try RawClient(port: server.port)
        #expect(client.send(Self.ask))
        try #require(isAsked.wait(upTo: .seconds(20)) { $0 ? true : nil } == true)
        let isFinished = ThreadCondition(false)
        server.finish {
            isFinished.withLock { $0 = true }
            isFinished.signal()
        }
        #expect(isFinished.wait(upTo: .milliseconds(50)) { $0 ? true : nil } == nil)
        #expect(client.isEnded(milliseconds: 60_000))
        #expect(isFinished.wait(upTo: .seconds(20)) { $0 ? true : nil } == true)
    }

    @Test("who stops it closes the connections of every loop")
    func stop() throws {
        try withServer { server, _ in
            let clients = try (0..<30).map { _ in try RawClient(port: server.port) }
            for client in clients { #expect(ask(client)) }
            server.stop()
            for client in clients { #expect(client.isEnded()) }
        }
    }
}
