import Foundation
import HTTP
import JSON
import Posix
import Services
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
    func deploy(
        handler: String = "handle", timeout: Int = 20, security: String = "",
        authorization: String = "none"
    ) throws {
        let stack = """
            {"lambdas": {"Worker": {"runtime": "python3", "handler": "handler.\(handler)",
              "code": "\(Self.worker)", "timeout": \(timeout),
              "policies": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
              "triggers": [{"queue": "Work"}]}},
             "queues": {"Work": {"visibilityTimeout": 30}, "Free": {},
              "Giver": {"redrive": {"deadLetterQueue": "Dead", "maxReceiveCount": 5}}, "Dead": {}},
             "routes": {"POST /work": {"lambda": "Worker", "authorization": "\(authorization)"}}\(security)}
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

    @Test("what a killed process has left on its way to a dead-letter queue arrives as it starts")
    func arrivals() throws {
        try deploy()
        #expect(try run(["send", "Giver", "m"]).status == 0)
        let receive = ["queue", "receive", "Giver", "--visibility-timeout", "0"]
        for _ in 0..<5 { #expect(try run(receive).status == 0) }
        let killed = try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", receive, in: folder.path,
            environment: ["MSORCH_CRASH": "before-take:1"])
        #expect(killed.status == 137)
        let serve = try RunningServe(in: folder.path)
        let journal = folder.path + "/.msorch/queues/Dead/00000000000000000001.jsonl"
        let hasArrived = eventually {
            let bytes = (try? FileSystem.read(journal)) ?? []
            return bytes.firstRange(of: Array("\"op\":\"take\"".utf8)) != nil
        }
        #expect(hasArrived)
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("it gives back the room that it has prepared in queues' files")
    func room() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path, ["--iam", "off"])
        let journal = folder.path + "/.msorch/queues/Free/00000000000000000001.jsonl"
        func hasRoom() throws -> Bool { try FileSystem.read(journal).suffix(2) == [0x0A, 0x0A] }
        let body = #"{"QueueUrl":"\#(serve.endpointURL)/123456789012/Free","MessageBody":"m"}"#
        for _ in 0..<20 {
            let sent = try serve.endpoint.send(
                HTTPRequest(
                    method: "POST", target: "/",
                    headers: [
                        "X-Amz-Target": "AmazonSQS.SendMessage",
                        "Content-Type": "application/x-amz-json-1.0",
                    ], body: Array(body.utf8)), timeout: .seconds(20))
            #expect(sent.status == 200)
        }
        #expect(eventually { (try? hasRoom()) == true })
        #expect(serve.end(by: SIGTERM) == 0)
        #expect(try !hasRoom())
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
        let ready = folder.path + "/ready.json"
        for (pid, isLeft) in [(serve.pid, true), (1, false)] {
            try FileSystem.replace(ready, with: readyLine(pid))
            let result = try run(
                ["serve", "--port", "0", "--gateway-port", "0", "--ready-file", "ready.json"])
            #expect(result.status == 4)
            #expect(result.error.contains("by process \(serve.pid) at \(serve.endpointURL)"))
            #expect(FileSystem.exists(ready) == isLeft)
        }
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

    @Test("no deployment opens a door to other machines that its serve would not have opened")
    func opening() throws {
        try deploy(authorization: "iam")
        let open = try run(["serve", "--host", "0.0.0.0", "--iam", "audit", "--port", "0"])
        #expect(open.status == 4 && open.error.contains("security.iam is audit"), "\(open)")
        let serve = try RunningServe(in: folder.path, ["--host", "0.0.0.0"])
        #expect(try serve.get("/?Action=ListQueues").status == 403)
        for (security, authorization, word) in [
            (#", "security": {"iam": "off"}"#, "iam", "security.iam is off"),
            ("", "none", "such as 'POST /work'"),
        ] {
            try deploy(security: security, authorization: authorization)
            let isTold = eventually { serve.words.contains(word) }
            #expect(isTold, "\(serve.words)")
            #expect(try serve.get("/?Action=ListQueues").status == 403)
        }
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("what says that it is ready is looked at before anything starts, and named as typed")
    func readySignal() throws {
        try deploy()
        for (arguments, words) in [
            (["--ready-file", "nowhere/ready"], "--ready-file nowhere/ready cannot be written"),
            (["--ready-file", "/proc/ready"], "--ready-file /proc/ready cannot be written"),
            (["--ready-file", "."], "--ready-file . is a folder"),
            (["--ready-fd", "977"], "--ready-fd 977 is not open for writing"),
        ] {
            let result = try run(["serve", "--port", "0", "--gateway-port", "0"] + arguments)
            #expect(result.error.contains(words) && !result.error.contains(".new-"), "\(result)")
            #expect(result.output.isEmpty, "nobody is told of ports that are gone")
            // Only when it is tried root hears of a file system that refuses.
            #expect((arguments[1] == "/proc/ready" ? [2, 74] : [2]).contains(result.status))
        }
        let shell = try BuiltExecutable.run(
            "/bin/sh", ["-c", "msorch serve --port 0 --gateway-port 0 --ready-fd 3 3<stack.json"],
            in: folder.path)
        #expect(shell.status == 2 && shell.error.contains("--ready-fd 3 is not open for writing"))
    }

    @Test("standard streams that hear that it is ready stay open", arguments: [1, 2])
    func readyOnStandardStream(number: Int) throws {
        try deploy()
        let ready = "\(folder.path)/ready.json"
        let result = try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch",
            [
                "serve", "--port", "0", "--gateway-port", "0", "--ready-file", ready,
                "--ready-fd", "\(number)",
            ], in: folder.path, inheritingPath: true,
            onStart: { process in
                _ = eventually { FileSystem.exists(ready) }
                kill(process, SIGTERM)
            })
        #expect(result.status == 0, "\(result)")
        #expect((number == 1 ? result.output : result.error).hasPrefix("{\"pid\":"), "\(result)")
        #expect(result.output.hasSuffix("\nready\n"), "\(result)")
        #expect(result.error.hasSuffix("Stopping; a second signal hurries.\n"), "\(result)")
    }

    /// What a `serve` says when it is ready.
    private func readyLine(_ pid: Int32) -> [UInt8] {
        ServerRecord(
            process: pid, endpointURL: "http://127.0.0.1:1", gatewayURL: "http://127.0.0.1:2",
            started: Timestamp(milliseconds: 0)
        ).json.serialized().utf8 + [UInt8(ascii: "\n")]
    }

    @Test("a file that no serve has written is not replaced, nor is a symbolic link")
    func othersReadyFile() throws {
        try deploy()
        let link = folder.path + "/link"
        #expect(symlink("ready.json", link) == 0)
        let notes = folder.path + "/notes"
        try FileSystem.replace(notes, with: readyLine(1) + readyLine(1))
        for (file, words) in [
            ("stack.json", "is there already, and no serve has written it"),
            ("notes", "is there already, and no serve has written it"),
            ("link", "is a symbolic link"),
        ] {
            let path = "\(folder.path)/\(file)"
            let before = try? FileSystem.read(path)
            let result = try run(
                ["serve", "--port", "0", "--gateway-port", "0", "--ready-file", file])
            #expect(result.status == 2 && result.error.contains("--ready-file \(file) \(words)"))
            #expect(result.error.contains("hint: Nothing was started."), "\(result)")
            #expect((try? FileSystem.read(path)) == before)
        }
        #expect(FileSystem.linkTarget(link) == "ready.json")
    }

    @Test("an empty file is as good as none: mktemp makes one")
    func emptyReadyFile() throws {
        let ready = folder.path + "/ready.json"
        try FileSystem.replace(ready, with: [])
        #expect(try run(["serve", "--port", "0", "--ready-file", "ready.json"]).status == 3)
        #expect(!FileSystem.exists(ready))
    }

    @Test("devices and pipes are written to, and stay", arguments: [false, true])
    func readyStream(isReadLater: Bool) throws {
        try deploy()
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let (open, close) = isReadLater ? ("", "") : ("exec 4<>pipe; ", "exec 4<&-; ")
        let script = """
            \(open)ln -s /dev/stdout out
            msorch serve --port 0 --gateway-port 0 --ready-file pipe >words 2>&1 & pid=$!
            read line <pipe; echo "$line"; \(close)kill $pid; wait $pid || exit 1
            msorch serve --port 0 --gateway-port 0 --ready-file out 2>words | {
                read line; echo "$line"; kill $(echo "$line" | tr -dc 0-9, | cut -d, -f1)
                cat >rest; }
            test -p pipe && test -h out && test -c /dev/null
            """
        let result = try BuiltExecutable.run(
            "/bin/sh", ["-c", script], in: folder.path, inheritingPath: true)
        #expect(result.status == 0, "\(result)")
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("{\"pid\":") }, "\(result)")
    }

    @Test("what an earlier serve said of its ports is gone as soon as the next one begins")
    func staleReadyFile() throws {
        let ready = folder.path + "/ready.json"
        try FileSystem.replace(ready, with: readyLine(1))
        // With nothing deployed, it does not get any further.
        #expect(try run(["serve", "--port", "0", "--ready-file", "ready.json"]).status == 3)
        #expect(!FileSystem.exists(ready))
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

    @Test("a terminal that is closed ends it as SIGTERM does, however often that is said")
    func hangUp() throws {
        try deploy(handler: "short")
        let serve = try RunningServe(in: folder.path)
        _ = try run(["send", "Work", #"{"id": 1}"#])
        let isRunning = eventually {
            ((try? run(["logs", "Worker", "--filter", "begun"]).output) ?? "").contains("begun")
        }
        #expect(isRunning, "\(serve.words)")
        kill(serve.pid, SIGHUP)
        try #require(eventually { serve.words.contains("Stopping") })
        kill(serve.pid, SIGHUP)
        #expect(serve.end(by: SIGHUP) == 0)
        #expect(try run(["logs", "Worker", "--filter", "done"]).output.contains("done"))
        #expect(!FileSystem.exists(folder.path + "/.msorch/run/serve.json"))
    }

    @Test("one that nohup starts outlives the terminal")
    func noHangUp() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path, ignoring: SIGHUP)
        kill(serve.pid, SIGHUP)
        #expect(try serve.get("/_msorch/health").body == Array(#"{"status":"ok"}"#.utf8))
        #expect(serve.end(by: SIGTERM) == 0)
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

    @Test("why a deployment cannot take over is told in words")
    func unusableDeployment() throws {
        try deploy()
        let state = folder.path + "/.msorch"
        let json = String(decoding: try FileSystem.read(state + "/deployment.json"), as: UTF8.self)
        let serve = try RunningServe(in: folder.path)
        func isTold(_ reason: String) -> Bool {
            eventually { serve.words.contains("/.msorch/\(reason)\n") }
        }
        try FileSystem.replace(state + "/credentials", with: Array("[]".utf8))
        let later = json.replacing(#""deployedAt": "2"#, with: #""deployedAt": "3"#)
        try #require(later != json)
        try FileSystem.replace(state + "/deployment.json", with: Array(later.utf8))
        let isKeyTold = isTold("credentials cannot be used: it is no JSON object")
        #expect(isKeyTold, "\(serve.words)")
        try FileSystem.replace(state + "/deployment.json", with: Array(#"{"format": 9}"#.utf8))
        let isFormatTold = isTold(
            "deployment.json cannot be used: it is of another version of msorch")
        #expect(isFormatTold, "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
    }

    /// SQS by its JSON protocol, where signatures are off.
    private func receive(
        _ queue: String, on endpoint: HTTPClient
    ) throws(HTTPClient.Failure) -> HTTPResponse {
        let url = "https://sqs.us-east-1.amazonaws.com/123456789012/\(queue)"
        return try endpoint.send(
            HTTPRequest(
                method: "POST", target: "/",
                headers: [
                    "X-Amz-Target": "AmazonSQS.ReceiveMessage",
                    "Content-Type": "application/x-amz-json-1.0",
                ], body: Array("{\"QueueUrl\":\"\(url)\",\"WaitTimeSeconds\":20}".utf8)),
            timeout: .seconds(30))
    }

    /// Asks on another thread; `nil` while there is no answer.
    private func later(
        _ body: @escaping @Sendable () throws -> HTTPResponse
    ) throws -> ThreadCondition<HTTPResponse?> {
        let answer = ThreadCondition<HTTPResponse?>(nil)
        let thread = try Thread(name: "client") {
            let response = try? body()
            answer.withLock { $0 = response ?? HTTPResponse(0) }
            answer.signal()
        }
        thread.detach()
        return answer
    }

    @Test("a command that sends beside it wakes whoever polls on the endpoint")
    func wake() throws {
        try deploy(security: #", "security": {"iam": "off"}"#)
        let serve = try RunningServe(in: folder.path)
        let endpoint = serve.endpoint
        let answer = try later { try receive("Free", on: endpoint) }
        #expect(eventually { isPolled("Free") })
        let sent = SystemClock.monotonicNanoseconds()
        #expect(try run(["send", "Free", "hello"]).status == 0)
        let response = answer.wait(upTo: .seconds(20)) { $0 }
        let took = SystemClock.monotonicNanoseconds() - sent
        let body = String(decoding: response?.body ?? [], as: UTF8.self)
        #expect(body.contains("hello"), "\(body)")
        #expect(took < 4_000_000_000, "not by the look every five seconds")
        let log = try requests()
        let line = log.first { $0["operation"] == "ReceiveMessage" } ?? .null
        #expect(line["status"] == 200 && line["principal"] != nil, "\(log)")
    }

    private func requests() throws -> [JSONValue] {
        let folder = folder.path + "/.msorch/requests"
        var lines: [JSONValue] = []
        _ = eventually {
            for name in (try? FileSystem.list(folder)) ?? [] {
                let bytes = (try? FileSystem.read("\(folder)/\(name)")) ?? []
                lines += bytes.split(separator: 0x0A).compactMap { try? JSONValue.parse(Array($0)) }
            }
            return !lines.isEmpty
        }
        return lines
    }

    /// Whether somebody watches the queue's folder.
    private func isPolled(_ queue: String) -> Bool {
        let folder = folder.path + "/.msorch/queues/\(queue)"
        guard let inode = try? FileDescriptor(reading: folder).status().inode else { return false }
        let processes = (try? FileSystem.list("/proc")) ?? []
        let needle = "ino:\(String(inode, radix: 16)) "
        return processes.contains { process in
            let path = "/proc/\(process)/fdinfo"
            return ((try? FileSystem.list(path)) ?? []).contains { file in
                let text = (try? FileSystem.read("\(path)/\(file)")) ?? []
                return String(decoding: text, as: UTF8.self).contains(needle)
            }
        }
    }

    @Test("SIGTERM sends pollers home, and answers requests of the gateway that run")
    func farewell() throws {
        try deploy(handler: "short", security: #", "security": {"iam": "off"}"#)
        let serve = try RunningServe(in: folder.path)
        let (endpoint, gateway) = (serve.endpoint, serve.gateway)
        let poll = try later { try receive("Free", on: endpoint) }
        let call = try later {
            try gateway.send(
                HTTPRequest(
                    method: "POST", target: "/prod/work",
                    headers: ["Content-Type": "application/json"],
                    body: Array("{\"Records\":[]}".utf8)), timeout: .seconds(30))
        }
        let isRunning = eventually {
            isPolled("Free")
                && ((try? run(["logs", "Worker", "--filter", "begun"]).output) ?? "")
                    .contains("begun")
        }
        #expect(isRunning, "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
        #expect(poll.wait(upTo: .seconds(20)) { $0 }?.status == 200)
        #expect(call.wait(upTo: .seconds(20)) { $0 }?.status == 200)
    }

    @Test("a move task that a dead process left goes on")
    func moveTask() throws {
        try deploy()
        #expect(try run(["send", "Dead", "-"], input: "a\nb\nc").status == 0)
        let killed = try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch",
            ["queue", "redrive", "Dead", "--to", "Free", "--rate", "1"], in: folder.path
        ) { process in
            let isRunning = eventually {
                ((try? run(["queue", "redrive", "Dead", "--list", "--output", "json"]).output) ?? "")
                    .contains(#""isRun":true"#)
            }
            #expect(isRunning)
            kill(process, SIGKILL)
        }
        #expect(killed.status == 137)
        let serve = try RunningServe(in: folder.path)
        let isDone = eventually {
            ((try? run(["queue", "stats", "Free", "--output", "json"]).output) ?? "")
                .contains(#""visible":3"#)
        }
        #expect(isDone, "\(serve.words)")
        #expect(serve.words.contains("Going on with the move task of Dead."))
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("what runs when a deploy takes over comes to its end; the next call meets the new code")
    func oldInvocations() throws {
        try deploy(handler: "short", security: #", "security": {"iam": "off"}"#)
        let serve = try RunningServe(in: folder.path)
        let gateway = serve.gateway
        @Sendable func call() throws -> HTTPResponse {
            try gateway.send(
                HTTPRequest(
                    method: "POST", target: "/prod/work",
                    headers: ["Content-Type": "application/json"],
                    body: Array("{\"Records\":[]}".utf8)), timeout: .seconds(30))
        }
        let old = try later { try call() }
        let isRunning = eventually {
            ((try? run(["logs", "Worker", "--filter", "begun"]).output) ?? "").contains("begun")
        }
        #expect(isRunning, "\(serve.words)")
        try deploy(handler: "strange", security: #", "security": {"iam": "off"}"#)
        #expect(eventually { serve.words.contains("took over") })
        let new = try call()
        #expect(String(decoding: new.body, as: UTF8.self).contains("nobody knows"), "\(new)")
        let answer = old.wait(upTo: .seconds(20)) { $0 }
        #expect(answer?.status == 200 && answer?.body == Array("null".utf8), "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
    }
    @Test("what runs of old code when `serve` is asked to end comes to its end, too")
    func oldBatches() throws {
        try deploy(handler: "wait")
        let serve = try RunningServe(in: folder.path)
        let gate = folder.path + "/gate"
        _ = try run(["send", "Work", #"{"until": "\#(gate)"}"#])
        let isRunning = eventually {
            ((try? run(["logs", "Worker", "--filter", "begun"]).output) ?? "").contains("begun")
        }
        #expect(isRunning, "\(serve.words)")
        try deploy(handler: "strange")
        #expect(eventually { serve.words.contains("took over") })
        let hasEnded = ThreadCondition(false)
        serve.process.terminationHandler = { _ in
            hasEnded.withLock { $0 = true }
            hasEnded.signal()
        }
        kill(serve.pid, SIGTERM)
        #expect(hasEnded.wait(upTo: .seconds(2)) { $0 ? true : nil } == nil, "\(serve.words)")
        try FileSystem.replace(gate, with: [])
        #expect(hasEnded.wait(upTo: .seconds(20)) { $0 ? true : nil } == true)
        #expect(serve.process.terminationStatus == 0)
        let counts = try run(["queue", "stats", "Work", "--output", "json"]).output
        #expect(counts.contains(#""visible":0"#) && counts.contains(#""inFlight":0"#), "\(counts)")
    }
}
