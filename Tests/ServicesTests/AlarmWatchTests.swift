import JSON
import Posix
import StackModel
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Services

/// Alarms of a server, over minutes of a clock that the test moves.
@Suite struct AlarmWatchTests {
    /// A stack with one alarm, and its metrics.
    final class Fixture: Sendable {
        let folder: TemporaryFolder
        let clock = SteppedClock()
        let deployment: Deployment
        let monitor: Monitor
        let queues: QueueDirectory

        init() throws {
            folder = try TemporaryFolder("alarms")
            monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
            queues = QueueDirectory(stateDirectory: folder.path)
            let alarm: JSONValue = [
                "namespace": "Shop", "metric": "Load", "statistic": "Maximum", "period": 60,
                "evaluationPeriods": 1, "threshold": 10, "comparison": "GreaterThanThreshold",
                "alarmActions": ["Page"], "okActions": ["Page"],
                "insufficientDataActions": ["Page"],
            ]
            let stack: JSONValue = [
                "lambdas": ["Page": ["runtime": "python3", "handler": "h.f", "code": "c"]],
                "queues": [:], "alarms": ["Deep": alarm],
            ]
            deployment = Deployment(
                stateDirectory: folder.path, stack: Stack(json: stack), code: [:],
                deployedAt: clock.clock.now(), removing: [])
        }

        /// A minute with a value, or with none.
        func minute(_ load: Double?) throws {
            if let load {
                monitor.record(
                    [Datapoint(Metric("Shop", "Load"), .none, clock.clock.now(), load)])
                try monitor.flush(queues)
            }
            clock.step(.seconds(60))
        }

        /// What the functions were told since the last look, oldest first.
        func evaluate() throws -> [JSONValue] {
            let seen = Mutex<[JSONValue]>([])
            let actions = AlarmActions(deployment.stack) { payload, _ in
                let json = try JSONValue.parse(payload)
                seen.withLock { $0.append(json) }
            }
            _ = try AlarmStore(stateDirectory: folder.path)
                .evaluate(deployment, now: clock.clock.now()) { change in
                    #expect(actions.run(change).isEmpty)
                }
            return seen.withLock { $0 }
        }
    }

    private func states(_ event: JSONValue) -> [String?] {
        [
            event["alarmData"]?["previousState"]?["value"]?.stringValue,
            event["alarmData"]?["state"]?["value"]?.stringValue,
        ]
    }

    @Test("from no data to OK, to ALARM, back, and to no data again: each change is told once")
    func life() throws {
        let fixture = try Fixture()
        #expect(try fixture.evaluate().isEmpty)
        try fixture.minute(1)
        #expect(try fixture.evaluate().map(states) == [["INSUFFICIENT_DATA", "OK"]])
        #expect(try fixture.evaluate().isEmpty)
        try fixture.minute(11)
        #expect(try fixture.evaluate().map(states) == [["OK", "ALARM"]])
        try fixture.minute(12)
        #expect(try fixture.evaluate().isEmpty)
        try fixture.minute(1)
        #expect(try fixture.evaluate().map(states) == [["ALARM", "OK"]])
        for _ in 0..<5 { try fixture.minute(nil) }
        #expect(try fixture.evaluate().map(states) == [["OK", "INSUFFICIENT_DATA"]])
        let history = try AlarmStore(stateDirectory: fixture.folder.path).transitions()
        #expect(history.map(\.to) == [.ok, .alarm, .ok, .insufficientData])
    }

    @Test("what happened while nobody looked is told as one change")
    func absence() throws {
        let fixture = try Fixture()
        try fixture.minute(1)
        _ = try fixture.evaluate()
        for load in [11.0, 1, 11] { try fixture.minute(load) }
        let told = try fixture.evaluate()
        #expect(told.map(states) == [["OK", "ALARM"]])
        let history = try AlarmStore(stateDirectory: fixture.folder.path).transitions()
        #expect(history.map(\.to) == [.ok, .alarm, .ok, .alarm])
    }

    @Test("a line that a full disk has cut takes no other with it: nothing is told twice")
    func cutLine() throws {
        let fixture = try Fixture()
        try fixture.minute(1)
        _ = try fixture.evaluate()
        let path = fixture.folder.path + "/alarms.jsonl"
        let cut = Array("{\"alarm\":\"De".utf8)
        try FileSystem.replace(path, with: try FileSystem.read(path) + cut)
        try fixture.minute(11)
        #expect(try fixture.evaluate().map(states) == [["OK", "ALARM"]])
        #expect(try fixture.evaluate().isEmpty)
    }

    @Test("a function that cannot be told is said; the change is kept all the same")
    func trouble() throws {
        struct Full: Error {}
        let fixture = try Fixture()
        try fixture.minute(11)
        let actions = AlarmActions(fixture.deployment.stack) { _, _ in throw Full() }
        var words: [String] = []
        let evaluation = try AlarmStore(stateDirectory: fixture.folder.path)
            .evaluate(fixture.deployment, now: fixture.clock.clock.now()) {
                words += actions.run($0)
            }
        #expect(words.count == 1 && words[0].hasPrefix("Deep could not tell Page: "), "\(words)")
        #expect(evaluation.transitions.map(\.to) == [.alarm])
        #expect(try fixture.evaluate().isEmpty)
    }
}
