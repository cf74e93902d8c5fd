import HTTP
import JSON
import Posix
import StackModel
import Synchronization

/// A stack that runs: ports, threads, and the runtime of what is deployed. A command makes a
/// private one, does its work, and stops it; `serve` keeps one.
package final class StackServer: Sendable {
    /// Calls of the endpoint that may block and are worked on at once.
    private static let workers = 64
    /// Requests that found the old runtime just before another took its place may still invoke.
    private static let replaceGrace = Duration.seconds(1)
    /// How much of the files that this process may open can be connections, in percent: those of
    /// one port, and of all. The rest is for journals and functions.
    private static let filesOfPort = 50
    private static let filesOfPorts = 60
    /// How long the last answers may take to leave, once nothing runs any more.
    private static let farewell = Duration.seconds(5)

    package let host: RuntimeHost
    private let options: ServerOptions
    private let endpointServer: HTTPServer
    private let gatewayServer: HTTPServer?
    private let log: RequestLog?
    private let control = ControlEndpoint()
    let gatewayHost: Gateway.Host?
    private let events: EventInvoker
    /// They serve the endpoint's connections where there are many; all else is on the host's loop.
    private let helpers: [EventLoop]
    private let deployed = DeployedRuntime()
    private let doors: StackDoors
    /// Runtimes that were replaced and still run.
    let retiring = ThreadCondition(0)
    /// Gateways that were replaced and may have requests without an answer: they come to functions
    /// that later deployments have taken over.
    private let formerGateways = Mutex<[Gateway]>([])
    /// Held while one deployment takes over from another, and while the end begins.
    private let turning = Mutex(())

    /// Listens, and answers, from here on.
    ///
    /// - Parameters:
    ///   - guardExecutable: an `msorch` that guards the functions' processes.
    ///   - monitor: gets what functions do and say.
    ///   - warn: gets what a person should know, a sentence each; from any thread.
    /// - Throws: `ServerError`, and whatever keeps a deployment from running.
    package init(
        _ deployment: Deployment, queues: QueueDirectory, options: ServerOptions = ServerOptions(),
        clock: StackClock = StackClock(), guardExecutable: String, monitor: Monitor,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        self.options = options
        let loop = try EventLoop(name: "msorch-loop")
        helpers = try (1..<options.loops).map { try EventLoop(name: "msorch-loop-\($0)") }
        let pool = WorkerPool(name: "endpoint", limit: Self.workers)
        let later: Monitor.Schedule = { delay, work in
            loop.schedule(after: delay) { pool.execute(work) }
        }
        let state = deployment.stateDirectory
        log =
            options.logsRequests
            ? RequestLog(stateDirectory: state, clock: clock, schedule: later) : nil
        let doors = StackDoors(options, log: log)
        let room = SharedRoom(connections: Self.share(Self.filesOfPorts), loop: loop)
        endpointServer = try Self.listen(
            options.host, options.port, loop, helpers, room, refusal: doors.refuseAtEndpoint,
            log: log, doors.enterEndpoint)
        gatewayServer = try options.gatewayPort.map { [log] port in
            try Self.listen(
                options.host, port, loop, [], room, limits: Gateway.httpLimits,
                refusal: doors.refuseAtGateway, log: log, doors.enterGateway)
        }
        self.doors = doors
        host = RuntimeHost(
            loop: loop, pool: pool, queues: queues,
            polls: LongPolls(loop: loop, workers: pool, queues: queues),
            moveTasks: MoveTaskRunner(queues, warn: warn), clock: clock,
            monitor: monitor,
            endpointURL: Self.url(of: endpointServer),
            guardExecutable: guardExecutable, warn: warn)
        monitor.write(by: later)
        gatewayHost =
            gatewayServer == nil
            ? nil
            : Gateway.Host(
                loop: loop,
                pool: WorkerPool(name: "gateway", limit: max(2, ProcessEnvironment.processorCount)),
                clock: clock, usage: GatewayUsage(stateDirectory: state),
                observe: monitor.observe)
        // Not by the doors: who answers there has the events in hand, and would keep them for good.
        events = try EventInvoker(stateDirectory: state, on: host) { [deployed] in
            deployed.runtime
        }
        try open(deployment)
    }

    private static func listen(
        _ host: String, _ port: UInt16, _ loop: EventLoop, _ helpers: [EventLoop],
        _ room: SharedRoom,
        limits: HTTPLimits = HTTPLimits(),
        refusal: @escaping HTTPServer.Refusal, log: RequestLog?,
        _ handler: @escaping HTTPServer.Handler
    ) throws(ServerError) -> HTTPServer {
        var limits = limits
        limits.connections = min(limits.connections, share(filesOfPort))
        do throws(SystemError) {
            return try HTTPServer(
                loop: loop, helpers: helpers, host: host, port: port, limits: limits, room: room,
                refusal: refusal, observer: log.map { $0.record }, handler: handler)
        } catch  where error.isAddressInUse {
            throw .portInUse(port, holder: PortHolder.find(port))
        } catch {
            throw .cannotListen("\(HostAddress.inURL(host)):\(port)", reason: error.reason)
        }
    }

    private static func share(_ percent: Int) -> Int {
        max(1, ProcessEnvironment.fileLimit * percent / 100)
    }

    /// The runtime of what is deployed now.
    package var runtime: StackRuntime { deployed.runtime }
    /// The gateway of what is deployed now.
    var gateway: Gateway? { doors.open?.gateway }

    /// `http://127.0.0.1:4566`, as seen from this machine.
    package var endpointURL: String { host.endpointURL }
    package var gatewayURL: String? { gatewayServer.map(Self.url) }

    private static func url(of server: HTTPServer) -> String {
        "http://\(HostAddress.inURL(HostAddress.reaching(server.host))):\(server.port)"
    }

    /// From now on this deployment answers.
    /// - Returns: the one that did before, which still runs.
    @discardableResult
    private func open(_ deployment: Deployment) throws -> StackRuntime? {
        var deployment = deployment
        if let mode = options.iamMode { deployment.stack = deployment.stack.with(iamMode: mode) }
        let previous = deployed.latest
        let runtime = try StackRuntime(deployment, on: host, after: previous)
        let gateway = try gatewayHost.map { host in
            let keys = APIKeyStore(stateDirectory: deployment.stateDirectory)
            return Gateway(
                deployment.stack, on: host, backend: runtime, authorizer: runtime.authorizer,
                keyValues: try keys.load(), tokens: runtime.tokens)
        }
        let next = StackDoors.Open(
            endpoint: EndpointRouter(runtime, control: control, events: events), gateway: gateway)
        deployed.set(runtime)
        doors.open(next)
        return previous
    }

    /// Lets new functions take over; what runs of the old ones comes to its end.
    /// - Returns: whether they do: not once the server was told to finish.
    package func replace(by deployment: Deployment) throws -> Bool {
        try turning.withLock { _ in
            guard !control.isStopping else { return false }
            let gateway = gateway
            if let previous = try open(deployment) { retire(previous, gateway) }
            if options.deliversMessages { startDelivery() }
            return true
        }
    }

    /// What runs of `previous`, and what waits in its gateway or in one before, comes to its end;
    /// then it is gone.
    private func retire(_ previous: StackRuntime, _ gateway: Gateway?) {
        retiring.withLock { $0 += 1 }
        let former = formerGateways.withLock { former in
            if let gateway { former.append(gateway) }
            return former
        }
        let successor = runtime
        let retire: @Sendable () -> Void = { [self] in
            previous.retire(
                upTo: options.replaceLimit, grace: Self.replaceGrace, for: successor,
                isHurried: { [control] in control.isHurried },
                hasNoCallers: { step in former.allSatisfy { $0.waitForAnswers(upTo: step) } })
            formerGateways.withLock { $0.removeAll { $0.waitForAnswers(upTo: .zero) } }
            retiring.withLock { $0 -= 1 }
            retiring.signal()
        }
        // Not on the pool, if it can be: this may take as long as the longest invocation.
        if let thread = try? Thread(name: "retire", retire) {
            thread.detach()
        } else {
            host.pool.execute(retire)
        }
    }

    /// Delivers messages and events to their functions from here on.
    package func startDelivery() {
        runtime.startDelivery()
        events.start()
    }

    /// Keeps an event for a function, and runs it.
    /// - Returns: the request ID of its invocations.
    func accept(_ payload: [UInt8], for function: FunctionDefinition) throws -> String {
        try events.accept(payload, for: function)
    }

    /// Goes on with events that other processes have added.
    func resumeEvents() { events.start() }

    /// Requests that know of a newer deployment come to `body`, which brings it and dispatches
    /// them.
    func follow(_ body: ControlEndpoint.CatchUp?) { control.follow(body) }

    /// Gives a request to what is deployed now; on the loop.
    func dispatch(_ request: HTTPRequest, _ responder: HTTPResponder) {
        doors.open?.endpoint.handle(request, responder)
    }

    /// Takes nothing new, lets what runs come to its end, and ends everything.
    ///
    /// - Parameter isHurried: whether nobody wants to wait any more.
    package func finish(isHurried: () -> Bool) {
        turning.withLock { _ in
            control.beginToStop()
            runtime.beginToStopDelivery()
        }
        host.polls.stop()
        events.stop()
        host.moveTasks.stop()
        let start = SystemClock.monotonicNanoseconds()
        // Functions that run call the endpoint; it stays open for them.
        if let gatewayServer { Self.wait(for: gatewayServer, options.finishLimit, isHurried) }
        let spent = Duration.nanoseconds(Int64(SystemClock.monotonicNanoseconds() - start))
        runtime.retire(
            upTo: max(.zero, options.finishLimit - spent), isHurried: isHurried)
        // What runs of those that were replaced has as long.
        PatientWait.until(start + options.finishLimit.nanoseconds, unless: isHurried) { step in
            retiring.wait(upTo: step) { $0 == 0 ? true : nil } ?? false
        }
        control.hurry()
        _ = retiring.wait(upTo: Self.farewell) { $0 == 0 ? true : nil }
        // Nothing runs any more: what was cut off is given back, also where nobody wants to wait.
        events.waitForEvents(upTo: Self.farewell)
        Self.wait(for: endpointServer, Self.farewell, isHurried)
        // A disk that is full must not keep a server from ending.
        try? gatewayHost?.usage.save()
        stop()
        log?.flush()
    }

    /// Lets a port's requests come to their end.
    private static func wait(for server: HTTPServer, _ limit: Duration, _ isHurried: () -> Bool) {
        let isGone = ThreadCondition(false)
        server.finish {
            isGone.withLock { $0 = true }
            isGone.signal()
        }
        let end = SystemClock.monotonicNanoseconds() + limit.nanoseconds
        PatientWait.until(end, unless: isHurried) { step in
            isGone.wait(upTo: step) { $0 ? true : nil } ?? false
        }
    }

    /// Ends every process and waits until they are gone. What functions said last is the monitor's
    /// to flush.
    package func stop() {
        events.stop()
        host.moveTasks.stop()
        runtime.stop()
        host.monitor.write(by: nil)
        gatewayServer?.stop()
        endpointServer.stop()
        host.loop.shutdown()
        for helper in helpers { helper.shutdown() }
        events.close()
    }
}
