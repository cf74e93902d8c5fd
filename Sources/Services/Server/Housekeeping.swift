import Journal
import Posix
import QueueModel
import Synchronization
import Telemetry

/// What is to be done now and then while a server runs: metrics are written, alarms judged, queues
/// tidied that nobody uses, move tasks gone on with that nobody runs.
final class Housekeeping: Sendable {
    /// Metrics of what happened wait no longer than this for the disk.
    private static let flushInterval = Duration.seconds(5)
    /// Alarms are looked at so often, as by CloudWatch.
    private static let alarmInterval = Duration.seconds(60)
    /// Where an alarm's period is shorter than a minute.
    private static let shortAlarmInterval = Duration.seconds(10)

    /// Queues are looked after so often.
    private static let queueInterval = Duration.seconds(30)

    private let server: StackServer
    private let isStopped = Flag()
    /// Queues that could not be looked after, and were spoken of.
    private let troubled = Mutex<Set<String>>([])

    init(_ server: StackServer) { self.server = server }

    func start() {
        repeating(every: { Self.flushInterval }) { $0.flush() }
        repeating(every: { [self] in alarmInterval }) { $0.judgeAlarms() }
        repeating(every: { Self.queueInterval }) { $0.keepQueues() }
        server.host.pool.execute { [weak self] in self?.resumeMoveTasks() }
    }

    func stop() { isStopped.set() }

    /// Runs `work` on the pool, again and again, with a pause in between.
    private func repeating(
        every interval: @escaping @Sendable () -> Duration,
        _ work: @escaping @Sendable (Housekeeping) -> Void
    ) {
        server.host.loop.schedule(after: interval()) { [weak self] in
            guard let self, !isStopped.isSet else { return }
            server.host.pool.execute { [weak self] in
                guard let self, !isStopped.isSet else { return }
                work(self)
                repeating(every: interval, work)
            }
        }
    }

    private func flush() {
        do {
            try server.host.monitor.flush(server.host.queues)
        } catch {
            server.host.warn("Metrics and logs could not be written: \(error)")
        }
    }

    private func keepQueues() {
        let queues = server.host.queues
        for name in (try? queues.names()) ?? [] where !isStopped.isSet {
            do {
                try queues.keepHouse(name)
                _ = troubled.withLock { $0.remove(name) }
            } catch JournalError.removed {
                queues.forget(name)
            } catch QueueError.noSuchQueue {
                // It has gone since.
            } catch {
                if troubled.withLock({ $0.insert(name).inserted }) {
                    server.host.warn("The queue \(name) cannot be looked after: \(error)")
                }
            }
        }
        resumeMoveTasks()
    }

    /// Goes on with the tasks whose process has died.
    private func resumeMoveTasks() {
        let queues = server.host.queues
        for name in (try? queues.names()) ?? [] where !isStopped.isSet {
            guard (try? queues.hasActiveMoveTask(name)) == true,
                let tasks = try? queues.moveTasks(of: name),
                tasks.contains(where: { $0.task.status.isActive && !$0.isRun })
            else { continue }
            server.host.warn("Going on with the move task of \(name).")
            let thread = try? Thread(name: "move") { [weak self] in
                _ = try? queues.runMoveTask(
                    of: name, isCancelled: { self?.isStopped.isSet ?? true }, progress: { _ in })
            }
            thread?.detach()
        }
    }

    private var alarmInterval: Duration {
        let alarms = AlarmStore.definitions(server.runtime.deployment.stack)
        let isShort = alarms.contains { $0.periodSeconds < 60 }
        return isShort ? Self.shortAlarmInterval : Self.alarmInterval
    }

    private func judgeAlarms() {
        let deployment = server.runtime.deployment
        guard !AlarmStore.definitions(deployment.stack).isEmpty else { return }
        do {
            let store = AlarmStore(stateDirectory: deployment.stateDirectory)
            let before = try store.transitions().count
            _ = try store.evaluate(deployment, now: server.host.clock.now())
            for transition in try store.transitions().dropFirst(before) {
                server.host.warn(
                    "\(transition.alarm) is \(transition.to.rawValue): \(transition.reason)")
            }
        } catch {
            server.host.warn("Alarms could not be judged: \(error)")
        }
    }
}
