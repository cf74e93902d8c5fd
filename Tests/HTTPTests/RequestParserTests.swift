import HTTP
import Testing

@Suite struct RequestParserTests {
    /// What a parser makes of `bytes`, cut into pieces of these sizes, the last one again and again.
    private func events(
        _ bytes: [UInt8], _ sizes: [Int], limits: HTTPLimits = HTTPLimits()
    ) -> [String] {
        var parser = HTTPRequestParser(limits: limits)
        var rest = bytes[...]
        var sizes = sizes[...]
        var events: [String] = []
        while true {
            do throws(HTTPError) {
                while let event = try parser.next() {
                    switch event {
                    // Whether the client is asked depends on what has come, not on what it means.
                    case .continueExpected: break
                    case .request(let request):
                        let headers = request.headers.fields.map { "\($0.name)=\($0.value)" }
                        events.append(
                            "\(request.method) \(request.target) \(headers.joined(separator: ";")) "
                                + "\(String(decoding: request.body, as: UTF8.self)) "
                                + (request.isKeptAlive ? "keep" : "close"))
                    }
                }
            } catch {
                return events + ["\(error.status)"]
            }
            guard !rest.isEmpty else { return events }
            let size = sizes.count > 1 ? sizes.removeFirst() : sizes.first ?? 1
            parser.append(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
    }

    private func events(
        _ text: String, size: Int, limits: HTTPLimits = HTTPLimits()
    ) -> [String] {
        events(Array(text.utf8), [size], limits: limits)
    }

    static let requests: [(text: String, events: [String])] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET / Host=a  keep"]),
        ("\r\nGET /x?y HTTP/1.1\r\nHost:a\r\n\r\n", ["GET /x?y Host=a  keep"]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n",
            ["POST / Host=a;Content-Length=3 abc keep", "GET / Host=b  keep"]
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA \r\n0123456789"
                + "\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
            [
                "POST / Host=a;Transfer-Encoding=chunked abc0123456789 keep",
                "GET / Host=b;Connection=close  close",
            ]
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            ["POST / Host=a;Expect=100-continue;Content-Length=2 hi keep"]
        ),
        ("GET / HTTP/1.0\r\n\r\n", ["GET /   close"]),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ["GET / Connection=keep-alive  keep"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \t b c \t\r\n\r\n", ["GET / Host=a;X=b c  keep"]),
        (
            "\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            ["GET /a Host=a  keep", "GET /b Host=a  keep"]
        ),
        ("GET / HTTP/1.1\r\nHost: [::1]:4566\r\n\r\n", ["GET / Host=[::1]:4566  keep"]),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", ["GET / Host=  keep"]),
        // An absolute target is the path that it means, of the host that it names.
        ("GET http://a/b?c HTTP/1.1\r\nHost: A\r\n\r\n", ["GET /b?c Host=A  keep"]),
        ("GET HTTP://a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", ["GET / Host=a:80  keep"]),
        ("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", ["GET /?b Host=a  keep"]),
        ("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS * Host=a  keep"]),
        ("GET http://evil/ HTTP/1.0\r\n\r\n", ["GET / Host=evil  close"]),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS * Host=a  keep"]),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Close\r\n\r\n",
            ["GET / Host=a;Connection=keep-alive, Close  close"]
        ),
        (
            "POST / HTTP/1.0\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx",
            ["POST / Expect=tea;Content-Length=1 x close"]
        ),
        // Trailers are not header fields: they cannot say anything about the next request.
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n"
                + "Content-Length: 9\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\nHost: c\r\n\r\n",
            ["POST / Host=a;Transfer-Encoding=Chunked x keep", "GET / Host=c  keep"]
        ),
        // What must be refused, before a line's end if it never comes.
        ("\u{16}\u{3}\u{1}\u{2}", ["400"]),
        ("\u{0}", ["400"]),
        ("{", ["400"]),
        (":", ["400"]),
        ("\n", ["400"]),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET http://evil@a/ HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", ["501"]),
        ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", ["501"]),
        ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET /\u{E9} HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", ["400"]),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET /\r\n\r\n", ["400"]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ["505"]),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: [a\r\n\r\n", ["400"]),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tfolded\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\u{0}: b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n", ["400"]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            ["400"]
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n", ["501"]
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", ["501"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", ["501"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{B}chunked\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", ["501"]),
        ("GET / HTTP/1.1\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\u{0}b\r\n\r\n", ["400"]),
        ("GET / HTTP/1.1\r\nHost: a\u{7F}\r\n\r\n", ["400"]),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("G\"T / HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", ["505"]),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3,3\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", ["413"]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            ["400"]
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ["501"]),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ["400"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", ["417"]),
    ]

    @Test("however it is cut", arguments: requests.indices)
    func cut(index: Int) {
        let (text, expected) = Self.requests[index]
        let bytes = Array(text.utf8)
        for size in 1...bytes.count { #expect(events(bytes, [size]) == expected) }
        for first in 0...bytes.count { #expect(events(bytes, [first, bytes.count]) == expected) }
    }

    /// Only where little has come they share its memory.
    @Test("however much comes with the fields", arguments: [50, 300, 4000, 4096, 4097, 10_000])
    func amongOthers(size: Int) {
        let (long, body) = (String(repeating: "l", count: 3000), String(repeating: "b", count: 900))
        let one = "POST / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\nContent-Length: 900\r\n\r\n\(body)"
        let read = "POST / Host=a;X=\(long);Content-Length=900 \(body) keep"
        #expect(events("\(one)\(one)\(one)", size: size) == [read, read, read])
    }

    @Test("what once held more is not kept with a request's fields")
    func roomOfOthers() throws {
        var parser = HTTPRequestParser(limits: HTTPLimits())
        let (one, rest) = ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTT")
        parser.append(Array((String(repeating: one, count: 2000) + rest).utf8))
        for _ in 0..<2000 { #expect(try parser.next() != nil) }
        parser.append(Array("P/1.1\r\nHost: a\r\n\r\n".utf8))
        guard case .request(let request)? = try parser.next() else {
            Issue.record("no request")
            return
        }
        #expect(request.headers.heldBytes <= 4096)
    }

    /// Values are looked at eight bytes at a time.
    @Test("a control character in a value, wherever it stands", arguments: 0..<20)
    func control(place: Int) {
        for (byte, isFine) in [
            (0x09, true), (0x80, true), (0xFF, true), (0x00, false), (0x1F, false), (0x7F, false),
        ] as [(UInt8, Bool)] {
            var value = [UInt8](repeating: 0x61, count: 22)
            value[1] = 0x09
            value[place + 1] = byte
            let bytes = Array("GET / HTTP/1.0\r\nX: ".utf8) + value + [13, 10, 13, 10]
            let text = String(decoding: value, as: UTF8.self)
            #expect(
                events(bytes, [bytes.count]) == [isFine ? "GET / X=\(text)  close" : "400"])
        }
    }

    @Test(
        "bad chunks",
        arguments: [
            "x\r\n", "\r\n", "-1\r\n", "0x1\r\n", "3\nabc", "3\r\nabcd\r\n", "FFFFFFFFF\r\n",
            "3 3\r\nabc\r\n", "3\r\nab\r\n\r\n", "3;\nx\r\nabc\r\n", "3\rabc\r\n", " 3\r\nabc\r\n",
            "1\r\na\r\n0\r\nX: \u{0}\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\n\n", "+1\r\na\r\n",
            String(repeating: "1;\(String(repeating: "x", count: 200))\r\na\r\n", count: 200),
            "1;\(String(repeating: "x", count: 300))\r\na\r\n", "1;\u{1}\r\na\r\n0\r\n\r\n",
            "0\r\nbad\r\n\r\n",
        ])
    func chunks(body: String) {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for size in [1, 7, 1000] { #expect(events(head + body, size: size) == ["400"]) }
    }

    @Test("of a request that is refused in the middle, the fields that came before are known")
    func refusedInTheMiddle() throws {
        var parser = HTTPRequestParser()
        parser.append(Array("GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\nbad\r\n\r\n".utf8)[...])
        #expect(throws: HTTPError.self) { try parser.next() }
        #expect(parser.begun.headers["X"] == "y")
    }

    @Test("limits end what has no end")
    func limits() {
        var limits = HTTPLimits()
        limits.requestLine = 64
        limits.headerBytes = 256
        limits.headerFields = 4
        limits.bodyBytes = 100
        let long = String(repeating: "a", count: 1000)
        let cases = [
            ("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", "414"),
            ("GET /\(long)", "414"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)", "431"),
            ("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", "431"),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n"
                    + String(repeating: "a", count: 64) + "\r\n40\r\n", "413"
            ),
        ]
        for (text, status) in cases {
            for size in [1, 10, 5000] {
                #expect(events(text, size: size, limits: limits) == [status])
            }
        }
    }
}
