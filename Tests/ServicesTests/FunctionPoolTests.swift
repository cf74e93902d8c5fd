import Crypto
import Foundation
import FunctionModel
import JSON
import Posix
import StackModel
import TestSupport
import Testing

@testable import Services

/// Functions as real processes: runtimes of the test's own, in Python, by the Runtime API.
@Suite struct FunctionPoolTests {
    typealias Outcome = Result<InvocationResult, InvocationError>

    /// What every runtime here begins with.
    private static let prelude = """
        #!/usr/bin/env python3
        import http.client, json, os, sys
        def call(method, path, body=None):
            server = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
            server.request(method, '/2018-06-01/runtime/' + path, body)
            return server
        def ask(): return call('GET', 'invocation/next')
        def take(server):
            answer = server.getresponse()
            return answer.headers['Lambda-Runtime-Aws-Request-Id'], answer.read()
        def respond(id, body):
            call('POST', f'invocation/{id}/response', body).getresponse().read()

        """

    /// A pool with one function.
    final class Fixture: Sendable {
        let folder: TemporaryFolder
        let clock = SteppedClock()
        let loop: EventLoop
        let host: FunctionHost
        let pool: FunctionPool
        let lines = ThreadCondition<[String]>([])
        /// Whether what it prints can be written.
        let hasRoom = ThreadCondition(true)

        init(_ script: String, _ more: JSONObject = [:], bearable: Int = 4) throws {
            folder = try TemporaryFolder("pool")
            let code = folder.path + "/code"
            try FileSystem.makeDirectory(code)
            let prelude = FunctionPoolTests.prelude
            let bootstrap = code + "/bootstrap"
            try FileSystem.replace(
                bootstrap,
                with: Array((script.hasPrefix("#!") ? script : prelude + script).utf8))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: bootstrap)
            var function: JSONObject = [
                "runtime": "provided", "handler": "h", "code": "code", "timeout": 30,
                "environment": ["FOLDER": .string(folder.path)],
            ]
            for (name, value) in more.members { function[name] = value }
            let stack = Stack(json: ["lambdas": ["F": .object(function)]])
            loop = try EventLoop(name: "test")
            host = FunctionHost(
                loop: loop, region: stack.region, endpointURL: "http://h",
                guardExecutable: BuiltExecutable.folder + "/msorch", runtimeFolder: folder.path,
                temporaryFolder: folder.path + "/run", clock: clock.clock,
                log: { [lines] line in
                    lines.withLock { if $0.count < 100_000 { $0.append(line.text) } }
                    lines.signal()
                }, hasRoomForLog: { [hasRoom] in hasRoom.withLock { $0 } })
            pool = FunctionPool(
                DeployedFunction(
                    definition: try #require(stack.function("F")), arn: "arn", taskRoot: code,
                    packages: nil, interpreter: nil,
                    credentials: Credentials(
                        accessKeyID: "a", secretAccessKey: "b", sessionToken: "c")),
                host, bearable: bearable)
        }

        deinit {
            stop()
            loop.shutdown()
        }

        /// Begins an invocation; `result` waits for it.
        func begin(_ payload: String, notAfter: Timestamp? = nil) -> ThreadCondition<Outcome?> {
            begin(Array(payload.utf8), notAfter: notAfter)
        }

        func begin(_ payload: [UInt8], notAfter: Timestamp? = nil) -> ThreadCondition<Outcome?> {
            let outcome = ThreadCondition<Outcome?>(nil)
            let request = InvocationRequest(
                requestID: RandomBytes.uuid(), payload: payload, traceID: "t", notAfter: notAfter)
            pool.invoke(request) { result in
                outcome.withLock { $0 = result }
                outcome.signal()
            }
            return outcome
        }

        /// Ends the pool; `false` if some of it is still there after a while.
        @discardableResult
        func stop() -> Bool {
            let isDone = ThreadCondition(false)
            pool.stop {
                isDone.withLock { $0 = true }
                isDone.signal()
            }
            return isDone.wait(upTo: .seconds(20)) { $0 ? true : nil } ?? false
        }

        func invoke(_ payload: String) throws -> InvocationResult {
            try Self.result(begin(payload))
        }

        static func result(_ outcome: ThreadCondition<Outcome?>) throws -> InvocationResult {
            try #require(outcome.wait(upTo: .seconds(60)) { $0 }, "it has not ended").get()
        }

        static func text(_ outcome: ThreadCondition<Outcome?>) throws -> String {
            String(decoding: try result(outcome).payload, as: UTF8.self)
        }
    }

    @Test("a runtime that asks again while it waits gets one invocation, and no other's answer")
    func asksAgain() throws {
        let fixture = try Fixture(
            """
            respond(*take(ask()))
            lost, server = ask(), ask()
            # Answered behind the two.
            call('GET', 'nowhere').getresponse().read()
            open(os.environ['FOLDER'] + '/asked', 'w').close()
            while True:
                respond(*take(server))
                server = ask()
            """)
        #expect(try fixture.invoke("0").payload == Array("0".utf8))
        let hasAsked = eventually { FileSystem.exists(fixture.folder.path + "/asked") }
        try #require(hasAsked)
        let outcomes = (1...3).map { fixture.begin("\($0)") }
        #expect(try outcomes.map(Fixture.text) == ["1", "2", "3"])
    }

    @Test("a function that prints without pause stops nobody, and its timeout holds")
    func printsWithoutPause() throws {
        let fixture = try Fixture(
            """
            take(ask())
            while True: os.write(1, b'\\n' * 65536)
            """, ["timeout": 1])
        let outcome = fixture.begin("0")
        let hasBegun = fixture.lines.wait(upTo: .seconds(30)) { $0.contains("") ? true : nil }
        try #require(hasBegun == true)
        let isRunning = ThreadCondition(false)
        fixture.loop.execute {
            isRunning.withLock { $0 = true }
            isRunning.signal()
        }
        #expect(isRunning.wait(upTo: .seconds(30)) { $0 ? true : nil } == true)
        #expect(try Fixture.result(outcome).failure == .timeout(seconds: 1))
    }

    @Test("a line without its end is in the log of the invocation that printed it")
    func unfinishedLines() throws {
        let fixture = try Fixture(
            """
            os.write(2, b'init')
            while True:
                id, body = take(ask())
                os.write(1, b'part' + body)
                os.write(2, b'error' + body)
                respond(id, body)
            """)
        let logs = try ["1", "2"].map { payload in
            try fixture.invoke(payload).log.map { String($0.text.prefix { $0 != " " }) }
        }
        #expect(logs[0] == ["init", "START", "part1", "error1", "END", "REPORT"])
        #expect(logs[1] == ["START", "part2", "error2", "END", "REPORT"])
    }

    @Test("who prints more than can be written waits, and nothing of it is lost")
    func waitsForRoom() throws {
        let fixture = try Fixture(
            """
            id, body = take(ask())
            for _ in range(64): os.write(1, b'x' * 65535 + b'\\n')
            open(os.environ['FOLDER'] + '/printed', 'w').close()
            respond(id, body)
            ask().getresponse()
            """)
        fixture.hasRoom.withLock { $0 = false }
        let outcome = fixture.begin("0")
        func waits(upTo limit: Duration, forLines count: Int) -> Bool {
            fixture.lines.wait(upTo: limit) {
                $0.count { $0.hasPrefix("x") } >= count ? true : nil
            } ?? false
        }
        try #require(waits(upTo: .seconds(30), forLines: 1))
        #expect(!waits(upTo: .seconds(1), forLines: 4))
        #expect(!FileSystem.exists(fixture.folder.path + "/printed"))
        fixture.hasRoom.withLock { $0 = true }
        #expect(try Fixture.text(outcome) == "0")
        let printed = fixture.lines.withLock { $0.filter { $0.hasPrefix("x") } }
        #expect(printed.count == 64 && printed.allSatisfy { $0.utf8.count == 65_535 })
    }

    @Test(
        "of a long log the caller gets the end, with what the invocation took",
        arguments: [("'x' * 1000", 2000), ("''", 40_000)])
    func longLog(line: String, count: Int) throws {
        let fixture = try Fixture(
            """
            while True:
                id, body = take(ask())
                print('first')
                for _ in range(\(count)): print(\(line))
                print('last', flush=True)
                respond(id, body)
            """)
        let log = try fixture.invoke("0").log.map(\.text)
        #expect(log.suffix(3).map { $0.prefix(6) } == ["last", "END Re", "REPORT"])
        #expect(!log.contains("first"))
        #expect(log.reduce(0) { $0 + $1.utf8.count } <= 1_048_576)
        #expect(log.count < count)
    }

    @Test("a PYTHONPATH of the function's own leaves it its packages", arguments: ["", "/own"])
    func pythonPath(own: String) throws {
        let fixture = try Fixture("", ["environment": ["PYTHONPATH": .string(own)]])
        var function = fixture.pool.function
        func path() -> String? {
            function.environment(
                fixture.host, port: 1, logStream: "l", temporaryFolder: "/t")["PYTHONPATH"]
        }
        #expect(path() == own)
        function.packages = "/packages"
        #expect(path() == (own.isEmpty ? "/packages" : "/own:/packages"))
    }

    @Test("an error whose cause AWS's client tells at length in a header arrives")
    func longHeader() throws {
        let fixture = try Fixture(
            """
            id, body = take(ask())
            server = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
            server.request('POST', f'/2018-06-01/runtime/invocation/{id}/error', '{}', {
                'Lambda-Runtime-Function-Error-Type': 'RecursionError',
                'Lambda-Runtime-Function-XRay-Error-Cause': 'x' * (1024 * 1024 - 1)})
            server.getresponse()
            ask().getresponse()
            """)
        #expect(
            try fixture.invoke("0").failure
                == .reported(type: "RecursionError", body: Array("{}".utf8)))
    }

    @Test("who has waited too long for another to end is throttled; a cold start is no waiting")
    func waitsTooLong() throws {
        let fixture = try Fixture(
            """
            import time
            while not os.path.exists(os.environ['FOLDER'] + '/go'): time.sleep(0.005)
            while True: respond(*take(ask()))
            """, bearable: 1)
        let now = fixture.clock.clock.now()
        let first = fixture.begin("0", notAfter: now + .seconds(1))
        let late = fixture.begin("1", notAfter: now + .seconds(5))
        let outcomes = [fixture.begin("2", notAfter: now + .seconds(6)), fixture.begin("3")]
        // What was handed over before is in the line behind this.
        let isThere = ThreadCondition(false)
        fixture.loop.execute {
            isThere.withLock { $0 = true }
            isThere.signal()
        }
        try #require(isThere.wait(upTo: .seconds(20)) { $0 ? true : nil } == true)
        fixture.clock.step(.seconds(6))
        try FileSystem.replace(fixture.folder.path + "/go", with: [])
        #expect(throws: InvocationError.throttled(functionName: "F")) {
            try Fixture.result(late)
        }
        #expect(try ([first] + outcomes).map(Fixture.text) == ["0", "2", "3"])
    }

    @Test("who finds a warm environment free runs, however late it is")
    func findsOneFree() throws {
        let fixture = try Fixture("while True: respond(*take(ask()))", bearable: 1)
        let late = fixture.clock.clock.now() - .seconds(1)
        #expect(try fixture.invoke("0").payload == Array("0".utf8))
        // It is free once it has asked for more.
        let runs = eventually {
            (try? Fixture.text(fixture.begin("1", notAfter: late))) == "1"
        }
        #expect(runs)
    }

    @Test("the cold start of an environment that takes a crashed one's place is no waiting either")
    func startsAfterCrash() throws {
        let fixture = try Fixture(
            """
            import time
            def wait(name):
                while not os.path.exists(os.environ['FOLDER'] + name): time.sleep(0.005)
            try: os.mkdir(os.environ['FOLDER'] + '/first')
            except FileExistsError:
                os.mkdir(os.environ['FOLDER'] + '/second')
                wait('/go')
                while True: respond(*take(ask()))
            take(ask())
            wait('/crash')
            sys.exit(1)
            """, bearable: 1)
        let first = fixture.begin("0")
        let next = fixture.begin("1", notAfter: fixture.clock.clock.now() + .seconds(5))
        try FileSystem.replace(fixture.folder.path + "/crash", with: [])
        #expect(try Fixture.result(first).failure == .exit(reason: "exit status 1"))
        let isStarting = eventually { FileSystem.exists(fixture.folder.path + "/second") }
        try #require(isStarting)
        fixture.clock.step(.seconds(6))
        // Who comes now must not take it for late, either.
        let last = fixture.begin("2")
        try FileSystem.replace(fixture.folder.path + "/go", with: [])
        #expect(try [next, last].map(Fixture.text) == ["1", "2"])
    }

    @Test("what waits may hold 256 MiB; beyond that an invocation is throttled")
    func waitingBytes() throws {
        let fixture = try Fixture("#!/bin/sh\nexec sleep 300", bearable: 1)
        let payload = [UInt8](repeating: UInt8(ascii: " "), count: 6 * 1024 * 1024)
        let waiting = (0..<42).map { _ in fixture.begin(payload) }
        #expect(throws: InvocationError.throttled(functionName: "F")) {
            try Fixture.result(fixture.begin(payload))
        }
        #expect(waiting.allSatisfy { $0.withLock { $0 == nil } })
    }

    @Test("who is late makes room for others, wherever in the line it is")
    func lateBytes() throws {
        let fixture = try Fixture("#!/bin/sh\nexec sleep 300", bearable: 1)
        let first = fixture.begin("0")
        let payload = [UInt8](repeating: UInt8(ascii: " "), count: 6 * 1024 * 1024)
        let start = fixture.clock.clock.now()
        let waiting = (0..<42).map { number in
            fixture.begin(payload, notAfter: start + .seconds(number < 40 ? 5 : 7))
        }
        #expect(throws: InvocationError.throttled(functionName: "F")) {
            try Fixture.result(fixture.begin(payload))
        }
        fixture.clock.step(.seconds(6))
        let others = (0..<40).map { _ in fixture.begin(payload) }
        #expect(throws: InvocationError.throttled(functionName: "F")) {
            try Fixture.result(fixture.begin(payload))
        }
        for late in waiting.prefix(40) {
            #expect(throws: InvocationError.throttled(functionName: "F")) {
                try Fixture.result(late)
            }
        }
        let rest = [first] + waiting.suffix(2) + others
        #expect(rest.allSatisfy { $0.withLock { $0 == nil } })
        fixture.clock.step(.seconds(2))
        let last = (0..<2).map { _ in fixture.begin(payload) }
        for late in waiting.suffix(2) {
            #expect(throws: InvocationError.throttled(functionName: "F")) {
                try Fixture.result(late)
            }
        }
        #expect((others + last).allSatisfy { $0.withLock { $0 == nil } })
    }

    @Test(
        "a runtime that answers and never asks again gives up its place",
        arguments: [
            ("", ["timeout": 1] as JSONObject, "Task timed out after 1.00 seconds"),
            (
                "more = bytearray(b'x') * (160 << 20)", ["memorySize": 128] as JSONObject,
                "OutOfMemory"
            ),
        ])
    func neverAsksAgain(rest: String, function: JSONObject, word: String) throws {
        let fixture = try Fixture(
            """
            import time
            respond(*take(ask()))
            \(rest)
            while True: time.sleep(1)
            """, function, bearable: 1)
        let outcomes = (0...2).map { fixture.begin("\($0)") }
        #expect(try outcomes.map(Fixture.text) == ["0", "1", "2"])
        let isTold = fixture.lines.wait(upTo: .seconds(30)) { lines in
            lines.contains { $0.contains(word) } ? true : nil
        }
        #expect(isTold == true)
    }

    @Test("what the end of the pool cuts off says so, and a crash does not")
    func cutOff() throws {
        let fixture = try Fixture(
            """
            import time
            id, body = take(ask())
            if body == b'0': sys.exit(1)
            open(os.environ['FOLDER'] + '/begun', 'w').close()
            time.sleep(300)
            """)
        #expect(try !fixture.invoke("0").wasCutOff)
        let outcome = fixture.begin("1")
        let hasBegun = eventually { FileSystem.exists(fixture.folder.path + "/begun") }
        try #require(hasBegun)
        #expect(fixture.stop())
        let result = try Fixture.result(outcome)
        #expect(result.wasCutOff && result.failure == .exit(reason: "signal: killed"))
    }

    @Test("who ends the pool while it finishes hears of it, as does who let it finish")
    func stopsWhileItFinishes() throws {
        let fixture = try Fixture("while True: respond(*take(ask()))")
        #expect(try fixture.invoke("0").payload == Array("0".utf8))
        let ended = ThreadCondition(0)
        let count: @Sendable () -> Void = {
            ended.withLock { $0 += 1 }
            ended.signal()
        }
        fixture.loop.execute { [pool = fixture.pool] in
            pool.stop(completion: count)
            pool.finish(after: .zero, completion: count)
        }
        #expect(ended.wait(upTo: .seconds(20)) { $0 == 2 ? true : nil } == true)
    }

    @Test("memory that a function shares with its children counts once")
    func sharedMemory() throws {
        let fixture = try Fixture(
            """
            import time
            id, body = take(ask())
            shared = bytearray(b'x') * (60 << 20)
            for _ in range(3):
                if os.fork() == 0:
                    while True: time.sleep(1)
            respond(id, body)
            id, body = take(ask())
            more = bytearray(b'x') * (128 << 20)
            while True: time.sleep(1)
            """, ["memorySize": 128])
        let report = try fixture.invoke("0").report
        #expect(report.failure == nil)
        #expect((1..<128).contains(report.maxMemoryUsed))
        #expect(try fixture.invoke("1").failure == .outOfMemory)
    }
}
