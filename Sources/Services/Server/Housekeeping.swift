import Journal
import Posix
import QueueModel
import Synchronization
import Telemetry

/// What is to be done now and then while a server runs: metrics are written, alarms judged, queues
/// tidied that nobody uses, move tasks gone on with that nobody runs, and what functions that were
/// killed left behind is removed.
final class Housekeeping: Sendable {
    /// Metrics of what happened wait no longer than this for the disk.
    private static let flushInterval = Duration.seconds(5)
    /// Queues are looked after so often.
    private static let queueInterval = Duration.seconds(30)

    private let server: StackServer
    private let alarms: AlarmWatch
    private let isStopped = Flag()
    /// Queues that could not be looked after, and were spoken of.
    private let troubled = Mutex<Set<String>>([])

    init(_ server: StackServer) {
        self.server = server
        alarms = AlarmWatch(server: server)
    }

    func start() {
        repeating(every: { Self.flushInterval }) { $0.flush() }
        repeating(every: { [alarms] in alarms.interval }) {
            $0.flush()  // what was measured up to now counts
            $0.alarms.judge()
        }
        repeating(every: { Self.queueInterval }) {
            $0.keepHouse()
            ProcessEnvironment.giveBackMemory()
        }
        // What died with others before.
        server.host.pool.execute { [self] in keepHouse() }
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
            try server.host.monitor.flush(server.host.queues, isWatching: true)
        } catch {
            server.host.warn("Metrics and logs could not be written: \(error)")
        }
    }

    func keepHouse() {
        keepQueues()
        server.runtime.removeAbandoned()
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
        server.host.moveTasks.resume()
        server.resumeEvents()
    }
}
