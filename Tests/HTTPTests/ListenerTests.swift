import Glibc
import HTTP
import Posix
import TestSupport
import Testing

/// Where a server is reached.
@Suite struct ListenerTests {
    private static let ask = "GET /who HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test("localhost is both loopback addresses, under one port", arguments: ["127.0.0.1", "::1"])
    func both(address: String) throws {
        let server = try TestServer(host: "localhost") { request, responder in
            responder.respond(HTTPResponse(200, body: Array(request.remoteAddress.utf8)))
        }
        defer { server.end() }
        let client = try RawClient(host: address, port: server.port)
        client.send(Self.ask)
        #expect(client.read(until: "\r\n\r\n\(address)").hasSuffix("\r\n\r\n\(address)"))
    }

    @Test("a server that has ended answers on neither")
    func ended() throws {
        let server = try TestServer(host: "localhost") { _, responder in
            responder.respond(HTTPResponse(200))
        }
        let port = server.port
        server.end()
        for address in ["127.0.0.1", "::1"] {
            let client = HTTPClient(host: address, port: port)
            #expect(throws: HTTPClient.Failure.self) {
                try client.send(HTTPRequest(method: "GET", target: "/"), timeout: .seconds(5))
            }
        }
    }

    @Test("an address alone is that address alone")
    func one() throws {
        let six = try TestServer(host: "::1") { _, responder in
            responder.respond(HTTPResponse(200))
        }
        defer { six.end() }
        #expect(throws: HTTPClient.Failure.self) {
            try HTTPClient(host: "127.0.0.1", port: six.port).send(
                HTTPRequest(method: "GET", target: "/"), timeout: .seconds(5))
        }
    }

    /// Listens where there is nothing against it.
    private func open(
        _ port: UInt16, refusing code: @escaping (String, UInt16) -> CInt?
    ) throws(SystemError) -> [HTTPListener] {
        try HTTPListener.open("localhost", port) { (host, port) throws(SystemError) in
            if let code = code(host, port) { throw SystemError(call: "bind", code: code) }
            return try Sockets.listen(host: host, port: port)
        }
    }

    @Test(
        "a machine without one family goes on with the other",
        arguments: [
            EADDRNOTAVAIL, EAFNOSUPPORT,
        ])
    func oneFamily(code: CInt) throws {
        let four = try open(0) { host, _ in host == "::1" ? code : nil }
        #expect(four.map(\.host) == ["127.0.0.1"] && four[0].port > 0)
        let six = try open(0) { host, _ in host == "::1" ? nil : code }
        #expect(six.map(\.host) == ["::1"] && six[0].port > 0)
        #expect(throws: SystemError(call: "bind", code: code)) { try open(0) { _, _ in code } }
    }

    @Test("a port of the system's choice is free on both, or another one is chosen")
    func chosen() throws {
        var taken: [UInt16] = []
        let listeners = try open(0) { host, port in
            guard host == "::1", taken.count < 3 else { return nil }
            taken.append(port)
            return EADDRINUSE
        }
        #expect(taken.count == 3 && taken.allSatisfy { $0 > 0 })
        #expect(listeners.map(\.host) == ["127.0.0.1", "::1"])
        #expect(listeners[0].port == listeners[1].port)
    }

    @Test("it does not look for a port for ever, nor for one that was named")
    func taken() throws {
        var attempts = 0
        let refuse: (String, UInt16) -> CInt? = { host, _ in
            attempts += host == "::1" ? 1 : 0
            return host == "::1" ? EADDRINUSE : nil
        }
        #expect(throws: SystemError.self) { try open(0, refusing: refuse) }
        #expect(attempts == HTTPListener.portAttempts)
        attempts = 0
        let port = try HTTPListener.open("127.0.0.1", 0)[0].port
        #expect(throws: SystemError.self) { try open(port, refusing: refuse) }
        #expect(attempts == 1)
    }
}
