import QueueModel
import Testing

/// Queues that are removed and made again around a transfer from one to the other, each call of
/// each step cut in turn.
@Suite struct RemovalTests {
    private typealias Actions = [(queue: String, action: Step.Action)]

    /// A message goes from A to D; D gets a successor, then A, whose message goes to D as well.
    private static var actions: Actions {
        [
            ("A", .send([Step.Entry(bytes: 12)])), ("A", receive), ("A", receive),
            ("D", .remove(force: true)), ("D", .create), ("A", receive), ("D", receive),
            ("A", .remove(force: true)), ("A", .create),
            ("A", .send([Step.Entry(bytes: 12)])), ("A", receive), ("A", receive), ("D", receive),
        ]
    }
    /// A queue is made, used by another process, and the power fails.
    private static var creation: Actions {
        [
            ("A", .remove(force: true)), ("A", .create), ("A", .send([Step.Entry(bytes: 12)])),
            ("A", .losePower), ("A", receive),
        ]
    }
    /// A's dead letter waits until there is D again; then A is removed.
    private static var departure: Actions {
        [
            ("A", .send([Step.Entry(bytes: 12)])), ("A", receive), ("D", .remove(force: true)),
            ("A", receive), ("D", .create), ("A", .remove(force: true)),
        ]
    }
    private static var receive: Step.Action {
        .receive(limit: 10, timeoutSeconds: 0, attempt: nil)
    }

    private static var scenario: Scenario {
        var scenario = Scenario(seed: Scenario.firstFull)
        var settings = QueueSettings()
        let dead = Scenario.QueueSetup(name: "D", settings: settings, peer: "A", redrives: true)
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        let source = Scenario.QueueSetup(name: "A", settings: settings, peer: "D", redrives: false)
        scenario.queues = [dead, source]
        return scenario
    }

    private static func steps(
        _ actions: Actions, _ fault: Fault, in cut: Int, salt: UInt64 = 0
    ) -> [Step] {
        actions.enumerated().map { index, step in
            Step(
                number: index + 1, salt: salt &+ UInt64(index) &* 3, process: index % 3,
                queue: step.queue, action: step.action, faults: index == cut ? [fault] : [])
        }
    }

    /// - Returns: what must not be; `nil` in place of an answer if the step makes fewer calls.
    private static func run(
        _ fault: Fault, in cut: Int, of actions: Actions = RemovalTests.actions, salt: UInt64,
        lies: Set<SimulatedWorld.Lie> = []
    ) -> (failure: Simulation.Failure?, hasHappened: Bool) {
        let steps = steps(actions, fault, in: cut, salt: salt)
        let simulation = Simulation(scenario)
        simulation.world.lies = lies
        let failure = simulation.run(steps)
        return (failure, !simulation.hasUnusedFaults)
    }

    /// - Returns: the first that was seen.
    private static func cutEverywhere(
        _ kind: Fault.Kind, salt: UInt64 = 0, lies: Set<SimulatedWorld.Lie> = []
    ) -> String? {
        for cut in actions.indices {
            for call in 0..<400 {
                let (failure, hasHappened) = run(
                    Fault(kind: kind, call: call), in: cut, salt: salt, lies: lies)
                if let failure {
                    return "step \(cut + 1) cut by \(kind) at call \(call): "
                        + "\(failure.violation.text) at step \(failure.step)"
                }
                if !hasHappened { break }
            }
        }
        return nil
    }

    @Test(
        "no call of a removal, of a new queue or of a transfer is one too many to die at",
        arguments: [Fault.Kind.death, .powerLoss, .otherError, .noSpace, .syncError])
    func cut(kind: Fault.Kind) {
        let seen = Self.cutEverywhere(kind)
        #expect(seen == nil, "\(seen ?? "")")
    }

    @Test(
        "what can arrive is not lost with the queue that it comes from, whatever call fails",
        arguments: [Fault.Kind.death, .powerLoss, .otherError, .syncError])
    func departing(kind: Fault.Kind) {
        for call in 0..<400 {
            let steps = Self.steps(
                Self.departure, Fault(kind: kind, call: call), in: Self.departure.count - 1)
            let simulation = Simulation(Self.scenario)
            let failure = simulation.run(steps)
            #expect(failure == nil, "cut at call \(call): \(failure?.violation.text ?? "")")
            let isSafe = simulation.tracks["D"]?.current.messages.count == 1
            let isThere = simulation.tracks["A"]?.current.isThere == true
            #expect(isSafe || isThere, "lost by \(kind) at call \(call)")
            if simulation.hasUnusedFaults {
                #expect(isSafe && !isThere)
                break
            }
        }
    }

    @Test("a queue whose maker died is on the disk before anything in it is", arguments: 0..<16)
    func unsettledName(salt: UInt64) {
        for call in 0..<400 {
            let (failure, hasHappened) = Self.run(
                Fault(kind: .death, call: call), in: 1, of: Self.creation, salt: salt)
            #expect(failure == nil, "cut at call \(call): \(failure?.violation.text ?? "")")
            if !hasHappened { break }
        }
    }

    @Test("a queue that knows nothing of its predecessor's transfers is caught")
    func lostNumbers() {
        #expect(Self.cutEverywhere(.death, lies: [.transferNumbers]) != nil)
    }
}
