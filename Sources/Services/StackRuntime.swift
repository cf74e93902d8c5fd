import Crypto
import FunctionModel
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// A stack that runs: its functions, and the endpoint through which they reach its queues. A
/// command makes a private one, does its work, and stops it.
package final class StackRuntime: Sendable {
    /// Calls of the endpoint that are worked on at once; long polls wait in here.
    private static let workers = 64
    /// How long stopping waits for processes to be gone.
    private static let patience = Duration.seconds(15)

    package let deployment: Deployment
    package let queues: QueueDirectory
    package let clock: StackClock
    private let monitor: Monitor
    private let loop: EventLoop
    private let pool = WorkerPool(name: "endpoint", limit: workers)
    private let server: HTTPServer
    private let functions: [String: FunctionPool]

    /// - Parameters:
    ///   - guardExecutable: an `msorch` that guards the functions' processes.
    ///   - monitor: gets what functions do and say.
    package init(
        _ deployment: Deployment, queues: QueueDirectory, clock: StackClock = StackClock(),
        guardExecutable: String, monitor: Monitor
    ) throws {
        self.monitor = monitor
        self.deployment = deployment
        self.queues = queues
        self.clock = clock
        loop = try EventLoop(name: "msorch-loop")
        let endpoint = SQSEndpoint(
            queues: queues, region: deployment.stack.region,
            accountID: deployment.stack.accountID,
            authorizer: try Authorizer(deployment, clock: clock) { monitor.observe($0) })
        server = try HTTPServer(loop: loop) { [pool] request, responder in
            let isGone = Flag()
            responder.onDisconnect { isGone.set() }
            pool.execute {
                responder.respond(endpoint.respond(to: request, isCancelled: { isGone.isSet }))
            }
        }
        let state = deployment.stateDirectory
        let runtimes = "\(state)/runtimes"
        try RuntimeClients.install(in: runtimes)
        let host = FunctionHost(
            loop: loop, region: deployment.stack.region,
            endpointURL: "http://127.0.0.1:\(server.port)", guardExecutable: guardExecutable,
            runtimeFolder: runtimes, temporaryFolder: "\(state)/run/environments", clock: clock,
            log: monitor.log)
        functions = Dictionary(
            uniqueKeysWithValues: try deployment.functions().map {
                ($0.definition.key, FunctionPool($0, host))
            })
    }

    /// Environments that a function may have at once.
    package func environmentLimit(of function: FunctionDefinition) -> Int {
        functions[function.key]?.limit ?? 1
    }

    /// Runs a function once; `completion` runs on the loop and must not block.
    package func invoke(
        _ function: FunctionDefinition, payload: [UInt8],
        completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
    ) {
        guard payload.count <= FunctionLimits.payloadBytes else {
            return completion(.failure(.payloadTooLarge(bytes: payload.count)))
        }
        guard let pool = functions[function.key] else {
            return completion(
                .failure(.noSuchFunction(function.key, existing: functions.keys.sorted())))
        }
        let root = String(clock.now().seconds, radix: 16)
        let trace =
            "Root=1-\(root)-\(Digest.hex(RandomBytes.make(count: 12)));"
            + "Parent=\(Digest.hex(RandomBytes.make(count: 8)));Sampled=0"
        let request = InvocationRequest(
            requestID: RandomBytes.uuid(), payload: payload, traceID: trace)
        pool.invoke(request) { [monitor] outcome in
            monitor.observe(outcome, function: function.functionName)
            completion(outcome)
        }
    }

    /// Runs a function once and waits for it.
    /// - Throws: `InvocationError`; `.stopped` when a signal asks this process to end.
    package func invoke(
        _ function: FunctionDefinition, payload: [UInt8]
    ) throws(InvocationError) -> InvocationResult {
        let outcome = ThreadCondition<Result<InvocationResult, InvocationError>?>(nil)
        invoke(function, payload: payload) { result in
            outcome.withLock { $0 = result }
            outcome.signal()
        }
        while Signals.termination == nil {
            if let result = outcome.wait(upTo: .milliseconds(50), { $0 }) {
                return try result.get()
            }
        }
        throw .stopped
    }

    /// Runs `work` later, on the loop; it must not block.
    func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) {
        loop.schedule(after: delay, work)
    }

    /// Runs `work`, which may block, on another thread.
    func perform(_ work: @escaping @Sendable () -> Void) { pool.execute(work) }

    /// Ends every process and waits until they are gone.
    package func stop() {
        let left = ThreadCondition(functions.count)
        for pool in functions.values {
            pool.stop {
                left.withLock { $0 -= 1 }
                left.signal()
            }
        }
        _ = left.wait(upTo: Self.patience) { $0 == 0 ? true : nil }
        server.stop()
        loop.shutdown()
    }
}

/// Set once, read from anywhere.
private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
