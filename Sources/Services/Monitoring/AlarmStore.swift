import JSON
import Posix
import StackModel
import Telemetry

/// The stack's alarms: looks at the stored metrics, and keeps every change of state.
package struct AlarmStore: Sendable {
    /// How far back it looks for what happened while nobody was looking.
    private static let lookBack = Duration.seconds(86_400)
    private static let lockPatience = Duration.seconds(5)

    private let path: String
    private let metrics: MetricStore

    package init(stateDirectory: String) {
        path = "\(stateDirectory)/alarms.jsonl"
        metrics = MetricStore(stateDirectory: stateDirectory)
    }

    /// The alarms of a stack.
    package static func definitions(_ stack: Stack) -> [AlarmDefinition] {
        (stack.json["alarms"]?.objectValue?.members ?? []).compactMap { name, json in
            AlarmDefinition(name: name, json: json) { function in
                stack.function(function)?.functionName ?? function
            }
        }
    }

    /// Every change of state so far, oldest first.
    package func transitions() throws(SystemError) -> [AlarmTransition] {
        guard FileSystem.exists(path) else { return [] }
        return try FileSystem.read(path).split(separator: 0x0A).compactMap { line in
            (try? JSONValue.parse(Array(line))).flatMap { AlarmTransition(json: $0) }
        }
    }

    /// What a look at the alarms found.
    package struct Evaluation: Sendable {
        package var alarms: [(definition: AlarmDefinition, state: AlarmState)]
        /// What changed, oldest first.
        package var transitions: [AlarmTransition]
    }

    /// Brings every alarm up to `now`, and keeps what changed.
    ///
    /// - Parameter act: gets every alarm that changed, as it is now: what an alarm went through
    ///   while nobody looked counts as one change. Runs before the change is kept: a crash in
    ///   between repeats it.
    package func evaluate(
        _ deployment: Deployment, now: Timestamp, act: (AlarmChange) -> Void
    ) throws(SystemError) -> Evaluation {
        let file = try FileDescriptor(appendingTo: path)
        try lock(file)
        defer { file.unlock() }
        let before = try transitions()
        let alarms = Self.definitions(deployment.stack).map { definition in
            let last =
                AlarmHistory.state(of: definition.name, after: before)
                ?? .initial(at: deployment.deployedAt)
            let range = Duration.seconds(definition.periodSeconds * definition.evaluationRange)
            let start = max(last.since, now - Self.lookBack)
            return (definition: definition, last: last, start: start, from: start - range)
        }
        let datapoints = try metrics.read(
            from: alarms.map(\.from).min() ?? now, to: now + .seconds(1))
        var changes: [AlarmTransition] = []
        let result = alarms.map { definition, last, start, _ in
            var monitor = AlarmMonitor(definition, last)
            let watched = monitor.watch(
                MetricSeries(definition.metric, in: datapoints), from: start, to: now)
            changes += watched
            if !watched.isEmpty {
                let previous =
                    AlarmHistory.state(
                        of: definition.name, after: before + watched.dropLast()) ?? last
                act(AlarmChange(definition: definition, previous: previous, state: monitor.state))
            }
            return (definition: definition, state: monitor.state)
        }
        var bytes: [UInt8] = []
        changes.sort { $0.time < $1.time }
        for change in changes {
            change.json.append(to: &bytes)
            bytes.append(0x0A)
        }
        // A full disk may have cut the last line: it must not take the next one with it, whose
        // actions would run again.
        if !bytes.isEmpty { try FileSystem.appendLines(bytes, to: path) }
        return Evaluation(alarms: result, transitions: changes)
    }

    private func lock(_ file: borrowing FileDescriptor) throws(SystemError) {
        let deadline = SystemClock.monotonicNanoseconds() + Self.lockPatience.nanoseconds
        while try !file.tryLock() {
            guard SystemClock.monotonicNanoseconds() < deadline else {
                throw SystemError(call: "flock", code: 11, path: path)
            }
            SystemClock.pause(microseconds: 1000)
        }
    }
}
