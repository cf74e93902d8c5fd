import FunctionModel
import HTTP
import JSON
import Posix
import StackModel

/// What is seen of the process: what it prints, how much memory it takes, how it ends.
extension ExecutionEnvironment {
    private static let memoryInterval = Duration.milliseconds(50)
    /// How often it looks for room for its output while too many log lines wait to be written.
    private static let crowdedPause = Duration.milliseconds(10)
    /// What an invocation's caller gets of its log, in bytes: the last lines.
    private static let capturedLimit = 1024 * 1024

    func log(_ text: String) {
        let line = FunctionLogLine(
            functionName: function.definition.functionName, stream: logStream,
            time: host.clock.now(), text: text)
        captured.append(line)
        capturedBytes += line.heldBytes
        while capturedBytes > Self.capturedLimit, let first = captured.popFirst() {
            capturedBytes -= first.heldBytes
        }
        host.log(line)
    }

    /// Takes one buffer of what the process prints: a process that prints without pause must not
    /// keep the loop from its other work.
    func read(_ index: Int) {
        _ = take(index)
        guard outputs[index].isOpen, !host.hasRoomForLog(), let process else { return }
        // What the disk does not keep up with waits in the pipe, and so does who prints it.
        let descriptor = index == 0 ? process.output.rawValue : process.error.rawValue
        host.loop.change(descriptor, [])
        goOnReading(index, descriptor)
    }

    /// Once there is room.
    private func goOnReading(_ index: Int, _ descriptor: CInt) {
        host.loop.schedule(after: Self.crowdedPause) { [weak self] in
            guard let self, outputs[index].isOpen else { return }
            if host.hasRoomForLog() {
                host.loop.change(descriptor, .read)
            } else {
                goOnReading(index, descriptor)
            }
        }
    }

    /// Takes all that the process has printed so far; a line without its end waits for none, since
    /// what comes next belongs to another invocation.
    func readPresent() {
        guard let process else { return }
        for index in outputs.indices {
            var left =
                index == 0
                ? Sockets.readableBytes(process.output) : Sockets.readableBytes(process.error)
            while left > 0, let count = take(index) { left -= count }
            outputs[index].buffer.finish().forEach(log)
        }
    }

    /// - Returns: how many bytes there were; `nil` if there is nothing now, or will be ever.
    private func take(_ index: Int) -> Int? {
        guard let process, outputs[index].isOpen else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
            let transfer =
                index == 0
                ? Sockets.read(process.output, into: buffer)
                : Sockets.read(process.error, into: buffer)
            switch transfer {
            case .bytes(let count):
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                outputs[index].buffer.append(bytes).forEach(log)
                return count
            case .wouldBlock: return nil
            case .closed:
                close(index)
                return nil
            }
        }
    }

    /// Nothing more comes.
    private func close(_ index: Int) {
        guard let process, outputs[index].isOpen else { return }
        outputs[index].isOpen = false
        outputs[index].buffer.finish().forEach(log)
        host.loop.unwatch(index == 0 ? process.output.rawValue : process.error.rawValue)
    }

    func hasEnded() {
        guard let process, let status = process.reap() else { return }
        readPresent()
        for index in outputs.indices { close(index) }
        host.loop.unwatch(process.exit.rawValue)
        for timer in [initTimer, nextTimer, memoryTimer] {
            if let timer { host.loop.cancel(timer) }
        }
        server?.stop()
        let phase = runtime.phase
        let wasReady = phase != .started && phase != .initError
        runtime.exit()
        waiting = nil
        let failure = failure(status)
        if !wasReady {
            let name = running == nil ? "init" : "invoke"
            let status = endReason == .initTimeout ? "timeout" : failure.reportStatus
            log(
                InvocationReport.initReportLine(
                    milliseconds: milliseconds(since: initStarted), phase: name, status: status))
        }
        if running != nil {
            finish(.failure(failure))
        } else if phase == .responseSent, endReason == .timeout || endReason == .memory {
            let requestID = runtime.requestID ?? ""
            failure.logLine(requestID: requestID, time: host.clock.now()).map(log)
        }
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

    func milliseconds(since start: UInt64) -> Double {
        Double(SystemClock.monotonicNanoseconds() - start) / 1_000_000
    }

    /// Looks at the memory as long as there is something to do.
    func watchMemory() {
        guard memoryTimer == nil else { return }
        memoryTimer = host.loop.schedule(after: Self.memoryInterval) { [weak self] in
            guard let self else { return }
            memoryTimer = nil
            measureMemory()
            if running != nil || runtime.phase != .ready { watchMemory() }
        }
    }

    func measureMemory() {
        guard let process else { return }
        let limit = UInt64(function.definition.memorySize) * 1_048_576
        var bytes = process.residentBytes()
        if bytes > limit {
            // Processes that share memory seem to hold more than they do: a closer look tells.
            let start = SystemClock.monotonicNanoseconds()
            guard closeLooks.isDue(bytes, at: start) else { return }
            let held = process.proportionalBytes()
            closeLooks.note(bytes, from: start, to: SystemClock.monotonicNanoseconds())
            bytes = held
        }
        maxResidentBytes = max(maxResidentBytes, bytes)
        if bytes > limit { end(.memory) }
    }
}
