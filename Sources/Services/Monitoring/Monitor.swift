import FunctionModel
import JSON
import Posix
import QueueModel
import Synchronization
import Telemetry

/// Gathers what a command does, and writes it to the stack's metrics and logs.
package final class Monitor: Sendable {
    private struct State {
        var metrics = MetricBatch()
        /// Of the queue that was last heard of; not among the metrics yet.
        var tally: SQSTally?
        /// Queues that something happened to since the last flush.
        var changed: Set<String> = []
        /// When queues were last used; those of the last six hours.
        var lastUse: [String: Timestamp] = [:]
        /// The minute in which all queues were looked at.
        var lookMinute: Int64?
        var lines = WaitingLine<FunctionLogLine>()
        /// What `lines` hold, about.
        var lineBytes = 0
        /// What those hold that are being written.
        var writtenBytes = 0
        /// The disk did not take the last ones.
        var isFailing = false
        var lastFlush: UInt64 = 0
        var schedule: Schedule?
        /// A flush is on its way.
        var isScheduled = false

        var hasRoom: Bool {
            isFailing || lineBytes + writtenBytes < Monitor.waitingLineBytes
        }

        /// Those that wait for a disk that is full: the oldest go first.
        mutating func append(_ line: FunctionLogLine) {
            lines.append(line)
            lineBytes += line.heldBytes
            guard isFailing else { return }
            while lines.count > Monitor.waitingLines || lineBytes > Monitor.waitingLineBytes,
                let first = lines.popFirst()
            {
                lineBytes -= first.heldBytes
            }
        }

        mutating func settleTally() {
            guard let tally else { return }
            changed.insert(tally.queue)
            for datapoint in tally.datapoints { metrics.record(datapoint) }
            self.tally = nil
        }
    }

    /// Runs work a little later, where it may block.
    package typealias Schedule =
        @Sendable (_ delay: Duration, _ work: @escaping @Sendable () -> Void) -> Void

    /// Log lines wait no longer than this, so that others can follow them.
    private static let logInterval = Duration.milliseconds(200)
    /// SQS tells of a queue for so long after its last use.
    private static let activeTime = Duration.seconds(6 * 3600)

    /// While so many bytes of them wait, functions wait with what they print.
    static let waitingLineBytes = 32 * 1024 * 1024

    /// Lines that wait for a disk that is full, in so many bytes as well; the oldest go first.
    static let waitingLines = 10_000
    /// Datapoints that do; the oldest go first.
    static let waitingDatapoints = 20_000

    private let clock: StackClock
    private let metricStore: MetricStore
    private let logStore: LogStore
    private let accessLog: AccessLog
    private let state = Mutex(State())
    /// Held while metrics are written.
    private let writing = Mutex(())
    /// Held while log lines are: what the disk is slow to take must not be taken out a second time.
    private let writingLines = Mutex(())

    package init(stateDirectory: String, clock: StackClock = StackClock()) {
        self.clock = clock
        metricStore = MetricStore(stateDirectory: stateDirectory)
        logStore = LogStore(stateDirectory: stateDirectory)
        accessLog = AccessLog(stateDirectory: stateDirectory)
    }

    /// A queue did something. From any thread.
    package func observe(_ activity: QueueActivity) {
        let now = clock.now()
        state.withLock { state in
            switch activity.kind {
            case .taken:
                state.changed.insert(activity.queue)
                return
            case .polled:
                state.lastUse[activity.queue] = now
                return
            case .sent, .received, .deleted: break
            }
            if state.tally?.takes(activity.queue, at: now) != true {
                state.settleTally()
                state.tally = SQSTally(activity.queue, at: now)
            }
            switch activity.kind {
            case .sent(let bytes, let others):
                state.tally?.sent(messageBytes: bytes, others)
            case .received(let count): state.tally?.received(count)
            case .deleted(let count): state.tally?.deleted(count)
            case .taken, .polled: break
            }
        }
    }

    /// An invocation ended. From any thread.
    package func observe(
        _ outcome: Result<InvocationResult, InvocationError>, function: String
    ) {
        let datapoints: [Datapoint]
        switch outcome {
        // The end of `serve` is none of the function's doing.
        case .success(let result) where result.wasCutOff: return
        case .success(let result):
            let nanoseconds = Int64(result.report.durationMilliseconds * 1_000_000)
            datapoints =
                LambdaMetrics.invocation(
                    function: function, start: result.started, duration: .nanoseconds(nanoseconds),
                    isError: result.failure != nil)
                + LambdaMetrics.concurrency(
                    function: function, running: result.concurrentExecutions, time: result.started)
        case .failure(.throttled):
            datapoints = LambdaMetrics.throttle(function: function, time: clock.now())
        case .failure: return
        }
        state.withLock { state in
            for datapoint in datapoints { state.metrics.record(datapoint) }
        }
    }

    /// The gateway answered a request. From any thread.
    package func observe(_ activity: GatewayActivity) {
        state.withLock { state in
            for datapoint in activity.datapoints { state.metrics.record(datapoint) }
        }
    }

    /// Something else was measured. From any thread.
    func record(_ datapoints: [Datapoint]) {
        state.withLock { state in
            for datapoint in datapoints { state.metrics.record(datapoint) }
        }
    }

    /// A call was not allowed. From any thread.
    package func observe(_ judgement: Judgement) {
        // A disk that is full must not change what the caller is told.
        try? accessLog.append(judgement, at: clock.now())
    }

    /// From here on log lines are written by `schedule`, and not by whoever brings them; `nil` ends
    /// that.
    package func write(by schedule: Schedule?) { state.withLock { $0.schedule = schedule } }

    /// A function said something. From any thread.
    package func log(_ line: FunctionLogLine) {
        let now = SystemClock.monotonicNanoseconds()
        let (isDue, schedule) = state.withLock { state -> (Bool, Schedule?) in
            state.append(line)
            guard let schedule = state.schedule else {
                let isLate = now > state.lastFlush + Self.logInterval.nanoseconds
                return (isLate || !state.hasRoom, nil)
            }
            defer { state.isScheduled = true }
            return (false, state.isScheduled ? nil : schedule)
        }
        // A disk that is full must not stop a function; what waits is tried again at the end.
        if isDue { try? flushLogs() }
        schedule?(Self.logInterval) { [self] in try? flushLogs() }
    }

    /// Whether there is room for more that functions say. A disk that is full must not stop them:
    /// there is, then; and also where whoever brings a line writes it.
    var hasRoom: Bool { state.withLock { $0.schedule == nil || $0.hasRoom } }

    /// Writes everything, and how deep the queues are that something happened to.
    ///
    /// - Parameter isWatching: whether this is called all the time; once a minute it writes then
    ///   how deep all the others are that hold messages, or were used within six hours.
    package func flush(_ queues: QueueDirectory, isWatching: Bool = false) throws {
        let logs = Result { try flushLogs() }
        try flushMetrics(queues, isWatching: isWatching)
        try logs.get()
    }

    /// When it returns, all that was recorded before is on the disk, also what another was about to
    /// write: who judges alarms then has it.
    private func flushMetrics(_ queues: QueueDirectory, isWatching: Bool) throws {
        try writing.withLock { _ in
            let minute = clock.now().seconds / 60
            let (metrics, changed, isDue) = state.withLock { state in
                state.settleTally()
                defer {
                    state.metrics = MetricBatch()
                    state.changed = []
                    if isWatching { state.lookMinute = minute }
                }
                return (state.metrics, state.changed, isWatching && state.lookMinute != minute)
            }
            var batch = metrics
            // A server writes what it has before it looks into queues: that may wait for others to
            // let go of them. A command that ends writes once.
            let recorded = Result { if isWatching { try write(batch) } }
            if isWatching { batch = MetricBatch() }
            recordDepths(of: changed, isChanged: true, queues, &batch)
            if isDue {
                let names = Set((try? queues.names()) ?? [])
                recordDepths(of: names.subtracting(changed), isChanged: false, queues, &batch)
                let now = clock.now()
                state.withLock { state in
                    state.lastUse = state.lastUse.filter { name, time in
                        names.contains(name) && now - time < Self.activeTime
                    }
                }
            }
            try write(batch)
            try recorded.get()
        }
    }

    /// What cannot be written waits for the next time.
    private func write(_ metrics: MetricBatch) throws(SystemError) {
        var metrics = metrics
        var datapoints = metrics.drain()
        do throws(SystemError) {
            try metricStore.append(&datapoints)
        } catch {
            state.withLock { state in
                for datapoint in datapoints.suffix(Self.waitingDatapoints) {
                    state.metrics.record(datapoint)
                }
            }
            throw error
        }
    }

    /// - Parameter isChanged: whether something happened to them; others are left out that are
    ///   empty and were not used for long, as by SQS.
    private func recordDepths(
        of names: Set<String>, isChanged: Bool, _ queues: QueueDirectory,
        _ metrics: inout MetricBatch
    ) {
        for name in names.sorted() {
            // A queue may have gone meanwhile; its counts are no longer anybody's business.
            guard let known = try? queues.queue(name).depth() else { continue }
            let now = clock.now()
            let counts = known.counts
            let isUsed = isChanged || counts.visible + counts.inFlight + counts.delayed > 0
            let lastUse = state.withLock { state in
                if isUsed { state.lastUse[name] = now }
                return state.lastUse[name]
            }
            guard let lastUse, now - lastUse < Self.activeTime else { continue }
            var depth = SQSMetrics.depth(
                queue: name, visible: Int(clamping: counts.visible),
                notVisible: Int(clamping: counts.inFlight),
                delayed: Int(clamping: counts.delayed),
                oldestAge: known.oldestSent.map { max(.zero, now - $0) }, time: now)
            switch known.groups {
            case .fair(let noisy, let visible, let inFlight):
                depth += SQSMetrics.fairness(
                    queue: name, noisyGroups: noisy,
                    visibleInQuietGroups: Int(clamping: visible),
                    notVisibleInQuietGroups: Int(clamping: inFlight), time: now)
            case .fifo(let inFlight):
                depth += SQSMetrics.groupsInFlight(queue: name, groups: inFlight, time: now)
            case nil: break
            }
            for datapoint in depth { metrics.record(datapoint) }
        }
    }

    /// When it returns, all that was said before is on the disk, also what another was about to
    /// write.
    func flushLogs() throws(SystemError) {
        let failure = writingLines.withLock { _ -> SystemError? in
            var lines: [FunctionLogLine] = state.withLock { state in
                state.writtenBytes = state.lineBytes
                state.lineBytes = 0
                state.isScheduled = false
                state.lastFlush = SystemClock.monotonicNanoseconds()
                return state.writtenBytes > 0 ? state.lines.drain() : []
            }
            guard !lines.isEmpty else { return nil }
            var failure: SystemError?
            do throws(SystemError) {
                try logStore.append(&lines)
            } catch {
                failure = error
            }
            state.withLock { [lines, failure] state in
                state.isFailing = failure != nil
                state.writtenBytes = 0
                guard !lines.isEmpty else { return }
                let later = state.lines.drain()
                state.lineBytes = 0
                for line in lines + later { state.append(line) }
            }
            return failure
        }
        if let failure { throw failure }
    }
}
