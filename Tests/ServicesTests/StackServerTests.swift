import Foundation
import HTTP
import JSON
import Journal
import Posix
import QueueModel
import StackModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// A server without functions, in this process.
@Suite struct StackServerTests {
    private let fixture: HostFixture

    init() throws { fixture = try HostFixture("server") }

    private func deployment(_ milliseconds: Int64) -> Deployment {
        Deployment(
            stateDirectory: fixture.folder.path,
            stack: Stack(json: ["name": "shop", "lambdas": [:], "queues": [:]]), code: [:],
            deployedAt: Timestamp(milliseconds: milliseconds), removing: [])
    }

    private func server(
        _ options: ServerOptions, warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> StackServer {
        try CredentialStore(stateDirectory: fixture.folder.path).ensure(["developer"])
        return try StackServer(
            deployment(1), queues: fixture.queues, options: options, clock: fixture.clock.clock,
            guardExecutable: "",
            monitor: Monitor(stateDirectory: fixture.folder.path, clock: fixture.clock.clock),
            warn: warn)
    }

    @Test("what was deployed just before the end takes nothing over any more")
    func lateDeployment() throws {
        var options = ServerOptions()
        options.deliversMessages = true
        let server = try server(options)
        #expect(try server.replace(by: deployment(2)))
        let last = server.runtime
        #expect(last.deployment.deployedAt.milliseconds == 2)
        server.finish { false }
        #expect(try !server.replace(by: deployment(3)))
        #expect(server.runtime === last)
    }

    @Test("what guards that were killed left behind goes also while a server runs")
    func abandoned() throws {
        let server = try server(ServerOptions())
        defer { server.stop() }
        let folder = fixture.folder.path + "/run/environments"
        for name in ["old", "new"] { try FileSystem.makeDirectory("\(folder)/\(name)/cache") }
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -120)],
            ofItemAtPath: folder + "/old")
        Housekeeping(server).keepHouse()
        #expect(try FileSystem.list(folder) == ["new"])
    }

    @Test("a queue that is damaged is told of in the command line's words, once")
    func damaged() throws {
        try fixture.queues.create("Q", QueueSettings())
        for body in ["a", "b"] {
            _ = try fixture.queues.queue("Q").send([
                SendEntry(escapedBody: Array(body.utf8), size: 1)
            ])
        }
        try fixture.queues.queue("Q").settle()
        fixture.queues.forget("Q")
        let path = "\(fixture.folder.path)/queues/Q/\(SegmentName.file(1))"
        var bytes = try FileSystem.read(path)
        bytes[try #require(bytes.firstIndex(of: 0x0A)) + 9] ^= 1
        try FileSystem.replace(path, with: bytes)
        let words = Mutex<[String]>([])
        let server = try server(ServerOptions()) { word in words.withLock { $0.append(word) } }
        defer { server.stop() }
        let housekeeping = Housekeeping(server)
        for _ in 0..<2 { housekeeping.keepHouse() }
        let offset = try #require(bytes.firstIndex(of: 0x0A)) + 1
        #expect(
            words.withLock { $0 } == [
                "The queue Q cannot be looked after: \(path) is damaged at byte \(offset): "
                    + "the record fails its checksum"
            ])
    }

    @Test("each deployment waits for requests that stand in the line of one before the last")
    func twoDeployments() throws {
        var options = ServerOptions()
        options.gatewayPort = 0
        let server = try server(options)
        let pool = try #require(server.gatewayHost).pool
        let mayGoOn = ThreadCondition(false)
        for _ in 0..<max(2, ProcessEnvironment.processorCount) {
            pool.execute { mayGoOn.wait { $0 ? () : nil } }
        }
        let gateway = try #require(server.gateway)
        let url = try #require(server.gatewayURL)
        let client = try #require(HTTPClient(url: url))
        let thread = try Thread(name: "client") {
            _ = try? client.send(
                HTTPRequest(method: "GET", target: "/", headers: ["Host": client.authority]),
                timeout: .seconds(30))
        }
        #expect(eventually { !gateway.waitForAnswers(upTo: .zero) })
        #expect(try server.replace(by: deployment(2)))
        #expect(try server.replace(by: deployment(3)))
        #expect(server.retiring.wait(upTo: .seconds(1)) { $0 < 2 ? true : nil } == nil)
        mayGoOn.withLock { $0 = true }
        mayGoOn.signal()
        thread.join()
        #expect(server.retiring.wait(upTo: .seconds(30)) { $0 == 0 ? true : nil } == true)
        server.finish { false }
    }

    @Test("a request that no handler sees has its line, with what was understood of it")
    func refused() throws {
        var options = ServerOptions()
        options.gatewayPort = 0
        options.logsRequests = true
        let server = try server(options)
        let urls = [server.endpointURL, try #require(server.gatewayURL)]
        let ports = try urls.map { try #require(HTTPClient(url: $0)).port }
        for port in ports {
            for text in [
                "\u{16}\u{3}", "GET /a HTTP/9.9\r\n", "GET /b?secret HTTP/1.1\r\nx\r\n",
            ] {
                let client = try RawClient(port: port)
                client.send(text)
                #expect(client.isEnded())
            }
        }
        server.finish { false }
        let folder = fixture.folder.path + "/requests"
        let file = try #require(try FileSystem.list(folder).first)
        let lines = try FileSystem.read("\(folder)/\(file)").split(separator: 0x0A)
            .map { try JSONValue.parse(Array($0)) }
        let said = lines.map { line in
            let status = line["status"]?.intValue ?? 0
            return "\(line["method"]?.stringValue ?? "?") \(line["path"]?.stringValue ?? "?") "
                + "\(status) \(line["port"]?.intValue ?? 0)"
        }
        #expect(
            said
                == ports.flatMap {
                    ["  400 \($0)", "  505 \($0)", "GET /b 400 \($0)"]
                })
    }
}
