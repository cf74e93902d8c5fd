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
        /// How often an event has failed so far; what another process saw is not known.
        var failures: [String: Int] = [:]
    }

    /// One event that was received.
    private struct Event: Sendable {
        var id: String
        var handle: String
        var payload: [UInt8]
        var accepted: Timestamp
        var receiveCount: Int64
    }

    private let host: RuntimeHost
    private let events: QueueDirectory
    private let runtime: @Sendable () -> StackRuntime
    private let interruption: Interruption
    private let state = ThreadCondition(State())

    /// - Parameter runtime: what is deployed now.
    init(
        stateDirectory: String, on host: RuntimeHost,
        runtime: @escaping @Sendable () -> StackRuntime
    ) throws {
        self.host = host
        self.runtime = runtime
        interruption = try Interruption()
        events = QueueDirectory(stateDirectory: "\(stateDirectory)/events")
    }

    /// Goes on with the events that wait.
    func start() {
        let functions = runtime().deployment.stack.functions.map(\.functionName)
        for name in (try? events.names()) ?? [] where functions.contains(name) { poll(name) }
    }

    /// Begins nothing more; what runs comes back with the next server unless it ends before this
    /// process does.
    func stop() {
        state.withLock { $0.isStopped = true }
        state.signal()
        interruption.signal()
    }

    /// Keeps an event for its function; it is durable when this returns.
    /// - Returns: the request ID of its invocations.
    func accept(_ payload: [UInt8], for function: FunctionDefinition) throws -> String {
        let name = function.functionName
        if try !events.names().contains(name) {
            var settings = QueueSettings()
            settings.retentionSeconds = QueueLimits.retentionSeconds.upperBound
            do {
                try events.create(name, settings)
            } catch QueueError.exists {
                // Two events came at once.
            }
        }
        var escaped: [UInt8] = []
        JSONWriter.appendEscaped(payload, to: &escaped)
        // Not a client's message: neither its characters nor its size are SQS's business.
        let sent = try events.queue(name).send([SendEntry(escapedBody: escaped, size: 1)])
        host.monitor.record(
            LambdaMetrics.event("AsyncEventsReceived", 1, function: name, time: host.clock.now()))
        poll(name)
        return try sent[0].get().messageID
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
    private func target(_ name: String) -> (runtime: StackRuntime, function: FunctionDefinition)? {
        let runtime = runtime()
        return runtime.deployment.stack.functions.first { $0.functionName == name }
            .map { (runtime, $0) }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    /// - Returns: whether to go on.
    private func deliverNext(_ name: String) throws -> Bool {
        guard let (runtime, function) = target(name) else { return false }
        // A function without concurrency gets its events all the same: it refuses, and they end.
        let limit = max(1, runtime.environmentLimit(of: function))
        let room = state.wait { state -> Int? in
            if state.isStopped { return 0 }
            let room = limit - (state.running[name] ?? 0)
            return room > 0 ? room : nil
        }
        guard room > 0 else { return false }
        let deliveries = try events.queue(name).receive(
            upTo: min(10, room), timeoutSeconds: function.timeoutSeconds + Self.hiddenSeconds,
            wait: .seconds(20), isCounted: false, interruption: interruption,
            isCancelled: { self.isStopped })
        state.withLock { $0.running[name, default: 0] += deliveries.count }
        // Another deployment may have taken over while nothing came.
        let target = target(name) ?? (runtime, function)
        for delivery in deliveries {
            let event = Event(
                id: delivery.received.entry.messageID, handle: delivery.received.handle.text,
                payload: delivery.body, accepted: delivery.received.entry.sent,
                receiveCount: Int64(delivery.received.receiveCount))
            run(event, target.function, target.runtime)
        }
        return true
    }

    private func run(_ event: Event, _ function: FunctionDefinition, _ runtime: StackRuntime) {
        let now = host.clock.now()
        guard now <= event.accepted + .seconds(function.maximumEventAgeSeconds) else {
            return end(event, function, .eventAgeExceeded, nil)
        }
        host.monitor.record(
            LambdaMetrics.event(
                "AsyncEventAge", Double((now - event.accepted) / .milliseconds(1)),
                unit: .milliseconds, function: function.functionName, time: now))
        runtime.invoke(
            function, payload: event.payload, requestID: event.id, clientContext: nil
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
        case .success(let result):
            let failures = state.withLock { state in
                state.failures[event.id, default: 0] += 1
                return state.failures[event.id] ?? 1
            }
            guard failures <= function.maximumRetryAttempts else {
                return end(event, function, .retriesExhausted, result)
            }
            retry(event, function, afterSeconds: Self.retrySeconds[min(failures, 2) - 1])
        case .failure where function.reservedConcurrency == 0:
            end(event, function, .retriesExhausted, nil)
        case .failure(.stopped) where isStopped: release(function)
        case .failure:
            let doublings = min(event.receiveCount - 1, 10)
            retry(
                event, function,
                afterSeconds: min(Self.throttleSecondsMax, Int64(1) << max(0, doublings)))
        }
    }

    private func retry(
        _ event: Event, _ function: FunctionDefinition, afterSeconds seconds: Int64
    ) {
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
            requestID: event.id, functionARN: runtime().deployment.stack.functionARN(function),
            condition: condition, attempts: state.withLock { $0.failures[event.id] ?? 0 },
            payload: event.payload, result: result)
        let name = function.functionName
        do {
            let target = condition == .success ? function.onSuccess : function.onFailure
            if let target { try tell(target, outcome) }
        } catch {
            record("DestinationDeliveryFailures", name)
            host.warn("The destination of an event of \(function.key) was not told: \(error)")
        }
        if condition != .success { record("AsyncEventsDropped", name) }
        do {
            _ = try events.queue(name).delete([event.handle])
        } catch {
            host.warn("An event of \(function.key) may be run again: \(error)")
        }
        _ = state.withLock { $0.failures.removeValue(forKey: event.id) }
        release(function)
    }

    private func tell(_ target: String, _ outcome: EventOutcome) throws {
        let record = Array(outcome.json(at: host.clock.now()).serialized().utf8)
        if let function = runtime().deployment.stack.function(target) {
            _ = try accept(record, for: function)
            return
        }
        let entry = SendEntry(
            body: record, attributes: try MessageAttributes(nil), group: nil, deduplicationID: nil)
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
