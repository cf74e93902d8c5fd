import FunctionModel
import JSON
import Journal
import Posix
import QueueModel
import StackModel
import TestSupport
import Testing

@testable import Services

/// Asynchronous invocations over minutes and hours of a clock that the test moves, and over the
/// ends of the servers that have them.
@Suite struct EventInvokerTests {
    enum Answer: Sendable {
        case success
        case failure
        case throttled
        /// The server dies first.
        case nothing
        /// The server ends first, and with it the function.
        case cutOff
        /// The server ends before an environment is there.
        case stopped
        case tooLarge
    }

    struct Run: Sendable {
        var function: String
        var requestID: String
        var payload: JSONValue
        /// Until when it must have begun.
        var notAfter: Timestamp?
    }

    /// Functions that answer at once, as the test says, and remember.
    struct Functions: EventBackend {
        var stack: Stack
        let runs = ThreadCondition<[Run]>([])
        /// What the end of the server answers.
        let left = ThreadCondition<[@Sendable () -> Void]>([])
        let answer: @Sendable (_ run: Run, _ number: Int) -> Answer

        func environmentLimit(of function: FunctionDefinition) -> Int { 10 }

        func invoke(
            _ function: FunctionDefinition, payload: [UInt8], requestID: String,
            clientContext: String?, notAfter: Timestamp?,
            completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
        ) {
            let json = (try? JSONValue.parse(payload)) ?? .null
            let run = Run(
                function: function.functionName, requestID: requestID, payload: json,
                notAfter: notAfter)
            let number = runs.withLock { runs in
                runs.append(run)
                return runs.count { $0.requestID == requestID }
            }
            runs.signal()
            var report = InvocationReport(
                requestID: requestID, durationMilliseconds: 1, initMilliseconds: nil,
                memorySize: 128, maxMemoryUsed: 1, failure: nil)
            var payload = Array(#"{"done":true}"#.utf8)
            var wasCutOff = false
            switch answer(run, number) {
            case .nothing: return
            case .stopped:
                return left.withLock { $0.append { completion(.failure(.stopped)) } }
            case .tooLarge:
                return completion(.failure(.payloadTooLarge(bytes: payload.count)))
            case .throttled:
                return completion(.failure(.throttled(functionName: function.functionName)))
            case .success: break
            case .cutOff:
                report.failure = .exit(reason: "signal: killed")
                wasCutOff = true
            case .failure:
                let body = Array(#"{"errorType":"E","errorMessage":"no"}"#.utf8)
                report.failure = .reported(type: "E", body: body)
                payload = body
            }
            let result = InvocationResult(
                functionName: function.functionName, payload: payload, report: report,
                started: Timestamp(milliseconds: 0), log: [], concurrentExecutions: 1,
                wasCutOff: wasCutOff)
            if wasCutOff {
                left.withLock { $0.append { completion(.success(result)) } }
            } else {
                completion(.success(result))
            }
        }
    }

    /// One server after the other on the same events.
    final class Fixture {
        let base: HostFixture
        let functions: Functions
        private var deployed: Functions
        private var invoker: EventInvoker
        private let events: QueueDirectory

        /// - Parameter next: what of the function is deployed while the first look for its events
        ///   goes on.
        init(
            _ more: JSONObject = [:], deploying next: JSONObject = [:],
            _ answer: @escaping @Sendable (_ run: Run, _ number: Int) -> Answer
        ) throws {
            base = try HostFixture("events")
            try base.queues.create("Failures", QueueSettings())
            functions = Functions(stack: Self.stack(more), answer: answer)
            deployed = functions
            deployed.stack = Self.stack(JSONObject(more.members + next.members))
            var environment = QueueEnvironment()
            environment.clock = base.clock.clock
            events = QueueDirectory(
                stateDirectory: base.folder.path + "/events", environment: environment)
            let isFirst = ThreadCondition(true)
            invoker = try Self.invoker(base) { [functions, deployed] in
                isFirst.withLock { isFirst in
                    defer { isFirst = false }
                    return isFirst ? functions : deployed
                }
            }
        }

        private static func stack(_ more: JSONObject) -> Stack {
            var function: JSONObject = [
                "runtime": "python3", "handler": "h.f", "code": "c", "timeout": 3,
                "onFailure": "Failures", "onSuccess": "Next",
            ]
            for (name, value) in more.members { function[name] = value }
            return Stack(
                json: [
                    "lambdas": [
                        "F": .object(function),
                        "Next": ["runtime": "python3", "handler": "h.f", "code": "c"],
                    ], "queues": ["Failures": [:]],
                ])
        }

        private static func invoker(
            _ base: HostFixture, _ backend: @escaping @Sendable () -> Functions
        ) throws -> EventInvoker {
            try EventInvoker(
                stateDirectory: base.folder.path, on: base.host, wait: .milliseconds(20),
                backend: backend)
        }

        deinit { invoker.stop() }

        func accept(_ payload: String) throws -> String {
            let function = try #require(functions.stack.function("F"))
            return try invoker.accept(Array(payload.utf8), for: function)
        }

        /// The server ends, and another goes on with what it left.
        func restart() throws {
            invoker.stop()
            invoker = try Self.invoker(base) { [deployed] in deployed }
            invoker.start()
        }

        /// The server ends, and waits for what runs.
        func ends(within limit: Duration) -> Bool {
            invoker.stop()
            for answer in functions.left.withLock({ $0 }) { answer() }
            return invoker.waitForEvents(upTo: limit)
        }

        func counts() throws -> QueueState.Counts { try events.queue("F").statistics().counts }

        /// Waits until so many runs have begun.
        func hasRun(_ count: Int) -> Bool {
            functions.runs.wait(upTo: .seconds(30)) { $0.count >= count ? true : nil } ?? false
        }

        /// Waits until something waits for the end of the server.
        func isLeft() -> Bool { eventually { functions.left.withLock { !$0.isEmpty } } }

        /// Waits until its events are where they are to be.
        func holds(delayed: UInt64 = 0, inFlight: UInt64 = 0) -> Bool {
            eventually {
                guard let counts = try? events.queue("F").statistics().counts else { return false }
                return counts.delayed == delayed && counts.inFlight == inFlight
                    && counts.visible == 0
            }
        }

        /// Waits until the one event that it has is hidden for that long.
        func comesBack(afterSeconds seconds: Int) -> Bool {
            let now = base.clock.clock.now()
            return eventually {
                let wake = try? events.queue("F").journal.read {
                    $0.state.queue.nextWake(after: now)
                }
                return wake == now + .seconds(seconds)
            }
        }

        /// The next record that the queue of failures gets.
        func failure() throws -> JSONValue {
            var record: JSONValue?
            let isThere = eventually {
                let body = try? base.queues.queue("Failures").receive(upTo: 1).first?.body
                record = body.flatMap { try? JSONValue.parse($0) }
                return record != nil
            }
            try #require(isThere, "\(base.words.withLock { $0 })")
            return record ?? .null
        }
    }

    @Test("a failed event is tried again after one minute and two, whoever is there by then")
    func retries() throws {
        let fixture = try Fixture { run, _ in run.payload == ["n": 1] ? .failure : .success }
        let id = try fixture.accept(#"{"n":1}"#)
        for (attempt, seconds) in [(1, 60), (2, 120)] {
            #expect(fixture.hasRun(attempt))
            #expect(fixture.holds(delayed: 1))
            try fixture.restart()
            fixture.base.clock.step(.seconds(seconds - 1))
            #expect(fixture.holds(delayed: 1))
            fixture.base.clock.step(.seconds(1))
        }
        let record = try fixture.failure()
        #expect(record["requestContext"]?["condition"] == "RetriesExhausted")
        #expect(record["requestContext"]?["approximateInvokeCount"] == 3)
        #expect(record["requestContext"]?["requestId"] == .string(id))
        #expect(record["requestPayload"] == ["n": 1])
        #expect(record["responsePayload"]?["errorType"] == "E")
        #expect(fixture.holds())
        #expect(fixture.functions.runs.withLock { $0.allSatisfy { $0.requestID == id } })
        #expect(fixture.functions.runs.withLock { $0.count } == 3)
    }

    @Test("an event that is too old is not tried again")
    func age() throws {
        let fixture = try Fixture(["maximumEventAge": 60]) { _, _ in .failure }
        _ = try fixture.accept(#"{"n":1}"#)
        #expect(fixture.hasRun(1) && fixture.holds(delayed: 1))
        try fixture.restart()
        fixture.base.clock.step(.seconds(61))
        let record = try fixture.failure()
        #expect(record["requestContext"]?["condition"] == "EventAgeExceeded")
        #expect(record["requestContext"]?["approximateInvokeCount"] == 1)
        #expect(record["responsePayload"] == nil)
        #expect(fixture.holds())
        #expect(fixture.functions.runs.withLock { $0.count } == 1)
    }

    @Test("want of concurrency is no failure: again after 1 s, 2 s, 4 s, also under another server")
    func throttles() throws {
        let fixture = try Fixture(["maximumRetryAttempts": 0]) { run, number in
            run.function == "Next" ? .success : number <= 3 ? .throttled : .failure
        }
        _ = try fixture.accept(#"{"n":1}"#)
        let start = fixture.base.clock.clock.now()
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4)] {
            #expect(fixture.hasRun(attempt))
            // It may wait for room as long as it stays hidden for its function's timeout then.
            if attempt == 1 {
                let end = fixture.functions.runs.withLock { $0[0].notAfter }
                #expect(end == start + .seconds(30))
            }
            #expect(fixture.comesBack(afterSeconds: seconds))
            if attempt == 2 { try fixture.restart() }
            fixture.base.clock.step(.seconds(seconds))
        }
        let record = try fixture.failure()
        #expect(record["requestContext"]?["approximateInvokeCount"] == 1)
        #expect(fixture.holds())
    }

    @Test("an event that waited for room until it came back is no cause for concern")
    func late() throws {
        let clock = ThreadCondition<SteppedClock?>(nil)
        let fixture = try Fixture { run, number in
            guard run.function == "F", number == 1 else { return .success }
            clock.withLock { $0 }?.step(.seconds(33))
            return .throttled
        }
        clock.withLock { $0 = fixture.base.clock }
        _ = try fixture.accept(#"{"n":1}"#)
        #expect(fixture.hasRun(3) && fixture.holds())
        #expect(fixture.functions.runs.withLock { $0.map(\.function) } == ["F", "F", "Next"])
        #expect(fixture.base.words.withLock { $0 } == [])
    }

    @Test("who waits for the last events waits until it is written what became of them")
    func lastEvents() throws {
        let fixture = try Fixture { _, _ in .nothing }
        _ = try fixture.accept(#"{"n":1}"#)
        #expect(fixture.hasRun(1) && !fixture.ends(within: .milliseconds(200)))
        let other = try Fixture { _, _ in .failure }
        _ = try other.accept(#"{"n":1}"#)
        #expect(other.hasRun(1) && other.ends(within: .seconds(30)))
        #expect(try other.counts().delayed == 1)
        #expect(try other.counts().inFlight == 0)
    }

    @Test("a run that its server did not live to see comes again, and was no failure")
    func cutOff() throws {
        let fixture = try Fixture { run, number in
            run.function == "Next" ? .success : number == 1 ? .nothing : .success
        }
        let id = try fixture.accept(#"{"n":1}"#)
        #expect(fixture.hasRun(1))
        try fixture.restart()
        #expect(fixture.holds(inFlight: 1))
        // Its function's timeout, and a cold start.
        fixture.base.clock.step(.seconds(33))
        #expect(fixture.hasRun(3), "\(fixture.base.words.withLock { $0 })")
        let runs = fixture.functions.runs.withLock { $0 }
        #expect(runs.map(\.function) == ["F", "F", "Next"])
        #expect(runs[1].requestID == id)
        let record = runs[2].payload
        #expect(record["requestContext"]?["condition"] == "Success")
        #expect(record["requestContext"]?["approximateInvokeCount"] == 1)
        #expect(record["responsePayload"] == ["done": true])
        #expect(fixture.holds())
    }

    @Test(
        "what the end of its server cuts off is no failure, and waits for the next one",
        arguments: [Answer.cutOff, .stopped])
    func cutOffByEnd(answer: Answer) throws {
        let fixture = try Fixture(["maximumRetryAttempts": 0]) { run, number in
            run.function == "F" && number == 1 ? answer : .success
        }
        _ = try fixture.accept(#"{"n":1}"#)
        #expect(fixture.hasRun(1) && fixture.isLeft())
        #expect(fixture.ends(within: .seconds(30)))
        #expect(try fixture.counts().visible == 1)
        try fixture.restart()
        try #require(fixture.hasRun(3), "\(fixture.base.words.withLock { $0 })")
        let record = fixture.functions.runs.withLock { $0[2].payload }
        #expect(record["requestContext"]?["condition"] == "Success")
        #expect(record["requestContext"]?["approximateInvokeCount"] == 1)
        #expect(fixture.holds())
    }

    @Test("an event that came before a longer timeout was seen is hidden for that one")
    func longerTimeout() throws {
        let fixture = try Fixture(deploying: ["timeout": 60]) { _, _ in .nothing }
        let start = fixture.base.clock.clock.now()
        _ = try fixture.accept(#"{"n":1}"#)
        #expect(fixture.hasRun(1) && fixture.comesBack(afterSeconds: 90))
        #expect(fixture.functions.runs.withLock { $0.first?.notAfter } == start + .seconds(30))
    }

    @Test("an event that its function cannot take ends at once")
    func tooLarge() throws {
        let fixture = try Fixture { run, _ in run.function == "F" ? .tooLarge : .success }
        _ = try fixture.accept(#"{"n":1}"#)
        let record = try fixture.failure()
        #expect(record["requestContext"]?["condition"] == "RetriesExhausted")
        #expect(record["requestContext"]?["approximateInvokeCount"] == 0)
        #expect(fixture.holds())
    }

    @Test("a function is not told more than an event may hold")
    func longRecordForFunction() throws {
        let fixture = try Fixture { _, _ in .success }
        let text = String(repeating: "x", count: EventInvoker.payloadBytes - 2)
        let id = try fixture.accept("\"\(text)\"")
        #expect(fixture.hasRun(1) && fixture.holds())
        let words = fixture.base.words.withLock { $0 }
        let start =
            "Next, the onSuccess destination of F, was not told what became of event \(id): "
        let end = " byte payload is too large for the Event invocation type (limit 1048576 bytes)"
        #expect(words.count == 1 && words[0].hasPrefix(start) && words[0].hasSuffix(end))
        #expect(fixture.functions.runs.withLock { $0.map(\.function) } == ["F"])
    }

    @Test("a record that its destination does not take is told in plain words")
    func longRecord() throws {
        let fixture = try Fixture(["onSuccess": "Failures"]) { _, _ in .success }
        let text = String(repeating: "x", count: EventInvoker.payloadBytes - 2)
        let id = try fixture.accept("\"\(text)\"")
        #expect(fixture.hasRun(1) && fixture.holds())
        #expect(
            fixture.base.words.withLock { $0 } == [
                "Failures, the onSuccess destination of F, was not told what became of event "
                    + "\(id): One or more parameters are invalid. Reason: Message must be shorter "
                    + "than 1048576 bytes."
            ])
    }
}
