import Foundation
import Glibc
import Posix
import TestSupport
import Testing

@testable import HTTP

/// What a connection holds, and for how long.
@Suite struct ConnectionTests {
    @Test("a client that is gone has no descriptor any more, though its answer is still to come")
    func descriptor() throws {
        let held = ThreadCondition<[HTTPResponder]>([])
        defer { held.withLock { $0 = [] } }  // they hold the server, and that holds them
        let server = try TestServer { _, responder in
            responder.onDisconnect {}  // so that it is asked whether it is still there
            held.withLock { $0.append(responder) }
            held.signal()
        }
        defer { server.end() }
        var client: RawClient? = try RawClient(port: server.port)
        client?.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let responder = try #require(held.wait(upTo: .seconds(10)) { $0.last })
        // `socket:[NUMBER]`: another one that takes its place has another.
        let link = "/proc/self/fd/\(responder.connection.identifier)"
        func target() -> String? {
            try? FileManager.default.destinationOfSymbolicLink(atPath: link)
        }
        let socket = try #require(target())
        #expect(socket.hasPrefix("socket:"))
        client = nil
        #expect(eventually { target() != socket })
        responder.respond(HTTPResponse(200))
    }

    @Test("whoever observes an answer hears of one that nobody is there to take, and of one only")
    func observed() throws {
        let held = ThreadCondition<[HTTPResponder]>([])
        defer { held.withLock { $0 = [] } }  // they hold the server, and that holds them
        let seen = ThreadCondition<[String]>([])
        let observer: HTTPServer.Observer = { response, request, _, isSent in
            seen.withLock { $0.append("\(request.target) \(response.status) \(isSent)") }
            seen.signal()
        }
        let server = try TestServer(observer: observer) { request, responder in
            guard request.target == "/held" else {
                responder.respond(HTTPResponse(200))
                return responder.respond(HTTPResponse(500))
            }
            responder.onDisconnect {
                held.withLock { $0.append(responder) }
                held.signal()
            }
        }
        defer { server.end() }
        var client: RawClient? = try RawClient(port: server.port)
        client?.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        client = nil
        let responder = try #require(held.wait(upTo: .seconds(10)) { $0.last })
        responder.respond(HTTPResponse(201))
        responder.respond(HTTPResponse(202))
        #expect(seen.wait(upTo: .seconds(10)) { $0.isEmpty ? nil : $0 } == ["/held 201 false"])
        let answer = try server.exchange(
            ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"])
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        let all = seen.wait(upTo: .seconds(10)) { $0.count > 1 ? $0 : nil }
        #expect(all == ["/held 201 false", "/ 200 true"])
    }

    @Test("a request that was answered before the next ones is told of before them")
    func observedInOrder() throws {
        struct Seen {
            let target: String
            let took: UInt64
            let at = SystemClock.monotonicNanoseconds()
        }
        let seen = ThreadCondition<[Seen]>([])
        let observer: HTTPServer.Observer = { _, request, nanoseconds, _ in
            seen.withLock { $0.append(Seen(target: request.target, took: nanoseconds)) }
            seen.signal()
        }
        let held = ThreadCondition<HTTPResponder?>(nil)
        defer { held.withLock { $0 = nil } }
        let server = try TestServer(observer: observer) { request, responder in
            if request.target == "/first" {
                held.withLock { $0 = responder }
                held.signal()
            } else {
                SystemClock.pause(microseconds: 20_000)
                responder.respond(HTTPResponse(200))
            }
        }
        defer { server.end() }
        let client = try RawClient(port: server.port)
        client.send(
            "GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n")
        let first = try #require(held.wait(upTo: .seconds(10)) { $0 })
        first.respond(HTTPResponse(200))
        let all = try #require(seen.wait(upTo: .seconds(10)) { $0.count > 1 ? $0 : nil })
        #expect(all.map(\.target) == ["/first", "/second"])
        #expect(all[1].took >= 20_000_000)
        #expect(all[0].at + all[1].took <= all[1].at)
    }

    @Test("a client that always has something left to read is held for no more than that")
    func pipeline() throws {
        let most = ThreadCondition(0)
        let answer = [UInt8](repeating: 0x61, count: 100_000)
        let server = try TestServer { request, responder in
            // As a network would have it: what is written goes out bit by bit.
            var size: CInt = 4096
            setsockopt(
                responder.connection.identifier, SOL_SOCKET, SO_SNDBUF, &size,
                socklen_t(MemoryLayout<CInt>.size))
            let held = responder.connection.state.with { $0.output.count }
            most.withLock { $0 = max($0, held) }
            let isLast = request.target == "/last"
            responder.respond(HTTPResponse(200, body: isLast ? Array("the end".utf8) : answer))
        }
        defer { server.end() }
        let ask = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        let last = "GET /last HTTP/1.1\r\nHost: a\r\n\r\n"
        let client = try RawClient(port: server.port)
        client.send(String(repeating: ask, count: 30) + last)
        #expect(client.read(until: "the end", milliseconds: 60_000).hasSuffix("the end"))
        let held = most.withLock { $0 }
        #expect(held > 0 && held < 1_000_000, "\(held)")
    }
}
