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

    /// Brings every alarm up to `now`, and keeps what changed.
    package func evaluate(
        _ deployment: Deployment, now: Timestamp
    ) throws(SystemError) -> [(definition: AlarmDefinition, state: AlarmState)] {
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
            changes += monitor.watch(
                MetricSeries(definition.metric, in: datapoints), from: start, to: now)
            return (definition: definition, state: monitor.state)
        }
        var bytes: [UInt8] = []
        for change in changes.sorted(by: { $0.time < $1.time }) {
            change.json.append(to: &bytes)
            bytes.append(0x0A)
        }
        if !bytes.isEmpty {
            try bytes.withBytes { buffer throws(SystemError) in try file.writeAll(buffer) }
        }
        return result
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
