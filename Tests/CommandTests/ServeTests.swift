import Foundation
import HTTP
import JSON
import Posix
import TestSupport
import Testing

/// A stack that is kept alive, as a user keeps it.
@Suite struct ServeTests {
    let folder: TemporaryFolder

    private static let worker = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/functions/worker").path

    init() throws { folder = try TemporaryFolder("serve") }

    func run(_ arguments: [String], input: String = "") throws -> BuiltExecutable.Result {
        try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", arguments, in: folder.path, input: input,
            inheritingPath: true)
    }

    /// One function, and the queue that it takes messages from.
    func deploy(handler: String = "handle", timeout: Int = 20, security: String = "") throws {
        let stack = """
            {"lambdas": {"Worker": {"runtime": "python3", "handler": "handler.\(handler)",
              "code": "\(Self.worker)", "timeout": \(timeout),
              "policies": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
              "triggers": [{"queue": "Work"}]}},
             "queues": {"Work": {"visibilityTimeout": 30}, "Free": {}}\(security)}
            """
        try FileSystem.replace(folder.path + "/stack.json", with: Array(stack.utf8))
        let result = try run(["deploy", "--quiet"])
        try #require(result.status == 0, "\(result.error)")
    }

    /// Batches that the worker has logged.
    func batches() throws -> Int {
        try run(["logs", "Worker", "--filter", "batch"]).output.split(separator: "\n").count
    }

    func hasDelivered(_ count: Int) -> Bool { eventually { (try? batches()) == count } }

    @Test("it says where it listens, answers there, and ends with 0")
    func life() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        #expect(serve.record["pid"] == .int(Int64(serve.pid)))
        let health = try serve.get("/_msorch/health")
        #expect(health.status == 200 && health.body == Array(#"{"status":"ok"}"#.utf8))
        #expect(try serve.get("/_msorch/nothing").status == 404)
        #expect(try serve.get("/nothing", on: serve.gateway).status == 403)
        #expect(serve.end(by: SIGTERM) == 0)
        #expect(!FileSystem.exists(folder.path + "/.msorch/run/serve.json"))
        #expect(throws: HTTPClient.Failure.self) { try serve.get("/_msorch/health") }
    }

    @Test("a foreign Host and a page of another origin get nothing")
    func browsers() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path, ["--allow-host", "orch"])
        func status(_ client: HTTPClient, _ headers: HTTPHeaders) throws -> Int {
            try client.send(
                HTTPRequest(method: "GET", target: "/_msorch/health", headers: headers),
                timeout: .seconds(20)
            ).status
        }
        #expect(try status(serve.endpoint, ["Host": "evil.example"]) == 421)
        #expect(try status(serve.gateway, ["Host": "evil.example"]) == 421)
        #expect(try status(serve.endpoint, ["Host": "orch"]) == 200)
        #expect(try status(serve.endpoint, ["Origin": "http://evil.example"]) == 403)
    }

    @Test("IPv6, too")
    func loopbackSix() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path, ["--host", "::1"])
        #expect(serve.endpointURL.hasPrefix("http://[::1]:"))
        #expect(try serve.get("/_msorch/health").status == 200)
    }

    @Test("a second one on the same state is refused and told of the first")
    func second() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        let result = try run(["serve", "--port", "0", "--gateway-port", "0"])
        #expect(result.status == 4)
        #expect(result.error.contains("by process \(serve.pid) at \(serve.endpointURL)"))
    }

    @Test("a busy port names who has it")
    func busyPort() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        let other = try TemporaryFolder("serve")
        try FileSystem.replace(
            other.path + "/stack.json", with: Array(#"{"lambdas": {}, "queues": {}}"#.utf8))
        for arguments in [
            ["deploy"], ["serve", "--port", "\(serve.endpoint.port)", "--gateway-port", "0"],
        ] {
            let result = try BuiltExecutable.run(
                BuiltExecutable.folder + "/msorch", arguments, in: other.path)
            guard arguments[0] == "serve" else { continue }
            #expect(result.status == 4)
            #expect(
                result.error.contains(
                    "Port \(serve.endpoint.port) is in use by process \(serve.pid)."))
        }
    }

    @Test("mistakes are told before anything starts")
    func mistakes() throws {
        let without = try run(["serve"])
        #expect(without.status == 3 && without.error.contains("Nothing is deployed"))
        try deploy(security: #", "security": {"iam": "audit"}"#)
        let name = try run(["serve", "--host", "example.com"])
        #expect(name.status == 2 && name.error.contains("must be an address"))
        let open = try run(["serve", "--host", "0.0.0.0", "--port", "0"])
        #expect(open.status == 4 && open.error.contains("security.iam is audit"), "\(open)")
        #expect(try run(["serve", "--iam", "of"]).error.contains("Did you mean off?"))
    }

    @Test("messages are delivered as they come, whoever sends them")
    func delivery() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        #expect(try run(["send", "Work", #"{"id": 1}"#]).status == 0)
        #expect(hasDelivered(1), "\(serve.words)")
        #expect(try run(["send", "Work", #"{"id": 2}"#]).status == 0)
        #expect(hasDelivered(2), "\(serve.words)")
        let isEmpty = eventually {
            (try? run(["queue", "stats", "Work", "--output", "json"]).output)
                .map { $0.contains(#""visible":0,"inFlight":0"#) } ?? false
        }
        #expect(isEmpty)
        #expect(serve.end(by: SIGTERM) == 0)
        let metrics = try run(["metrics", "Worker"]).output
        #expect(metrics.contains("Invocations"), "\(metrics)")
    }

    @Test("SIGTERM lets an invocation that runs come to its end")
    func graceful() throws {
        try deploy(handler: "short")
        let serve = try RunningServe(in: folder.path)
        _ = try run(["send", "Work", #"{"id": 1}"#])
        let isRunning = eventually {
            ((try? run(["logs", "Worker", "--filter", "begun"]).output) ?? "").contains("begun")
        }
        #expect(isRunning, "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
        #expect(try run(["logs", "Worker", "--filter", "done"]).output.contains("done"))
        let left = try run(["queue", "stats", "Work", "--output", "json"]).output
        #expect(left.contains(#""visible":0,"inFlight":0"#), "\(left)")
    }

    @Test("a second signal hurries: the function ends, its message comes back")
    func hurried() throws {
        try deploy(handler: "slow")
        let serve = try RunningServe(in: folder.path)
        _ = try run(["send", "Work", #"{"id": 1}"#])
        let isRunning = eventually { ProcessTree.descendants(of: serve.pid).count >= 2 }
        #expect(isRunning)
        kill(serve.pid, SIGTERM)
        #expect(eventually { serve.words.contains("Stopping") })
        #expect(serve.end(by: SIGTERM) == 0)
        let left = try run(["queue", "stats", "Work", "--output", "json"]).output
        #expect(left.contains(#""inFlight":1"#) || left.contains(#""visible":1"#), "\(left)")
    }

    @Test("kill -9 loses nothing, and the next one goes on")
    func killed() throws {
        try deploy(handler: "slow")
        let serve = try RunningServe(in: folder.path)
        _ = try run(["send", "Work", "-"], input: #"{"id": 1}"# + "\n" + #"{"id": 2}"#)
        let isRunning = eventually { ProcessTree.descendants(of: serve.pid).count >= 2 }
        #expect(isRunning)
        #expect(serve.end(by: SIGKILL) == 137)
        let status = try run(["queue", "stats", "Work", "--output", "json"]).output
        let stats = try JSONValue.parse(status).arrayValue?.first
        let left = (stats?["visible"]?.intValue ?? 0) + (stats?["inFlight"]?.intValue ?? 0)
        #expect(left == 2, "\(status)")
        let next = try RunningServe(in: folder.path)
        #expect(try next.get("/_msorch/health").status == 200)
        #expect(next.end(by: SIGTERM) == 0)
    }

    @Test("a deploy takes over without a restart, and no request is dropped meanwhile")
    func deployWhileServing() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        _ = try run(["send", "Work", #"{"id": 1}"#])
        #expect(hasDelivered(1), "\(serve.words)")
        let answers = ThreadCondition<(ok: Int, other: Int, isOver: Bool)>((0, 0, false))
        let endpoint = serve.endpoint
        let client = try Thread(name: "client") {
            while !answers.withLock({ $0.isOver }) {
                let request = HTTPRequest(method: "GET", target: "/_msorch/health")
                let status = (try? endpoint.send(request, timeout: .seconds(20)))?.status
                answers.withLock { if status == 200 { $0.ok += 1 } else { $0.other += 1 } }
            }
        }
        try deploy(handler: "short")
        #expect(eventually { serve.words.contains("took over") }, "\(serve.words)")
        _ = try run(["send", "Work", #"{"id": 2}"#])
        #expect(hasDelivered(2), "\(serve.words)")
        answers.withLock { $0.isOver = true }
        client.join()
        #expect(answers.withLock { $0.other } == 0 && answers.withLock { $0.ok } > 0)
        #expect(serve.end(by: SIGTERM) == 0)
    }
}
