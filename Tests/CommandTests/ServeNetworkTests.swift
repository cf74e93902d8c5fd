import Foundation
import HTTP
import JSON
import Posix
import TestSupport
import Testing

/// Where a `serve` is reached, and what becomes of who comes when there is no room.
@Suite struct ServeNetworkTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder("network")
        let stack = #"{"lambdas": {}, "queues": {"Work": {}}, "security": {"iam": "off"}}"#
        try FileSystem.replace(folder.path + "/stack.json", with: Array(stack.utf8))
        let result = try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", ["deploy", "--quiet"], in: folder.path)
        try #require(result.status == 0, "\(result.error)")
    }

    private func health(_ host: String, _ port: UInt16, as name: String? = nil) throws -> Int {
        var request = HTTPRequest(method: "GET", target: "/_msorch/health")
        if let name { request.headers["Host"] = name }
        return try HTTPClient(host: host, port: port).send(request, timeout: .seconds(20)).status
    }

    @Test("both loopback addresses answer, on both ports, by every name that they have")
    func loopback() throws {
        let serve = try RunningServe(in: folder.path)
        #expect(serve.endpointURL == "http://127.0.0.1:\(serve.endpoint.port)")
        for host in ["127.0.0.1", "::1"] {
            let port = serve.endpoint.port
            #expect(try health(host, port) == 200)
            for name in ["[::1]:\(port)", "localhost:\(port)", "127.0.0.1:\(port)", "[::1]"] {
                #expect(try health(host, port, as: name) == 200, "\(host) \(name)")
            }
            for name in ["[::2]x:\(port)", "localhost.evil.example", "[localhost]"] {
                #expect(try [400, 421].contains(health(host, port, as: name)), "\(host) \(name)")
            }
            let gateway = serve.gateway.port
            #expect(try health(host, gateway) == 403)
            #expect(try health(host, gateway, as: "localhost:\(gateway)") == 403)
            #expect(try health(host, gateway, as: "evil.example") == 421)
        }
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("a queue's URL names the address by which the client came, and works there")
    func queueURL() throws {
        let serve = try RunningServe(in: folder.path)
        let port = serve.endpoint.port
        let client = HTTPClient(host: "::1", port: port)
        let found = try client.send(
            HTTPRequest(method: "GET", target: "/?Action=GetQueueUrl&QueueName=Work"),
            timeout: .seconds(20))
        let text = String(decoding: found.body, as: UTF8.self)
        let url = "http://[::1]:\(port)/123456789012/Work"
        #expect(text.contains("<QueueUrl>\(url)</QueueUrl>"), "\(text)")
        let body = #"{"QueueUrl":"\#(url)","MessageBody":"six"}"#
        let sent = try client.send(
            HTTPRequest(
                method: "POST", target: "/",
                headers: [
                    "X-Amz-Target": "AmazonSQS.SendMessage",
                    "Content-Type": "application/x-amz-json-1.0",
                ], body: Array(body.utf8)), timeout: .seconds(20))
        #expect(sent.status == 200)
    }

    @Test(
        "one address alone, if it is named",
        arguments: [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
    func oneAddress(named: String, other: String) throws {
        let serve = try RunningServe(in: folder.path, ["--host", named])
        #expect(try health(named, serve.endpoint.port) == 200)
        for port in [serve.endpoint.port, serve.gateway.port] {
            #expect(throws: HTTPClient.Failure.self) { try health(other, port) }
        }
    }

    @Test("every address of a family is reached by its loopback", arguments: ["0.0.0.0", "::"])
    func wildcard(host: String) throws {
        let serve = try RunningServe(in: folder.path, ["--host", host, "--insecure"])
        #expect(try serve.get("/_msorch/health").status == 200)
        #expect(try serve.get("/", on: serve.gateway).status == 403)
    }

    @Test("a port that is taken on one of the two addresses is taken")
    func taken() throws {
        let other = try HTTPListener.open("::1", 0)
        let result = try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch",
            ["serve", "--port", "\(other[0].port)", "--gateway-port", "0"], in: folder.path)
        #expect(result.status == 4 && result.error.contains("is in use by process"), "\(result)")
    }

    private static let poll =
        "GET /123456789012/Work?Action=ReceiveMessage&WaitTimeSeconds=20 HTTP/1.1\r\n"
        + "Host: localhost\r\n\r\n"

    @Test("who leaves while it waits for a message leaves nothing behind")
    func leaving() throws {
        let serve = try RunningServe(in: folder.path)
        let port = serve.endpoint.port
        let half = try RawClient(port: port)
        half.send(Self.poll)
        half.endWriting()
        #expect(half.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "), "it still reads")
        _ = try serve.get("/123456789012/Work?Action=SendMessage&MessageBody=late")
        #expect(half.read(until: "</ReceiveMessageResponse>").contains("<Body>late</Body>"))
        #expect(half.isEnded())
        let before = try descriptors(of: serve.pid).count
        var clients: [RawClient] = []
        for _ in 0..<50 {
            let client = try RawClient(port: port)
            client.send(Self.poll)
            clients.append(client)
        }
        let areThere = eventually {
            (try? descriptors(of: serve.pid).count).map { $0 >= before + 45 } ?? false
        }
        #expect(areThere)
        clients = []
        let areGone = eventually {
            (try? descriptors(of: serve.pid).count).map { $0 < before + 10 } ?? false
        }
        #expect(areGone)
    }

    @Test("ten thousand idle connections cost little, and all of them go on")
    func manyIdle() throws {
        let serve = try RunningServe(in: folder.path)
        ProcessEnvironment.raiseFileLimit()
        let before = try descriptors(of: serve.pid).count
        let most = min(10_000, ProcessEnvironment.fileLimit / 2 - 100)
        // On a machine that is very busy the first would have been idle for too long by the end.
        let end = SystemClock.monotonicNanoseconds() + 60_000_000_000
        let ask = "GET /_msorch/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let ok = #"{"status":"ok"}"#
        let memory = try residentKiB(of: serve.pid)
        var clients: [RawClient] = []
        for number in 0..<most where number < 1000 || SystemClock.monotonicNanoseconds() < end {
            let host = number.isMultiple(of: 2) ? "127.0.0.1" : "::1"
            let client = try RawClient(host: host, port: serve.endpoint.port)
            client.send(ask)
            try #require(client.read(until: ok).contains(ok), "\(number)")
            clients.append(client)
        }
        let count = clients.count
        let open = try descriptors(of: serve.pid).count
        // Not beside those before: of the files of its start some may have been open then.
        #expect(open >= count, "\(before) before")
        let each = Double(try residentKiB(of: serve.pid) - memory) / Double(count)
        // A sanitizer keeps room around each piece, and what was freed.
        if ProcessEnvironment.value("MSORCH_SANITIZER") == nil {
            #expect(each < 4, "KiB a connection: \(each)")
        }
        let used = try ticks(of: serve.pid)
        let start = SystemClock.monotonicNanoseconds()
        _ = eventually { SystemClock.monotonicNanoseconds() - start > 1_000_000_000 }
        #expect(try ticks(of: serve.pid) - used < 20, "nobody looks through all of them")
        for client in clients {
            client.send(ask)
            try #require(client.read(until: ok).contains(ok))
        }
        clients = []
        let areGone = eventually {
            (try? descriptors(of: serve.pid).count).map { $0 < before + 10 } ?? false
        }
        #expect(areGone)
    }

    // MARK: descriptors

    private func residentKiB(of process: Int32) throws -> Int {
        let text = String(decoding: try FileSystem.read("/proc/\(process)/status"), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    /// What a process has open: how many, and the highest number.
    private func descriptors(of process: Int32) throws -> (count: Int, highest: Int) {
        let numbers = try FileSystem.list("/proc/\(process)/fd").compactMap { Int($0) }
        return (numbers.count, numbers.max() ?? 0)
    }

    /// Clock ticks of processor time that a process has used.
    private func ticks(of process: Int32) throws -> Int {
        let text = String(decoding: try FileSystem.read("/proc/\(process)/stat"), as: UTF8.self)
        // utime and stime are the 14th and 15th; the second may hold blanks.
        let words = text.split(separator: ")").last?.split(separator: " ") ?? []
        return (Int(words[11]) ?? 0) + (Int(words[12]) ?? 0)
    }

    /// Whether no thread of a process runs, or would if there was a processor.
    private func isAsleep(_ process: Int32) throws -> Bool {
        try FileSystem.list("/proc/\(process)/task").allSatisfy { thread in
            let path = "/proc/\(process)/task/\(thread)/stat"
            let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
            // The state follows the name, which may hold blanks.
            return text.split(separator: ")").last?.split(separator: " ").first == "S"
        }
    }

    @Test("without descriptors who is there is served, who is idle gives way, who comes waits")
    func descriptors() throws {
        let serve = try RunningServe(in: folder.path)
        let port = serve.endpoint.port
        let ask = "GET /_msorch/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let ok = #"{"status":"ok"}"#
        func isServed(_ client: RawClient) -> Bool {
            client.send(ask) && client.read(until: ok).contains(ok)
        }
        // It opens what it needs for a first poll.
        let first = try RawClient(port: port)
        first.send(Self.poll)
        let isOpen = eventually {
            let folder = "/proc/\(serve.pid)/fd"
            return (try? FileSystem.list(folder))?.contains { file in
                FileSystem.linkTarget("\(folder)/\(file)")?.contains("/queues/Work/") ?? false
            } ?? false
        }
        try #require(isOpen)
        // So many more, and no gap below them that could be used.
        let room = 6
        let before = try descriptors(of: serve.pid)
        let gaps = before.highest + 1 - before.count
        let limit = before.highest + 1 + room
        let lowered = try BuiltExecutable.run(
            "/usr/bin/prlimit", ["--pid", "\(serve.pid)", "--nofile=\(limit):\(limit)"],
            in: folder.path)
        try #require(lowered.status == 0, "\(lowered.error)")

        // Half of the room is taken by polls, all the rest by idle ones.
        var polls: [RawClient] = []
        for _ in 0..<room / 2 {
            let client = try RawClient(port: port)
            client.send(Self.poll)
            polls.append(client)
        }
        var idle: [RawClient] = []
        for _ in 0..<room + gaps + 10 {
            let client = try RawClient(port: port)
            #expect(isServed(client))
            idle.append(client)
        }
        #expect(try descriptors(of: serve.pid).highest < limit)
        #expect(idle[0].isEnded(), "who has been idle longest gave way")
        #expect(isServed(try #require(idle.last)))

        // Everybody who is there waits for a message: whoever comes now has to wait.
        for client in idle { client.send(Self.poll) }
        let isFull = eventually {
            (try? descriptors(of: serve.pid).count) == limit
        }
        #expect(isFull)
        // Who spins never sleeps; who does not does so again and again. Before the polls are read
        // those that sent them are idle, and would give way.
        func isAtRest() -> Bool {
            eventually { (0..<20).allSatisfy { _ in (try? isAsleep(serve.pid)) ?? false } }
        }
        try #require(isAtRest())
        let late = try RawClient(port: port)
        late.send(ask)
        #expect(isAtRest(), "it does not spin")
        #expect(late.read(until: ok, milliseconds: 100).isEmpty)

        // As soon as there is room, they are served.
        polls.removeFirst()
        #expect(late.read(until: ok).contains(ok))
        #expect(serve.end(by: SIGTERM) == 0)
    }
}
