import JSON
import Posix
import StackModel
import Telemetry

/// The stack's alarms: looks at the stored metrics, and keeps every change of state.
package struct AlarmStore: Sendable {
    /// How far back it looks for what happened while nobody was looking.
    private static let lookBack = Duration.seconds(86_400)
    /// A tick is judged so long after its time: what was measured before it may be on its way to
    /// the disk.
    package static let lag = Duration.seconds(3)

    private let path: String
    /// Up to when all alarms are judged. Where it is lost, they are judged once more.
    private let judgedPath: String
    private let metrics: MetricStore
    private let patienceMilliseconds: Int32

    /// - Parameter patienceMilliseconds: how long another process may take.
    package init(stateDirectory: String, patienceMilliseconds: Int32 = 5000) {
        self.patienceMilliseconds = patienceMilliseconds
        path = "\(stateDirectory)/alarms.jsonl"
        judgedPath = "\(stateDirectory)/alarms.json"
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
        var transitions: [AlarmTransition] = []
        try FileSystem.readLines(path) { line in
            let json = try? JSONValue.parse(Array(line))
            if let transition = json.flatMap(AlarmTransition.init) {
                transitions.append(transition)
            }
        }
        return transitions
    }

    /// What a look at the alarms found.
    package struct Evaluation: Sendable {
        /// As a look at this very moment shows them. What it alone shows is not kept: CloudWatch
        /// looks at whole minutes.
        package var alarms: [(definition: AlarmDefinition, state: AlarmState)]
        /// What changed at the ticks since the last look, oldest first.
        package var transitions: [AlarmTransition]
    }

    /// Judges every alarm at each tick since the last look, and keeps what changed.
    ///
    /// - Parameters:
    ///   - watchedSince: since when somebody looks all the time; `nil` if nobody does. What an
    ///     alarm went through before that counts as one change.
    ///   - act: gets every alarm that changed. Runs before the change is kept: a crash in between
    ///     repeats it.
    /// - Throws: `AlarmError` if others take too long.
    package func evaluate(
        _ deployment: Deployment, now: Timestamp, watchedSince: Timestamp? = nil,
        act: (AlarmChange) -> Void
    ) throws -> Evaluation {
        let file = try FileDescriptor(appendingTo: path)
        guard try file.lock(milliseconds: patienceMilliseconds) else {
            throw AlarmError.busy(holder: FileSystem.lockHolder(of: try file.status()))
        }
        defer { file.unlock() }
        let judged = judgedUpTo()
        let watches = try watches(deployment, judged, now)
        let datapoints = try metrics.read(
            from: watches.map(\.dataStart).min() ?? now, to: now,
            of: Set(watches.map(\.definition.metric)))
        let series = MetricSeries.all(datapoints)
        let end = now - Self.lag
        var alarms: [(definition: AlarmDefinition, state: AlarmState)] = []
        var transitions: [AlarmTransition] = []
        var changes: [AlarmChange] = []
        for watch in watches {
            let series = series[watch.definition.metric] ?? MetricSeries([])
            var monitor = AlarmMonitor(watch.definition, watch.state)
            var seen = monitor.watch(series, after: watch.start, upTo: end)
            for index in seen.indices { seen[index].created = watch.created }
            transitions += seen
            changes += watch.changes(seen, watchedSince: watchedSince)
            _ = monitor.look(at: series, end: now)
            alarms.append((watch.definition, monitor.state))
        }
        for change in changes.sorted(by: { $0.state.since < $1.state.since }) { act(change) }
        transitions.sort { $0.time < $1.time }
        try keep(transitions)
        // A clock that stepped back a little judges nothing twice.
        let known = judged.map { $0 <= now ? max($0, end) : end } ?? end
        if known != judged { keep(judgedUpTo: known) }
        return Evaluation(alarms: alarms, transitions: transitions)
    }

    private func keep(_ transitions: [AlarmTransition]) throws(SystemError) {
        guard !transitions.isEmpty else { return }
        var bytes: [UInt8] = []
        for transition in transitions {
            transition.json.append(to: &bytes)
            bytes.append(0x0A)
        }
        // A full disk may have cut the last line: it must not take the next one with it, whose
        // actions would run again.
        try FileSystem.appendLines(bytes, to: path)
    }

    private func judgedUpTo() -> Timestamp? {
        let json = (try? FileSystem.read(judgedPath)).flatMap { try? JSONValue.parse($0) }
        return json?["judgedUpTo"]?.intValue.map { Timestamp(milliseconds: $0) }
    }

    private func keep(judgedUpTo end: Timestamp) {
        let json: JSONValue = ["judgedUpTo": .int(end.milliseconds)]
        // A disk that is full takes what changed, or nothing.
        try? FileSystem.replace(judgedPath, with: Array((json.serialized() + "\n").utf8))
    }

    /// What is to be looked at.
    private func watches(
        _ deployment: Deployment, _ judged: Timestamp?, _ now: Timestamp
    ) throws(SystemError) -> [AlarmLook] {
        let before = try transitions()
        return Self.definitions(deployment.stack).map { definition in
            let life = deployment.alarms[definition.name]
            let state =
                AlarmHistory.state(of: definition.name, created: life?.created, after: before)
                ?? .initial(at: life?.created ?? deployment.deployedAt)
            let start = Self.start(state.since, judged: judged, changed: life?.changed, now: now)
            return AlarmLook(
                definition: definition, created: life?.created, state: state, start: start)
        }
    }

    /// From when on an alarm is to be judged.
    ///
    /// - Parameters:
    ///   - since: its last change.
    ///   - judged: up to when it was judged.
    ///   - changed: when its definition came.
    private static func start(
        _ since: Timestamp, judged: Timestamp?, changed: Timestamp?, now: Timestamp
    ) -> Timestamp {
        let end = now - lag
        var known = max(since, judged ?? since, changed ?? since)
        // A clock that stepped back has left times that are still to come: nobody waits for them.
        if known > now { known = judged ?? end }
        return min(end, max(known, end - lookBack))
    }
}

/// One alarm, and from where on it is looked at.
private struct AlarmLook {
    var definition: AlarmDefinition
    var created: Timestamp?
    /// At `start`.
    var state: AlarmState
    var start: Timestamp

    /// The first moment whose data counts.
    var dataStart: Timestamp {
        start - .seconds(definition.periodSeconds * definition.evaluationRange)
    }

    /// Which transitions somebody is to be told of: each, and the last one before somebody watched.
    func changes(_ transitions: [AlarmTransition], watchedSince: Timestamp?) -> [AlarmChange] {
        let unwatched = transitions.prefix { transition in
            watchedSince.map { transition.time <= $0 } ?? true
        }
        var previous = state
        var changes: [AlarmChange] = []
        for (index, transition) in transitions.enumerated() {
            if index >= unwatched.count - 1 {
                changes.append(
                    AlarmChange(
                        definition: definition, previous: previous, state: transition.state))
            }
            previous = transition.state
        }
        return changes
    }
}

/// Why alarms cannot be judged now.
package enum AlarmError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another process, if known which one, is at it.
    case busy(holder: Int32?)

    package var description: String {
        switch self {
        case .busy(let holder):
            "\(holder.map { "process \($0)" } ?? "another process") is judging the alarms"
        }
    }
}
