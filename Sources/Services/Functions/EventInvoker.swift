import FunctionModel
import JSON
import Journal
import Posix
import QueueModel
import StackModel
import Synchronization
import Telemetry

/// Asynchronous invocations (Lambda guide, *invocation-async*). An event waits in a journal of its
/// function's own, `events/NAME`, until the function has taken it: what was accepted survives this
/// process, and the next server goes on with it.
package final class EventInvoker: Sendable {
    /// Of one event.
    package static let payloadBytes = 1_048_576
    /// Lambda waits so long before the first and the second retry.
    private static let retrySeconds: [Int64] = [60, 120]
    /// An event that the function has no room for is tried again after 1 s, 2 s, … up to this.
    private static let throttleSecondsMax: Int64 = 300
    /// How much longer than the function's timeout an event stays hidden, for its cold start.
    private static let hiddenSeconds: Int64 = 30

    /// A journal that cannot be read is tried again after so many milliseconds.
    private static let damagePause: Int32 = 5000

    private struct State {
        var isStopped = false
        var pollers: Set<String> = []
        /// Events that run or wait for room, by function.
        var running: [String: Int] = [:]
    }

    private typealias Event = AsynchronousEvent

    private let host: RuntimeHost
    private let events: EventStore
    private let backend: @Sendable () -> any EventBackend
    /// How long one look for events waits for one.
    private let wait: Duration
    private let interruption: Interruption
    private let state = ThreadCondition(State())

    /// - Parameters:
    ///   - wait: how long one look for events waits for one, by the system's clock: 0 to 20 s.
    ///   - backend: what is deployed now.
    init(
        stateDirectory: String, on host: RuntimeHost, wait: Duration = .seconds(20),
        backend: @escaping @Sendable () -> any EventBackend
    ) throws {
        self.host = host
        self.wait = wait
        self.backend = backend
        interruption = try Interruption()
        events = EventStore(stateDirectory: stateDirectory, clock: host.clock)
    }

    /// Goes on with the events that wait, those that other processes have added, too.
    func start() {
        let functions = backend().stack.functions.map(\.functionName)
        for name in (try? events.functionNames()) ?? [] where functions.contains(name) {
            poll(name)
        }
    }

    /// Begins nothing more; what runs comes back with the next server unless it ends before this
    /// process does.
    func stop() {
        state.withLock { $0.isStopped = true }
        state.signal()
        interruption.signal()
    }

    /// After `stop`, and once no function runs: waits until what became of every event is written.
    /// - Returns: whether it is.
    @discardableResult
    func waitForEvents(upTo limit: Duration) -> Bool {
        state.wait(upTo: limit) { $0.running.values.allSatisfy { $0 == 0 } ? true : nil } ?? false
    }

    /// After `stop`.
    func close() { events.close() }

    /// Keeps an event for its function; it is durable when this returns.
    /// - Returns: the request ID of its invocations.
    func accept(_ payload: [UInt8], for function: FunctionDefinition) throws -> String {
        let id = try events.accept(payload, for: function)
        let name = function.functionName
        host.monitor.record(
            LambdaMetrics.event("AsyncEventsReceived", 1, function: name, time: host.clock.now()))
        poll(name)
        return id
    }

    private func poll(_ name: String) {
        let isNew = state.withLock { state in
            !state.isStopped && state.pollers.insert(name).inserted
        }
        guard isNew else { return }
        do {
            let thread = try Thread(name: "events") { [self] in
                do {
                    while try deliverNext(name) {}
                } catch {
                    host.warn("Events of \(name) cannot be read: \(error)")
                    interruption.wait(milliseconds: Self.damagePause)
                }
                _ = state.withLock { $0.pollers.remove(name) }
                if target(name) != nil { poll(name) }  // again since just now
            }
            thread.detach()
        } catch {
            _ = state.withLock { $0.pollers.remove(name) }
            host.warn("Events of \(name) wait: \(error)")
        }
    }

    /// What runs a function's events now; `nil` until a deployment brings it back.
    private func target(
        _ name: String
    ) -> (backend: any EventBackend, function: FunctionDefinition)? {
        let backend = backend()
        return backend.stack.functions.first { $0.functionName == name }.map { (backend, $0) }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    /// - Returns: whether to go on.
    private func deliverNext(_ name: String) throws -> Bool {
        guard let (backend, function) = target(name) else { return false }
        // A function without concurrency gets its events all the same: it refuses, and they end.
        let limit = max(1, backend.environmentLimit(of: function))
        let room = state.wait { state -> Int? in
            if state.isStopped { return 0 }
            let room = limit - (state.running[name] ?? 0)
            return room > 0 ? room : nil
        }
        guard room > 0 else { return false }
        let deliveries = try events.queue(name).receive(
            upTo: min(10, room), timeoutSeconds: function.timeoutSeconds + Self.hiddenSeconds,
            wait: wait, isCounted: false, interruption: interruption,
            isCancelled: { self.isStopped })
        state.withLock { $0.running[name, default: 0] += deliveries.count }
        // Another deployment may have taken over while nothing came.
        let target = target(name) ?? (backend, function)
        for delivery in deliveries {
            var event = Event(delivery)
            if target.function.timeoutSeconds > function.timeoutSeconds {
                guard hide(&event, target.function) else { continue }
            }
            run(event, target.function, target.backend)
        }
        return true
    }

    /// Hides an event for as long as the function may take by now.
    /// - Returns: whether that was written; it must not run otherwise, since it comes again.
    private func hide(_ event: inout Event, _ function: FunctionDefinition) -> Bool {
        let seconds = function.timeoutSeconds + Self.hiddenSeconds
        let end = host.clock.now() + .seconds(seconds)
        do {
            try events.queue(function.functionName)
                .changeVisibility(of: event.handle, toSeconds: seconds)
            event.hiddenUntil = end
            return true
        } catch {
            host.warn("An event of \(function.key) is tried again later: \(error)")
            release(function)
            return false
        }
    }

    private func run(
        _ event: Event, _ function: FunctionDefinition, _ backend: any EventBackend
    ) {
        let now = host.clock.now()
        guard now <= event.accepted + .seconds(function.maximumEventAgeSeconds) else {
            return end(event, function, .eventAgeExceeded, nil)
        }
        host.monitor.record(
            LambdaMetrics.event(
                "AsyncEventAge", Double((now - event.accepted) / .milliseconds(1)),
                unit: .milliseconds, function: function.functionName, time: now))
        // It must have come to its end before somebody else may run it.
        let end = event.hiddenUntil - .seconds(function.timeoutSeconds)
        backend.invoke(
            function, payload: event.payload, requestID: event.id, clientContext: nil,
            notAfter: end
        ) { [self] outcome in
            host.pool.execute { [self] in conclude(event, function, outcome) }
        }
    }

    private func conclude(
        _ event: Event, _ function: FunctionDefinition,
        _ outcome: Result<InvocationResult, InvocationError>
    ) {
        switch outcome {
        case .success(let result) where result.failure == nil:
            end(event, function, .success, result)
        case .success(let result) where result.wasCutOff && isStopped:
            postpone(event, function, bySeconds: 0)
        case .success(let result):
            var event = event
            event.failures += 1
            guard event.failures <= function.maximumRetryAttempts else {
                return end(event, function, .retriesExhausted, result)
            }
            retry(event, function)
        case .failure where function.reservedConcurrency == 0, .failure(.payloadTooLarge):
            end(event, function, .retriesExhausted, nil)
        case .failure(.stopped) where isStopped: postpone(event, function, bySeconds: 0)
        case .failure:
            let doublings = min(event.receiveCount - 1, 10)
            postpone(
                event, function,
                bySeconds: min(Self.throttleSecondsMax, Int64(1) << max(0, doublings)))
        }
    }

    /// A crash between the two steps runs it once too often, as Lambda may.
    private func retry(_ event: Event, _ function: FunctionDefinition) {
        let seconds = Self.retrySeconds[min(event.failures, Self.retrySeconds.count) - 1]
        do {
            let queue = try events.queue(function.functionName)
            _ = try queue.send([event.retry(afterSeconds: seconds)])[0].get()
            _ = try queue.delete([event.handle])
        } catch {
            host.warn("An event of \(function.key) is tried again early: \(error)")
        }
        release(function)
    }

    /// It has not run, or not to its end; its time goes on.
    private func postpone(
        _ event: Event, _ function: FunctionDefinition, bySeconds seconds: Int64
    ) {
        // Once it is no longer hidden it comes again by itself.
        guard host.clock.now() < event.hiddenUntil else { return release(function) }
        do {
            try events.queue(function.functionName)
                .changeVisibility(of: event.handle, toSeconds: seconds)
        } catch {
            host.warn("An event of \(function.key) is tried again early: \(error)")
        }
        release(function)
    }

    /// The event is over: its destination is told, and it is deleted.
    private func end(
        _ event: Event, _ function: FunctionDefinition, _ condition: EventOutcome.Condition,
        _ result: InvocationResult?
    ) {
        let outcome = EventOutcome(
            requestID: event.id, functionARN: backend().stack.functionARN(function),
            condition: condition, attempts: event.failures,
            payload: event.payload, result: result)
        let name = function.functionName
        let target = condition == .success ? function.onSuccess : function.onFailure
        do {
            if let target { try tell(target, outcome, by: function) }
        } catch {
            record("DestinationDeliveryFailures", name)
            let role = condition == .success ? "onSuccess" : "onFailure"
            let cause =
                (error as? SQSError)?.message ?? (error as? LambdaError)?.message ?? "\(error)"
            host.warn(
                "\(target ?? ""), the \(role) destination of \(function.key), was not told what "
                    + "became of event \(event.id): \(cause)")
        }
        if condition != .success { record("AsyncEventsDropped", name) }
        do {
            _ = try events.queue(name).delete([event.handle])
        } catch {
            host.warn("An event of \(function.key) may be run again: \(error)")
        }
        release(function)
    }

    private func tell(
        _ target: String, _ outcome: EventOutcome, by sender: FunctionDefinition
    ) throws {
        let record = Array(outcome.json(at: host.clock.now()).serialized().utf8)
        if let function = backend().stack.function(target) {
            guard record.count <= Self.payloadBytes else {
                throw LambdaError.eventTooLarge(bytes: record.count, limit: Self.payloadBytes)
            }
            _ = try accept(record, for: function)
            return
        }
        var entry = SendEntry(
            body: record, attributes: try MessageAttributes(nil), group: nil, deduplicationID: nil)
        entry.sender = Principal.uniqueID(ofARN: backend().stack.roleARN(of: sender))
        _ = try host.queues.queue(target).send([entry])[0].get()
    }

    private func record(_ metric: String, _ name: String) {
        host.monitor.record(
            LambdaMetrics.event(metric, 1, function: name, time: host.clock.now()))
    }

    private func release(_ function: FunctionDefinition) {
        state.withLock { $0.running[function.functionName, default: 1] -= 1 }
        state.signal()
    }
}
