import Crypto
import FunctionModel
import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// One deployment that runs: its functions, who may call what, and what delivers messages. A server
/// replaces it when another is deployed.
package final class StackRuntime: Sendable {
    /// How long stopping waits for processes to be gone.
    private static let patience = Duration.seconds(15)
    /// How long it may take to write what became of the last batches, once nothing runs any more.
    private static let farewell = Duration.seconds(5)

    package let deployment: Deployment
    package let authorizer: Authorizer
    /// `nil` without users.
    package let userPool: UserPool?
    /// For `jwt` routes; `nil` if the stack names nobody whose tokens they take.
    package let tokens: TokenAuthorizer?
    let host: RuntimeHost
    private let functions: [String: FunctionPool]
    private let delivery = Mutex<Delivery?>(nil)

    package var queues: QueueDirectory { host.queues }
    package var clock: StackClock { host.clock }

    /// - Parameter previous: whose warm functions go on here, as far as they are the same.
    init(
        _ deployment: Deployment, on host: RuntimeHost, after previous: StackRuntime? = nil
    ) throws {
        self.deployment = deployment
        self.host = host
        authorizer = try Authorizer(deployment, clock: host.clock) { [monitor = host.monitor] in
            monitor.observe($0)
        }
        userPool = deployment.stack.userPool.map { definition in
            UserPool(
                definition, stateDirectory: deployment.stateDirectory, clock: host.clock,
                after: previous?.userPool
            ) { [warn = host.warn] username, code, purpose in
                warn("Nobody sends e-mail here: the \(purpose) of '\(username)' is \(code)")
            }
        }
        tokens = TokenAuthorizer(
            deployment, pool: userPool, clock: host.clock, warn: host.warn)
        let state = deployment.stateDirectory
        let runtimes = "\(state)/runtimes"
        try RuntimeClients.install(in: runtimes)
        let functionHost = FunctionHost(
            loop: host.loop, region: deployment.stack.region, endpointURL: host.endpointURL,
            guardExecutable: host.guardExecutable, runtimeFolder: runtimes,
            temporaryFolder: Self.environments(state), clock: host.clock,
            log: host.monitor.log, hasRoomForLog: { [monitor = host.monitor] in monitor.hasRoom })
        let isSameRegion = previous?.deployment.stack.region == deployment.stack.region
        functions = Dictionary(
            uniqueKeysWithValues: try deployment.functions().map { function in
                let key = function.definition.key
                if isSameRegion, let known = previous?.functions[key], known.function == function {
                    return (key, known)
                }
                return (key, FunctionPool(function, functionHost))
            })
        if previous == nil { host.pool.execute { [self] in removeAbandoned() } }
    }

    private static func environments(_ stateDirectory: String) -> String {
        "\(stateDirectory)/run/environments"
    }

    /// Removes the private folders of functions whose guards were killed.
    func removeAbandoned() {
        ProcessGuard.removeAbandoned(in: Self.environments(deployment.stateDirectory))
    }

    /// The access keys of the functions' roles.
    var roleKeys: Set<String> {
        Set(functions.values.map { $0.function.credentials.accessKeyID })
    }

    /// Environments that a function may have at once.
    package func environmentLimit(of function: FunctionDefinition) -> Int {
        functions[function.key]?.limit ?? 1
    }

    /// Runs a function once; `completion` runs on the loop and must not block.
    ///
    /// - Parameter notAfter: if it has not begun by then, it is throttled; `nil` waits.
    package func invoke(
        _ function: FunctionDefinition, payload: [UInt8], notAfter: Timestamp?,
        completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
    ) {
        invoke(
            function, payload: payload, requestID: RandomBytes.uuid(), clientContext: nil,
            notAfter: notAfter, completion: completion)
    }

    /// As above, under a request ID that is known already.
    ///
    /// - Parameter clientContext: JSON.
    package func invoke(
        _ function: FunctionDefinition, payload: [UInt8], requestID: String,
        clientContext: String?, notAfter: Timestamp?,
        completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
    ) {
        guard payload.count <= FunctionLimits.requestBytes else {
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
            requestID: requestID, payload: payload, traceID: trace, clientContext: clientContext,
            notAfter: notAfter)
        pool.invoke(request) { [monitor = host.monitor] outcome in
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
        invoke(function, payload: payload, notAfter: nil) { result in
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
        host.loop.schedule(after: delay, work)
    }

    /// Runs `work`, which may block, on another thread.
    func perform(_ work: @escaping @Sendable () -> Void) { host.pool.execute(work) }

    /// From here on messages are delivered to the functions with triggers, until `stop` or
    /// `retire`.
    func startDelivery() {
        delivery.withLock { delivery in
            if delivery == nil { delivery = Delivery(self) }
        }
    }

    /// Soon no further batch begins; `retire` and `stop` wait for that.
    func beginToStopDelivery() { delivery.withLock { _ = $0?.beginToStop() } }

    /// Begins no further batch.
    @discardableResult
    private func stopDelivery() -> Delivery? {
        let delivery = delivery.withLock { $0.take() }
        delivery?.stop()
        return delivery
    }

    /// Lets what runs come to its end, up to `limit`, and ends all processes but those of functions
    /// that go on in `successor`. Blocks, also until it is written what became of its batches.
    ///
    /// - Parameters:
    ///   - grace: how long others who hold this runtime may still invoke.
    ///   - isHurried: whether nobody wants to wait any more.
    ///   - hasNoCallers: whether nobody is left who is known to come; may block for as long as it
    ///     is given.
    func retire(
        upTo limit: Duration, grace: Duration = .zero, for successor: StackRuntime? = nil,
        isHurried: () -> Bool = { false }, hasNoCallers: (Duration) -> Bool = { _ in true }
    ) {
        let delivery = stopDelivery()
        let leaving = functions.values.filter { pool in
            successor?.functions[pool.function.definition.key] !== pool
        }
        let end = SystemClock.monotonicNanoseconds() + limit.nanoseconds
        PatientWait.until(end, unless: isHurried, hasNoCallers)
        let left = ThreadCondition(leaving.count)
        for pool in leaving {
            pool.finish(after: grace) {
                left.withLock { $0 -= 1 }
                left.signal()
            }
        }
        let areGone = PatientWait.until(end, unless: isHurried) { step in
            left.wait(upTo: step) { $0 == 0 ? true : nil } ?? false
        }
        if !areGone { stop(leaving) }
        // A message whose batch went well must not come again. Some may still run, in functions
        // that go on.
        guard let delivery else { return }
        guard areGone || successor != nil else {
            // Every batch has ended, also those that no function has seen.
            _ = delivery.waitForBatches(upTo: Self.farewell)
            return
        }
        let farewell = SystemClock.monotonicNanoseconds() + Self.farewell.nanoseconds
        PatientWait.until(max(end, farewell), unless: isHurried, delivery.waitForBatches)
    }

    /// Ends every process and waits until they are gone.
    package func stop() {
        stopDelivery()
        stop(Array(functions.values))
    }

    private func stop(_ pools: [FunctionPool]) {
        let left = ThreadCondition(pools.count)
        for pool in pools {
            pool.stop {
                left.withLock { $0 -= 1 }
                left.signal()
            }
        }
        _ = left.wait(upTo: Self.patience) { $0 == 0 ? true : nil }
    }
}
