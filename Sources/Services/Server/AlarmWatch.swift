import Telemetry

/// Judges a server's alarms, says what changed, and has their functions told.
struct AlarmWatch: Sendable {
    /// Alarms are looked at so often, as by CloudWatch.
    private static let interval = Duration.seconds(60)
    /// Where an alarm's period is shorter than a minute.
    private static let shortInterval = Duration.seconds(10)

    let server: StackServer

    /// How long until the next look.
    var interval: Duration {
        let alarms = AlarmStore.definitions(server.runtime.deployment.stack)
        return alarms.contains { $0.periodSeconds < 60 } ? Self.shortInterval : Self.interval
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
                .evaluate(deployment, now: host.clock.now()) { change in
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
