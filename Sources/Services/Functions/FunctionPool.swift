import FunctionModel
import JSON
import Posix
import StackModel

/// The execution environments of one function: as many as its invocations need, up to a limit.
package final class FunctionPool: @unchecked Sendable {
    // Safe to share: everything that changes is touched on the loop alone.

    /// Invocations that may wait for an environment; further ones are throttled.
    private static let waitingLimit = 10_000
    /// What their payloads may hold, in bytes.
    private static let waitingBytesLimit = 256 * 1024 * 1024
    /// How long an environment stays warm.
    private static let idleLimit = Duration.seconds(300)

    package let function: DeployedFunction
    /// Environments that may exist at once: what the machine bears, or what is reserved.
    package let limit: Int
    private let host: FunctionHost
    private var environments: [ObjectIdentifier: ExecutionEnvironment] = [:]
    private var starting: Set<ObjectIdentifier> = []
    /// The warmest last.
    private var idle: [(environment: ExecutionEnvironment, reaper: EventLoop.TimerID)] = []
    private var waiting = WaitingLine<PendingInvocation>()
    private var waitingBytes = 0
    /// Before then nobody who waits is late; `nil`: nobody ever is.
    private var firstLate: Timestamp?
    private var runningCount = 0
    private var onStopped: (@Sendable () -> Void)?
    /// Wanted as soon as nothing runs: `stop` with this completion.
    private var onFinished: (@Sendable () -> Void)?

    /// - Parameter bearable: environments that the machine bears.
    package init(
        _ function: DeployedFunction, _ host: FunctionHost,
        bearable: Int = max(8, 4 * ProcessEnvironment.processorCount)
    ) {
        self.function = function
        self.host = host
        limit = min(bearable, Int(function.definition.reservedConcurrency ?? 1000))
    }

    /// Runs the function once; from any thread. `completion` runs on the loop.
    package func invoke(
        _ request: InvocationRequest,
        completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
    ) {
        let pending = PendingInvocation(request: request, completion: completion)
        host.loop.execute { [self] in accept(pending) }
    }

    /// Ends every environment; invocations that run fail. `completion` runs when all are gone.
    package func stop(completion: @escaping @Sendable () -> Void) {
        host.loop.execute { [self] in
            // Whoever asked before hears of it, too.
            let earlier = onStopped
            onStopped = {
                earlier?()
                completion()
            }
            waitingBytes = 0
            for pending in waiting.drain() { pending.completion(.failure(.stopped)) }
            for environment in environments.values { environment.end(.stopped) }
            reportIfStopped()
        }
    }

    /// Goes on until nothing runs or waits, for `grace` at least, and then ends every environment.
    /// `completion` runs when all are gone.
    package func finish(after grace: Duration, completion: @escaping @Sendable () -> Void) {
        host.loop.schedule(after: grace) { [self] in
            onFinished = completion
            stopIfFinished()
        }
    }

    private func stopIfFinished() {
        guard let completion = onFinished, runningCount == 0, waiting.isEmpty else { return }
        onFinished = nil
        stop(completion: completion)
    }

    private func accept(_ pending: PendingInvocation) {
        guard onStopped == nil else { return pending.completion(.failure(.stopped)) }
        let bytes = pending.request.payload.count
        if !hasRoom(for: bytes) { throttleEveryoneLate() }
        guard hasRoom(for: bytes) else { return throttle(pending) }
        var pending = pending
        // It gets one that is free, or one of its own: its cold start is no waiting.
        let isOneFree = idle.contains { $0.environment.endReason == nil }
        if isOneFree || environments.count < limit { pending.request.notAfter = nil }
        if let end = pending.request.notAfter { firstLate = min(firstLate ?? end, end) }
        waiting.append(pending)
        waitingBytes += bytes
        distribute()
    }

    private func hasRoom(for bytes: Int) -> Bool {
        let reserved = function.definition.reservedConcurrency.map { Int($0) } ?? Int.max
        return runningCount + waiting.count < reserved && waiting.count < Self.waitingLimit
            && waitingBytes + bytes <= Self.waitingBytesLimit
    }

    private func throttle(_ pending: PendingInvocation) {
        let name = function.definition.functionName
        pending.completion(.failure(.throttled(functionName: name)))
    }

    /// Those in front that have waited too long go.
    private func throttleLate() {
        while let limit = waiting.first?.request.notAfter, limit < host.clock.now(),
            let late = popWaiting()
        {
            throttle(late)
        }
    }

    /// Those behind others go, too. It may be a long line: it is looked through only if there is
    /// somebody to find.
    private func throttleEveryoneLate() {
        let now = host.clock.now()
        guard let firstLate, firstLate < now else { return }
        var next: Timestamp?
        let late = waiting.remove { pending in
            guard let end = pending.request.notAfter, end >= now else {
                return pending.request.notAfter != nil
            }
            next = min(next ?? end, end)
            return false
        }
        self.firstLate = next
        waitingBytes -= late.reduce(0) { $0 + $1.request.payload.count }
        late.forEach(throttle)
    }

    private func nextWaiting() -> PendingInvocation? {
        throttleLate()
        return popWaiting()
    }

    private func popWaiting() -> PendingInvocation? {
        let first = waiting.popFirst()
        waitingBytes -= first?.request.payload.count ?? 0
        return first
    }

    /// Gives what waits to environments that are idle, and starts more where there are too few.
    private func distribute() {
        // Those that are being ended take no more.
        for index in idle.indices.reversed() where idle[index].environment.endReason != nil {
            host.loop.cancel(idle.remove(at: index).reaper)
        }
        while let (environment, reaper) = idle.last, let pending = nextWaiting() {
            idle.removeLast()
            host.loop.cancel(reaper)
            runningCount += 1
            environment.run(pending, concurrency: runningCount)
        }
        throttleLate()
        while starting.count < waiting.count, environments.count < limit {
            // Each that cannot be started answers one that waits. While others run, the rest waits
            // for those.
            if !start(for: nil), !environments.isEmpty { break }
        }
        // Those in front, for whom environments start, wait for nobody any more.
        if !starting.isEmpty {
            let now = host.clock.now()
            waiting.change(first: starting.count) { pending in
                if let end = pending.request.notAfter, end >= now {
                    pending.request.notAfter = nil
                }
            }
        }
    }

    /// - Parameters:
    ///   - pending: what the new environment is for; `nil` is whatever waits.
    ///   - previous: whose init phase failed.
    @discardableResult
    private func start(
        for pending: PendingInvocation?, after previous: ExecutionEnvironment? = nil
    ) -> Bool {
        let environment = ExecutionEnvironment(function, host, after: previous) {
            [weak self] environment, event in
            self?.observe(environment, event)
        }
        let id = ObjectIdentifier(environment)
        environments[id] = environment
        if pending == nil { starting.insert(id) } else { runningCount += 1 }
        do throws(SystemError) {
            try environment.start(for: pending, concurrency: runningCount)
            return true
        } catch {
            environments[id] = nil
            starting.remove(id)
            if pending != nil { runningCount -= 1 }
            let victim = pending ?? nextWaiting()
            victim?.completion(
                .failure(
                    .cannotStart(
                        functionName: function.definition.functionName, reason: "\(error)")))
            return false
        }
    }

    private func observe(_ environment: ExecutionEnvironment, _ event: ExecutionEnvironment.Event) {
        let id = ObjectIdentifier(environment)
        switch event {
        case .ready:
            starting.remove(id)
            let reaper = host.loop.schedule(after: Self.idleLimit) { [weak self] in
                self?.reap(id)
            }
            idle.append((environment, reaper))
        case .finished: runningCount -= 1
        case .ended(let hasFailedInInit):
            environments[id] = nil
            idle.removeAll { $0.environment === environment }
            // As on AWS, the init phase gets a second chance as part of an invocation.
            if starting.remove(id) != nil, hasFailedInInit, let pending = nextWaiting() {
                start(for: pending, after: environment)
            }
        }
        if onStopped == nil { distribute() } else { reportIfStopped() }
        stopIfFinished()
    }

    private func reap(_ id: ObjectIdentifier) {
        guard let index = idle.firstIndex(where: { ObjectIdentifier($0.environment) == id }) else {
            return
        }
        idle.remove(at: index).environment.end(.stopped)
    }

    private func reportIfStopped() {
        guard environments.isEmpty, let report = onStopped else { return }
        onStopped = {}
        report()
    }
}
