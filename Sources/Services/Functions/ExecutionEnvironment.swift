import Crypto
import FunctionModel
import HTTP
import JSON
import Posix
import StackModel

/// One process that runs one function, one invocation at a time, and the Runtime API that it talks
/// to.
final class ExecutionEnvironment: @unchecked Sendable {
    // Safe to share: everything that changes is touched on the loop alone.

    enum Event {
        /// It waits for an invocation.
        case ready
        /// The invocation that ran is over.
        case finished
        /// The process is gone.
        case ended(hasFailedInInit: Bool)
    }

    enum EndReason: Equatable {
        case timeout
        case memory
        case initTimeout
        case initError(InvocationFailure)
        case stopped
    }

    struct Running {
        var pending: PendingInvocation
        var started: Timestamp
        var startedNanoseconds: UInt64
        var concurrentExecutions: Int
        /// Milliseconds of the init phase that it had to wait for.
        var initMilliseconds: Double?
        var deadline: EventLoop.TimerID?
    }

    /// Responses may be this large before they are cut off unread; beyond Lambda's limit they are
    /// refused in its words.
    private static let bodyLimit = 64 * 1024 * 1024

    /// How long a process that cannot be watched is waited for.
    private static let patience = Duration.seconds(5)
    /// AWS's Python client tells of an error's cause in a header of up to 1 MiB.
    private static let headerLimit = 1024 * 1024 + 65_536

    let function: DeployedFunction
    let host: FunctionHost
    let logStream: String
    let onEvent: (ExecutionEnvironment, Event) -> Void
    var server: HTTPServer?
    var process: GuardedProcess?
    var outputs: [(buffer: LineBuffer, isOpen: Bool)] = []
    var runtime = RuntimeState()
    /// The runtime's call for its next invocation.
    var waiting: HTTPResponder?
    var running: Running?
    var initStarted: UInt64 = 0
    private var initMilliseconds: Double?
    var initTimer: EventLoop.TimerID?
    /// Until when a runtime that has answered must have asked for its next invocation.
    var nextTimer: EventLoop.TimerID?
    var memoryTimer: EventLoop.TimerID?
    var maxResidentBytes: UInt64 = 0
    var closeLooks = CloseLooks()
    var endReason: EndReason?
    var captured = WaitingLine<FunctionLogLine>()
    var capturedBytes = 0

    /// - Parameter previous: an environment whose init phase failed, and whose log goes on.
    init(
        _ function: DeployedFunction, _ host: FunctionHost, after previous: ExecutionEnvironment?,
        onEvent: @escaping (ExecutionEnvironment, Event) -> Void
    ) {
        self.function = function
        self.host = host
        self.onEvent = onEvent
        logStream = previous?.logStream ?? Self.logStreamName(host.clock.now())
        captured = previous?.captured ?? captured
        capturedBytes = previous?.capturedBytes ?? 0
    }

    private static func logStreamName(_ now: Timestamp) -> String {
        let day = now.date.split(separator: "-").joined(separator: "/")
        return "\(day)/[$LATEST]\(Digest.hex(RandomBytes.make(count: 16)))"
    }

    /// Starts the process: the init phase.
    ///
    /// - Parameter pending: an invocation whose timeout covers this init phase, because one has
    ///   failed before.
    func start(for pending: PendingInvocation?, concurrency: Int) throws(SystemError) {
        guard FileSystem.isDirectory(function.taskRoot) else {
            throw .notFound("chdir", path: function.taskRoot)
        }
        var limits = HTTPLimits()
        limits.bodyBytes = Self.bodyLimit
        limits.headerBytes = Self.headerLimit
        // The runtime asks nothing while its function runs, on a connection that it uses again.
        limits.idleTimeout += .seconds(function.definition.timeoutSeconds)
        let server = try HTTPServer(loop: host.loop, limits: limits) {
            [weak self] request, responder in self?.handle(request, responder)
        }
        self.server = server
        let identifier = Digest.hex(RandomBytes.make(count: 8))
        let temporaryFolder = "\(host.temporaryFolder)/\(identifier)"
        try FileSystem.makeDirectory(temporaryFolder)
        let (program, arguments) = function.command(host)
        let description = ProcessDescription(
            program, arguments,
            environment: function.environment(
                host, port: server.port, logStream: logStream, temporaryFolder: temporaryFolder),
            folder: function.taskRoot)
        let process: GuardedProcess
        do throws(SystemError) {
            process = try GuardedProcess(
                description, temporaryFolder: temporaryFolder,
                guardExecutable: host.guardExecutable)
        } catch {
            try? FileSystem.removeTree(temporaryFolder)
            throw error
        }
        self.process = process
        initStarted = SystemClock.monotonicNanoseconds()
        outputs = [(LineBuffer(), true), (LineBuffer(), true)]
        do throws(SystemError) {
            try watch(process)
        } catch {
            abandon(process)
            throw error
        }
        if let pending {
            begin(pending, concurrency: concurrency)
        } else {
            initTimer = host.loop.schedule(after: FunctionLimits.initPhase) { [weak self] in
                self?.end(.initTimeout)
            }
        }
        watchMemory()
    }

    private func watch(_ process: GuardedProcess) throws(SystemError) {
        try host.loop.watch(process.output.rawValue, .read) { [weak self] _ in self?.read(0) }
        try host.loop.watch(process.error.rawValue, .read) { [weak self] _ in self?.read(1) }
        try host.loop.watch(process.exit.rawValue, .read) { [weak self] _ in self?.hasEnded() }
    }

    /// A process that cannot be watched has hardly begun: it ends at once.
    private func abandon(_ process: GuardedProcess) {
        for descriptor in [
            process.output.rawValue, process.error.rawValue, process.exit.rawValue,
        ] {
            host.loop.unwatch(descriptor)
        }
        process.end()
        _ = process.wait(timeout: Self.patience)
        self.process = nil
    }

    /// Runs an invocation; the environment must be ready.
    func run(_ pending: PendingInvocation, concurrency: Int) {
        begin(pending, concurrency: concurrency)
        running?.initMilliseconds = initMilliseconds
        initMilliseconds = nil
        watchMemory()
        deliver()
    }

    /// Ends the process and all its descendants; `.ended` follows.
    func end(_ reason: EndReason) {
        if endReason == nil { endReason = reason }
        process?.end()
    }

    private func begin(_ pending: PendingInvocation, concurrency: Int) {
        readPresent()
        let now = host.clock.now()
        running = Running(
            pending: pending, started: now, startedNanoseconds: SystemClock.monotonicNanoseconds(),
            concurrentExecutions: concurrency)
        log(InvocationReport.startLine(pending.request.requestID))
        let timeout = Duration.seconds(function.definition.timeoutSeconds)
        running?.deadline = host.loop.schedule(after: timeout) { [weak self] in
            self?.end(.timeout)
        }
    }

    /// Hands the invocation to the waiting runtime.
    func deliver() {
        guard let responder = waiting, let running else { return }
        waiting = nil
        let request = running.pending.request
        let deadline = running.started + .seconds(function.definition.timeoutSeconds)
        var headers: HTTPHeaders = [
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request.requestID,
            "Lambda-Runtime-Deadline-Ms": String(deadline.milliseconds),
            "Lambda-Runtime-Invoked-Function-Arn": function.arn,
            "Lambda-Runtime-Trace-Id": request.traceID,
        ]
        headers["Lambda-Runtime-Client-Context"] = request.clientContext
        runtime.deliver(request.requestID)
        responder.respond(HTTPResponse(200, headers: headers, body: request.payload))
    }

    /// The runtime waits for work for the first time, or again.
    func becomeReady(_ responder: HTTPResponder) {
        waiting = responder
        if let initTimer {
            host.loop.cancel(initTimer)
            self.initTimer = nil
            initMilliseconds = milliseconds(since: initStarted)
        }
        if let nextTimer {
            host.loop.cancel(nextTimer)
            self.nextTimer = nil
        }
        if running != nil { return deliver() }
        // One that is being ended takes no more.
        if endReason == nil { onEvent(self, .ready) }
    }

    enum Outcome {
        case response([UInt8])
        case failure(InvocationFailure)
    }

    /// Ends the invocation that runs, if one does.
    func finish(_ outcome: Outcome) {
        readPresent()
        guard let running else { return }
        self.running = nil
        // As on AWS its timeout goes on until the runtime asks for more: one that never does must
        // not keep this environment.
        if runtime.phase == .responseSent {
            nextTimer = running.deadline
        } else if let deadline = running.deadline {
            host.loop.cancel(deadline)
        }
        measureMemory()
        let requestID = running.pending.request.requestID
        let megabytes = Int64(maxResidentBytes / 1_048_576)
        var report = InvocationReport(
            requestID: requestID,
            durationMilliseconds: milliseconds(since: running.startedNanoseconds),
            initMilliseconds: running.initMilliseconds,
            memorySize: function.definition.memorySize,
            maxMemoryUsed: min(megabytes, function.definition.memorySize), failure: nil)
        let payload: [UInt8]
        switch outcome {
        case .response(let body): payload = body
        case .failure(let failure):
            report.failure = failure
            payload = failure.payload(requestID: requestID)
            let line = failure.logLine(requestID: requestID, time: host.clock.now())
            if let line { log(line) }
        }
        log(report.endLine)
        log(report.reportLine)
        let result = InvocationResult(
            functionName: function.definition.functionName, payload: payload, report: report,
            started: running.started, log: captured.drain(),
            concurrentExecutions: running.concurrentExecutions,
            wasCutOff: endReason == .stopped && runtime.phase == .exited)
        capturedBytes = 0
        running.pending.completion(.success(result))
        onEvent(self, .finished)
    }
}
