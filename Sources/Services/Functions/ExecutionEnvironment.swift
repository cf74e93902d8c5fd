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

    private static let memoryInterval = Duration.milliseconds(50)
    /// Responses may be this large before they are cut off unread; beyond Lambda's limit they are
    /// refused in its words.
    private static let bodyLimit = 64 * 1024 * 1024
    /// What an invocation's caller gets of its log.
    private static let capturedLimit = 1024 * 1024

    let function: DeployedFunction
    let host: FunctionHost
    let logStream: String
    private let onEvent: (ExecutionEnvironment, Event) -> Void
    private var server: HTTPServer?
    private var process: GuardedProcess?
    private var outputs: [(buffer: LineBuffer, isOpen: Bool)] = []
    var runtime = RuntimeState()
    /// The runtime's call for its next invocation.
    var waiting: HTTPResponder?
    var running: Running?
    private var initStarted: UInt64 = 0
    private var initMilliseconds: Double?
    private var initTimer: EventLoop.TimerID?
    private var memoryTimer: EventLoop.TimerID?
    private var maxResidentBytes: UInt64 = 0
    private var endReason: EndReason?
    private var captured: [FunctionLogLine] = []
    private var capturedBytes = 0

    /// - Parameter previous: an environment whose init phase failed, and whose log goes on.
    init(
        _ function: DeployedFunction, _ host: FunctionHost, after previous: ExecutionEnvironment?,
        onEvent: @escaping (ExecutionEnvironment, Event) -> Void
    ) {
        self.function = function
        self.host = host
        self.onEvent = onEvent
        logStream = previous?.logStream ?? Self.logStreamName(host.clock.now())
        captured = previous?.captured ?? []
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
        try host.loop.watch(process.output.rawValue, .read) { [weak self] _ in self?.read(0) }
        try host.loop.watch(process.error.rawValue, .read) { [weak self] _ in self?.read(1) }
        try host.loop.watch(process.exit.rawValue, .read) { [weak self] _ in self?.hasEnded() }
        if let pending {
            begin(pending, concurrency: concurrency)
        } else {
            initTimer = host.loop.schedule(after: FunctionLimits.initPhase) { [weak self] in
                self?.end(.initTimeout)
            }
        }
        watchMemory()
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
        if running != nil { return deliver() }
        onEvent(self, .ready)
    }

    enum Outcome {
        case response([UInt8])
        case failure(InvocationFailure)
    }

    /// Ends the invocation that runs, if one does.
    func finish(_ outcome: Outcome) {
        read(0)
        read(1)
        guard let running else { return }
        self.running = nil
        if let deadline = running.deadline { host.loop.cancel(deadline) }
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
            started: running.started, log: captured,
            concurrentExecutions: running.concurrentExecutions)
        captured = []
        capturedBytes = 0
        running.pending.completion(.success(result))
        onEvent(self, .finished)
    }

    // MARK: the process

    private func log(_ text: String) {
        let line = FunctionLogLine(
            functionName: function.definition.functionName, stream: logStream,
            time: host.clock.now(), text: text)
        if capturedBytes < Self.capturedLimit {
            captured.append(line)
            capturedBytes += text.utf8.count
        }
        host.log(line)
    }

    private func read(_ index: Int) {
        guard let process, outputs[index].isOpen else { return }
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
            while true {
                let transfer =
                    index == 0
                    ? Sockets.read(process.output, into: buffer)
                    : Sockets.read(process.error, into: buffer)
                switch transfer {
                case .bytes(let count):
                    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    outputs[index].buffer.append(bytes).forEach(log)
                case .wouldBlock: return
                case .closed:
                    outputs[index].isOpen = false
                    outputs[index].buffer.finish().forEach(log)
                    host.loop.unwatch(index == 0 ? process.output.rawValue : process.error.rawValue)
                    return
                }
            }
        }
    }

    private func hasEnded() {
        guard let process, let status = process.reap() else { return }
        read(0)
        read(1)
        for descriptor in [
            process.output.rawValue, process.error.rawValue, process.exit.rawValue,
        ] {
            host.loop.unwatch(descriptor)
        }
        for timer in [initTimer, memoryTimer] {
            if let timer { host.loop.cancel(timer) }
        }
        server?.stop()
        let wasReady = runtime.phase != .started && runtime.phase != .initError
        runtime.exit()
        waiting = nil
        let failure = failure(status)
        if !wasReady {
            let phase = running == nil ? "init" : "invoke"
            let status = endReason == .initTimeout ? "timeout" : failure.reportStatus
            log(
                InvocationReport.initReportLine(
                    milliseconds: milliseconds(since: initStarted), phase: phase, status: status))
        }
        if running != nil { finish(.failure(failure)) }
        self.process = nil
        onEvent(self, .ended(hasFailedInInit: !wasReady))
    }

    private func failure(_ status: ExitStatus) -> InvocationFailure {
        switch endReason {
        case .timeout, .initTimeout: return .timeout(seconds: function.definition.timeoutSeconds)
        case .memory: return .outOfMemory
        case .initError(let failure): return failure
        case .stopped, nil: break
        }
        let bootstrap = "\(function.taskRoot)/bootstrap"
        if function.interpreter == nil, !FileSystem.isExecutable(bootstrap) { return .noBootstrap }
        switch status {
        case .exited(0): return .exit(reason: endReason == .stopped ? "signal: killed" : nil)
        case .exited(let code): return .exit(reason: "exit status \(code)")
        case .signalled(let number):
            return .exit(reason: "signal: \(SystemError.signalName(number).lowercased())")
        }
    }

    private func milliseconds(since start: UInt64) -> Double {
        Double(SystemClock.monotonicNanoseconds() - start) / 1_000_000
    }

    /// Looks at the memory as long as there is something to do.
    private func watchMemory() {
        guard memoryTimer == nil else { return }
        memoryTimer = host.loop.schedule(after: Self.memoryInterval) { [weak self] in
            guard let self else { return }
            memoryTimer = nil
            measureMemory()
            if running != nil || runtime.phase == .started { watchMemory() }
        }
    }

    private func measureMemory() {
        guard let process else { return }
        maxResidentBytes = max(maxResidentBytes, process.residentBytes())
        if maxResidentBytes > UInt64(function.definition.memorySize) * 1_048_576 { end(.memory) }
    }
}
