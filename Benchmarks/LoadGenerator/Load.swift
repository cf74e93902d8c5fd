import JSON
import Posix

/// One run: every client on one event loop, until the time is up or the messages are done.
final class Load: Sendable {
    /// How long a run waits for what its clients have begun.
    private static let patience = Duration.seconds(5)

    private struct Run {
        var start: UInt64
        var end: UInt64?
        var working: Int
    }

    let loop: EventLoop
    let options: LoadOptions
    private let counts: LoopConfined<Counts>
    private let run: ThreadCondition<Run>

    private init(_ options: LoadOptions, clients: Int) throws {
        self.options = options
        loop = try EventLoop(name: "load")
        counts = LoopConfined(Counts(limit: options.count), loop: loop)
        run = ThreadCondition(Run(start: SystemClock.monotonicNanoseconds(), working: clients))
    }

    /// What was counted, as JSON.
    static func run(_ scripts: [any Script], _ options: LoadOptions) throws -> JSONValue {
        let load = try Load(options, clients: scripts.count)
        let clients = scripts.map { Client($0, load) }
        load.loop.execute { for client in clients { client.start() } }
        let isWarm = Duration.seconds(options.warmup)
        if options.warmup > 0 { load.loop.schedule(after: isWarm) { load.startOver() } }
        load.loop.schedule(after: isWarm + .seconds(options.seconds)) { load.end() }
        let seconds = load.run.wait { run in run.end.map { Double($0 - run.start) / 1e9 } }
        let result = ThreadCondition<JSONValue?>(nil)
        load.loop.execute {
            result.withLock { $0 = load.counted { $0.json(seconds: seconds) } }
            load.counted { $0.limit = 0 }
            result.signal()
        }
        let json = result.wait { $0 }
        if scripts.contains(where: \.isFinished) {
            _ = load.run.wait(upTo: patience) { $0.working == 0 ? true : nil }
        }
        return json
    }

    /// On the loop.
    func counted<R>(_ body: (inout Counts) -> R) -> R { counts.with(body) }

    /// A client has nothing left to do; on the loop.
    func leave() {
        run.withLock { $0.working -= 1 }
        if run.withLock({ $0.working == 0 }) { end() }
    }

    private func startOver() {
        counts.with { $0 = Counts(limit: $0.limit) }
        run.withLock { $0.start = SystemClock.monotonicNanoseconds() }
    }

    private func end() {
        run.withLock { $0.end = $0.end ?? SystemClock.monotonicNanoseconds() }
        run.signal()
    }
}
