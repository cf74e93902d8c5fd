import JSON
import Telemetry

/// Judges a server's alarms, says what changed, and has their functions told.
struct AlarmWatch: Sendable {
    private let server: StackServer
    /// Since when it looks all the time.
    private let start: Timestamp

    init(server: StackServer) {
        self.server = server
        start = server.host.clock.now()
    }

    /// How long until the next look.
    var interval: Duration {
        let alarms = AlarmStore.definitions(server.runtime.deployment.stack)
        return Self.interval(
            at: server.host.clock.now(), tickSeconds: alarms.map(\.tickSeconds).min() ?? 60)
    }

    /// As soon as the next tick may be judged.
    static func interval(at now: Timestamp, tickSeconds: Int) -> Duration {
        let tick = Int64(tickSeconds) * 1000
        let judged = (now - AlarmStore.lag).milliseconds
        return .milliseconds(judged.flooredToMultiple(of: tick) + tick - judged)
    }

    /// Looks once; may block.
    func judge() {
        let deployment = server.runtime.deployment
        let host = server.host
        guard !AlarmStore.definitions(deployment.stack).isEmpty else { return }
        let actions = AlarmActions(deployment.stack) { [server] payload, function in
            _ = try server.accept(payload, for: function)
        }
        do {
            let evaluation = try AlarmStore(stateDirectory: deployment.stateDirectory)
                .evaluate(deployment, now: host.clock.now(), watchedSince: start) { change in
                    for trouble in actions.run(change) { host.warn(trouble) }
                }
            for transition in evaluation.transitions {
                host.warn("\(transition.alarm) is \(transition.to.rawValue): \(transition.reason)")
            }
        } catch {
            host.warn("Alarms could not be judged: \(error)")
        }
    }
}
