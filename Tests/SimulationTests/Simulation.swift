import JSON
import QueueModel
import Synchronization

@testable import Journal
@testable import Services

/// One run: a world, a model beside it, and a look at both after every step.
final class Simulation {
    /// A step that is being taken.
    struct Frame {
        var step: Step
        var process: SimulatedProcess
        var operation: Operation?
        /// The operation's record was seen already, by whoever interrupted it.
        var isEffective = false
        /// The states of its queue right behind what it changed, and the last one's number.
        var effects: [NaiveQueue] = []
        var effectIndex: Int?
        /// The states that its queue had whenever others came between.
        var interrupted: [NaiveQueue] = []
        /// The state that its queue had when the operation began.
        var startIndex = 0
        var unlockedCalls = 0
    }

    struct Receipt {
        var key: UInt64
        var queue: String
        var token: String
        var handle: String
    }

    static let start = Timestamp(milliseconds: 1_764_000_000_000)

    let scenario: Scenario
    let world: SimulatedWorld
    var tracks: [String: Track] = [:]
    var frames: [Frame] = []
    var receipts: [Receipt] = []
    var violation: Violation?
    /// What was going on when the power went, and had not been looked at.
    var cutOff: Operation?
    /// What was submitted and has no answer yet.
    var pending: [Pending] = []
    private var processes: [SimulatedProcess?]
    private var keptCheckpoints: [String: [UInt8]] = [:]
    private(set) var operations = 0
    /// A step had a fault that did not come to pass.
    private(set) var hasUnusedFaults = false

    init(_ scenario: Scenario) {
        self.scenario = scenario
        world = SimulatedWorld(
            options: scenario.options, now: Self.start)
        processes = Array(repeating: nil, count: Scenario.processes)
        world.interrupt = { [unowned self] in interrupt($0, isSegmentSync: $1) }
    }

    struct Failure {
        var step: Int
        var violation: Violation
    }

    /// - Returns: the first thing seen that must not be.
    func run(_ steps: [Step]) -> Failure? {
        defer { end() }
        world.beginStep(0, salt: scenario.seed)
        for setup in scenario.queues {
            do {
                try process(0).queues?.create(setup.name, setup.settings)
                let view = try look(setup.name, through: process(0))
                var queue = NaiveQueue(name: setup.name, settings: setup.settings)
                queue.lastTime = view.lastTime
                tracks[setup.name] = Track(queue)
            } catch {
                return Failure(step: 0, violation: Violation("create: \(error)"))
            }
        }
        for step in steps {
            take(step)
            if world.hasLostPower { recover() }
            if let violation { return Failure(step: step.number, violation: violation) }
        }
        world.capacity = nil
        conclude(behind: steps.last?.number ?? 0)
        checkJournals()
        return violation.map { Failure(step: steps.last?.number ?? 0, violation: $0) }
    }

    /// Everybody gets the answers that are still to come.
    private func conclude(behind last: Int) {
        for index in processes.indices where processes[index]?.isAlive == true {
            guard violation == nil, let queue = scenario.queues.first else { return }
            take(
                Step(
                    number: last + 1 + index, salt: 0, process: index, queue: queue.name,
                    action: .settle))
        }
    }

    private func end() {
        world.interrupt = nil
        for process in processes { process?.die() }
    }

    func process(_ index: Int) -> SimulatedProcess {
        if let process = processes[index], process.isAlive { return process }
        let process = world.startProcess()
        processes[index] = process
        return process
    }

    func fail(_ text: String) { violation = violation ?? Violation(text) }

    // MARK: steps

    func take(_ step: Step) {
        operations += 1
        world.beginStep(step.number, salt: step.salt)
        let process = process(step.process)
        process.hasFailed = false
        process.faults = step.faults
        frames.append(Frame(step: step, process: process))
        defer {
            if world.isStuck { fail("step \(step.number) does not end") }
            if !process.faults.isEmpty { hasUnusedFaults = true }
            process.faults = []
            noteFailure(of: process)
            frames.removeLast()
        }
        switch step.action {
        case .restart:
            process.queues?.close()
            process.die()
        case .advanceClock(let milliseconds): world.now = world.now + .milliseconds(milliseconds)
        case .losePower: world.losePower()
        case .limitDisk(let room): world.capacity = room.map { world.disk.used + $0 }
        case .harmCheckpoint(let harm): self.harm(harm, checkpointOf: step.queue)
        default: carryOut(step, process)
        }
    }

    /// Runs the steps that are to come between this call and the last.
    private func interrupt(_ process: SimulatedProcess, isSegmentSync: Bool) {
        guard let index = frames.indices.last, frames[index].process === process,
            frames[index].operation != nil, violation == nil
        else { return }
        let call = frames[index].unlockedCalls
        frames[index].unlockedCalls += 1
        for interruption in frames[index].step.interruptions where interruption.call == call {
            let step = interruption.step
            let isOwn = self.process(step.process) === process
            guard isOwn ? isSegmentSync && canShare(process, step) : isIdle(step.process),
                !world.hasLostPower
            else { continue }
            let (context, failed, faults) = (world.stepContext, process.hasFailed, process.faults)
            // What the interrupted one did so far is seen now.
            observe(quietly: false)
            if let name = frames[index].operation?.queue, let queue = tracks[name]?.current {
                frames[index].interrupted.append(queue)
            }
            if violation == nil { take(step) }
            world.stepContext = context
            process.hasFailed = failed || isOwn && process.hasFailed
            process.faults = faults
        }
    }

    private func isIdle(_ process: Int) -> Bool {
        !frames.contains { $0.process === self.process(process) }
    }

    /// Whether a second thread of a process may take a step while the first syncs: one that will
    /// not wait for a sync.
    private func canShare(_ process: SimulatedProcess, _ step: Step) -> Bool {
        guard frames.count(where: { $0.process === process }) == 1, process.isWaiting,
            let queue = tracks[step.queue]?.current, queue.isThere, !queue.settings.isFIFO,
            isCalm(step.queue, process), step.faults.isEmpty, world.capacity == nil
        else { return false }
        return switch step.plainAction {
        case .send(let entries):
            step.isSubmitted && entries.reduce(0) { $0 + $1.bytes + 250 } < 1500
        case .receive(let limit, _, _):
            step.isSubmitted && limit <= 4 && queue.messages.allSatisfy { $0.receiveCount < 3 }
        case .changeVisibility: step.isSubmitted
        case .delete: true
        default: false
        }
    }

    /// Whether a few records more bring no sync of their own: a thread that has one to do would
    /// wait for the turn that the first has.
    private func isCalm(_ name: String, _ process: SimulatedProcess) -> Bool {
        guard let queue = process.queues?.opened(name) else { return false }
        let (interrupt, faults) = (world.interrupt, process.faults)
        world.interrupt = nil
        process.faults = []
        defer {
            world.interrupt = interrupt
            process.faults = faults
        }
        return queue.journal.session.withLockIfAvailable { session in
            let due = max(session.options.checkpointBytes, 4 * session.checkpointLength)
            return (try? session.isBehind()) == false && session.segments.count == 1
                && session.bytesSinceCheckpoint + Self.fewBytes < due
                && session.end + Self.fewBytes < session.options.segmentBytes
        } ?? false
    }

    /// More than what one step of a thread that shares a process may append.
    private static let fewBytes: UInt64 = 2500

    private func harm(_ harm: Step.Harm, checkpointOf queue: String) {
        let path = "\(SimulatedWorld.stateDirectory)/queues/\(queue)/checkpoint.json"
        guard let file = world.disk.file(path) else { return }
        var bytes = file.bytes
        switch harm {
        case .remove: return world.disk.remove(path)
        case .keepOld:
            keptCheckpoints[queue] = bytes
            return
        case .putOldBack: bytes = keptCheckpoints[queue] ?? bytes
        case .flipBit:
            if !bytes.isEmpty { bytes[world.random.below(bytes.count)] ^= 1 << 3 }
        case .cut: bytes.removeLast(world.random.below(bytes.count + 1))
        case .zeroEnd:
            let start = world.random.below(bytes.count + 1)
            for index in start..<bytes.count { bytes[index] = 0 }
        }
        world.disk.truncate(file, to: 0)
        world.disk.write(bytes, to: file, at: 0)
    }
}
