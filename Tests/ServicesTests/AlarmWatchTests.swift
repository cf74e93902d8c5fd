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

        init(_ more: JSONObject = [:]) throws {
            folder = try TemporaryFolder("alarms")
            monitor = Monitor(stateDirectory: folder.path, clock: clock.clock)
            queues = QueueDirectory(stateDirectory: folder.path)
            // Not on the minute, and so is nothing that happens each minute.
            clock.step(.seconds(10))
            deployment = Self.deployment(
                folder.path, ["Deep": Self.alarm(more)], after: nil, clock.clock.now())
        }

        static func alarm(_ more: JSONObject = [:]) -> JSONValue {
            var alarm: JSONObject = [
                "namespace": "Shop", "metric": "Load", "statistic": "Maximum", "period": 60,
                "evaluationPeriods": 1, "threshold": 10, "comparison": "GreaterThanThreshold",
                "alarmActions": ["Page"], "okActions": ["Page"],
                "insufficientDataActions": ["Page"],
            ]
            for (key, value) in more.members { alarm[key] = value }
            return .object(alarm)
        }

        private static func deployment(
            _ folder: String, _ alarms: JSONObject, after previous: Deployment?, _ now: Timestamp
        ) -> Deployment {
            let stack = Stack(json: [
                "lambdas": ["Page": ["runtime": "python3", "handler": "h.f", "code": "c"]],
                "queues": [:], "alarms": .object(alarms),
            ])
            return Deployment(
                stateDirectory: folder, stack: stack, code: [:], deployedAt: now, removing: [],
                alarms: AlarmLife.all(of: stack, after: previous, now: now))
        }

        /// What is deployed now, after `previous`.
        func deployed(_ alarms: JSONObject, after previous: Deployment) -> Deployment {
            Self.deployment(folder.path, alarms, after: previous, clock.clock.now())
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
        func evaluate(
            _ other: Deployment? = nil, watchedSince: Timestamp? = nil
        ) throws -> [JSONValue] {
            let deployment = other ?? deployment
            let seen = Mutex<[JSONValue]>([])
            let actions = AlarmActions(deployment.stack) { payload, _ in
                let json = try JSONValue.parse(payload)
                seen.withLock { $0.append(json) }
            }
            _ = try AlarmStore(stateDirectory: folder.path)
                .evaluate(
                    deployment, now: clock.clock.now(), watchedSince: watchedSince
                ) { change in
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

    @Test("a definition that comes judges what comes after it, and goes on from the state there is")
    func changed() throws {
        let fixture = try Fixture()
        try fixture.minute(1)
        #expect(try fixture.evaluate().map(states) == [["INSUFFICIENT_DATA", "OK"]])
        for load in [11.0, 1, 8] { try fixture.minute(load) }
        let stricter = fixture.deployed(
            ["Deep": Fixture.alarm(["threshold": 7])], after: fixture.deployment)
        #expect(try fixture.evaluate(stricter).isEmpty)
        try fixture.minute(8)
        #expect(try fixture.evaluate(stricter).map(states) == [["OK", "ALARM"]])
        let same = fixture.deployed(
            ["Deep": Fixture.alarm(["threshold": 7])], after: stricter)
        #expect(same.alarms == stricter.alarms)
    }

    @Test("an alarm that was removed and comes again is a new one")
    func madeAgain() throws {
        let fixture = try Fixture()
        try fixture.minute(11)
        #expect(try fixture.evaluate().map(states) == [["INSUFFICIENT_DATA", "ALARM"]])
        let none = fixture.deployed([:], after: fixture.deployment)
        #expect(try fixture.evaluate(none).isEmpty)
        fixture.clock.step(.seconds(60))
        let again = fixture.deployed(["Deep": Fixture.alarm()], after: none)
        let store = AlarmStore(stateDirectory: fixture.folder.path)
        let seen = try store.evaluate(again, now: fixture.clock.clock.now()) { _ in }
        #expect(seen.transitions.isEmpty)
        try fixture.minute(11)
        #expect(try fixture.evaluate(again).map(states) == [["INSUFFICIENT_DATA", "ALARM"]])
        // From a file, too.
        try again.save()
        let loaded = try #require(try Deployment.load(fixture.folder.path))
        #expect(loaded.alarms == again.alarms)
        #expect(try fixture.evaluate(loaded).isEmpty)
    }

    @Test("a deployment from before it was said when alarms came goes on with their states")
    func older() throws {
        let fixture = try Fixture()
        var old = fixture.deployment
        old.alarms = [:]
        try fixture.minute(11)
        #expect(try fixture.evaluate(old).map(states) == [["INSUFFICIENT_DATA", "ALARM"]])
        let same = fixture.deployed(["Deep": Fixture.alarm()], after: old)
        #expect(same.alarms.isEmpty)
        let other = fixture.deployed(["Deep": Fixture.alarm(["threshold": 20])], after: same)
        try fixture.minute(11)
        #expect(try fixture.evaluate(other).map(states) == [["ALARM", "OK"]])
    }

    @Test("who watches is told of each change; of those before as of one")
    func watched() throws {
        let fixture = try Fixture()
        for load in [1.0, 11, 1] { try fixture.minute(load) }
        let since = fixture.clock.clock.now()
        for load in [11.0, 1, 11] { try fixture.minute(load) }
        #expect(
            try fixture.evaluate(watchedSince: since).map(states) == [
                ["ALARM", "OK"], ["OK", "ALARM"], ["ALARM", "OK"], ["OK", "ALARM"],
            ])
        #expect(try fixture.evaluate(watchedSince: since).isEmpty)
    }

    @Test("what only a look between two minutes shows is shown, not kept, and nobody told")
    func between() throws {
        let fixture = try Fixture(["statistic": "Sum", "threshold": 5])
        let store = AlarmStore(stateDirectory: fixture.folder.path)
        func record() throws {
            fixture.monitor.record(
                [Datapoint(Metric("Shop", "Load"), .none, fixture.clock.clock.now(), 3)])
            try fixture.monitor.flush(fixture.queues)
        }
        fixture.clock.step(.seconds(40))
        try record()
        fixture.clock.step(.seconds(20))
        try record()
        #expect(try fixture.evaluate().map(states) == [["INSUFFICIENT_DATA", "OK"]])
        fixture.clock.step(.seconds(30))
        let seen = try store.evaluate(fixture.deployment, now: fixture.clock.clock.now()) { _ in
            Issue.record("nothing has changed")
        }
        #expect(seen.alarms.map(\.state.value) == [.alarm])
        #expect(seen.transitions.isEmpty)
        fixture.clock.step(.seconds(60))
        #expect(try fixture.evaluate().isEmpty)
        #expect(try store.transitions().map(\.to) == [.ok])
    }

    @Test("a minute is judged when what it brought had a little time to come")
    func lag() throws {
        let fixture = try Fixture()
        try fixture.minute(1)
        fixture.clock.step(.seconds(-8))
        #expect(try fixture.evaluate().isEmpty)
        fixture.clock.step(.seconds(1))
        #expect(try fixture.evaluate().map(states) == [["INSUFFICIENT_DATA", "OK"]])
    }

    @Test(
        "no minute is judged twice: what comes late counts where a later look still needs it",
        arguments: [(1, []), (2, [["OK", "ALARM"]])])
    func late(evaluationPeriods: Int, told: [[String]]) throws {
        let fixture = try Fixture([
            "evaluationPeriods": .int(evaluationPeriods), "datapointsToAlarm": 1,
        ])
        for load in [1.0, nil] as [Double?] {
            try fixture.minute(load)
            _ = try fixture.evaluate()
        }
        let late = fixture.clock.clock.now() - .seconds(40)
        fixture.monitor.record([Datapoint(Metric("Shop", "Load"), .none, late, 11)])
        #expect(try fixture.evaluate().isEmpty)
        try fixture.minute(1)
        // The newest come first: one of them is all that one of one needs.
        #expect(try fixture.evaluate().map(states) == told)
        let history = try AlarmStore(stateDirectory: fixture.folder.path).transitions()
        #expect(history.map(\.to) == [.ok] + told.map { _ in .alarm })
    }

    @Test("a clock that steps back neither invents changes nor holds any up")
    func steppedBack() throws {
        let fixture = try Fixture()
        for load in [1.0, 11] {
            try fixture.minute(load)
            _ = try fixture.evaluate()
        }
        fixture.clock.step(.seconds(-3600))
        #expect(try fixture.evaluate().isEmpty)
        try fixture.minute(12)
        #expect(try fixture.evaluate().isEmpty)
        try fixture.minute(1)
        #expect(try fixture.evaluate().map(states) == [["ALARM", "OK"]])
        // A little, over the end of a minute.
        fixture.clock.step(.seconds(-11))
        #expect(try fixture.evaluate().isEmpty)
        fixture.clock.step(.seconds(11))
        try fixture.minute(11)
        #expect(try fixture.evaluate().map(states) == [["OK", "ALARM"]])
    }

    @Test("times that no clock shows", arguments: [Int64.max, Int64.min])
    func oddTimes(milliseconds: Int64) throws {
        let fixture = try Fixture()
        var odd = AlarmTransition(
            alarm: "Deep", from: .ok, to: .alarm, reason: "?",
            time: Timestamp(milliseconds: milliseconds))
        odd.created = fixture.deployment.deployedAt
        try FileSystem.replace(
            fixture.folder.path + "/alarms.jsonl", with: Array((odd.json.serialized() + "\n").utf8))
        try fixture.minute(1)
        #expect(try fixture.evaluate().count <= 1)
        try fixture.minute(1)
        #expect(try fixture.evaluate().count <= 1)
        let history = try AlarmStore(stateDirectory: fixture.folder.path).transitions()
        #expect(history.last?.to == .ok)
    }

    @Test("who finds another at it says so")
    func busy() throws {
        let fixture = try Fixture()
        let store = AlarmStore(stateDirectory: fixture.folder.path, patienceMilliseconds: 1)
        let file = try FileDescriptor(appendingTo: fixture.folder.path + "/alarms.jsonl")
        let isLocked = try file.tryLock()
        #expect(isLocked)
        #expect(throws: AlarmError.busy(holder: ProcessEnvironment.processID)) {
            try store.evaluate(fixture.deployment, now: fixture.clock.clock.now()) { _ in }
        }
    }

    @Test(
        "a server looks as soon as the next tick may be judged",
        arguments: [
            (0, 60, 3000), (2999, 60, 1), (3000, 60, 60_000), (62_999, 60, 1), (4000, 10, 9000),
        ])
    func interval(now: Int64, tickSeconds: Int, milliseconds: Int64) {
        let interval = AlarmWatch.interval(
            at: Timestamp(milliseconds: now), tickSeconds: tickSeconds)
        #expect(interval == .milliseconds(milliseconds))
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
