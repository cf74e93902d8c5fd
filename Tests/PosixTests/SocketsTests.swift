import Posix
import Testing

@Suite struct SocketsTests {
    /// What a new socket has on this machine.
    private var usual: String {
        get throws {
            let path = "/proc/sys/net/ipv4/tcp_congestion_control"
            let name = String(decoding: try FileSystem.read(path), as: UTF8.self)
            return String(name.prefix { !$0.isNewline })
        }
    }

    @Test("on the loopback nobody paces: neither who connects nor who is accepted")
    func unpaced() throws {
        for host in ["127.0.0.1", "::1"] {
            let listener = try Sockets.listen(host: host, port: 0)
            let client = try Sockets.connect(host: host, port: Sockets.port(of: listener))
            let isCalled = Sockets.wait(listener, .read, milliseconds: 5000)
            #expect(isCalled)
            guard let served = try Sockets.accept(listener) else {
                Issue.record("nobody was accepted on \(host)")
                continue
            }
            let found = [
                Sockets.congestionControl(of: client), Sockets.congestionControl(of: served),
            ]
            #expect(found == ["reno", "reno"])
        }
    }

    @Test("on any other address it is as the machine has it")
    func elsewhere() throws {
        let listener = try Sockets.listen(host: "0.0.0.0", port: 0)
        let found = Sockets.congestionControl(of: listener)
        #expect(try found == usual)
    }
}
