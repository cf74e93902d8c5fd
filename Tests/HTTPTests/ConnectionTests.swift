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
}
