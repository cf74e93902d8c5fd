import Journal
import QueueModel

/// What a seed says: the queues, the journals' limits, and the steps.
struct Scenario {
    struct QueueSetup {
        var name: String
        var settings: QueueSettings
        /// The queue that its messages may move to: by redrive policy, or by a redrive back.
        var peer: String?
        var redrives: Bool
    }

    /// From here on seeds tell of queues that come and go, too, and of calls that nobody waits for.
    /// Those before mean what they meant.
    static let firstFull: UInt64 = 1_000_000_000_000_000
    /// And from here on of queues whose delay changes.
    static let firstDelaying: UInt64 = 2_000_000_000_000_000

    let seed: UInt64
    var options = JournalOptions()
    var queues: [QueueSetup] = []
    static let processes = 3
    /// A queue that holds so many gets no more.
    static let messages = 24

    private var random: Generator
    private var stepNumber = 0
    /// For what seeds tell of since.
    private var further: Generator
    private let removes: Bool
    private let submits: Bool

    init(seed: UInt64) {
        self.seed = seed
        random = Generator(seed: seed)
        further = Generator(seed: ~seed)
        let kind = seed < Self.firstFull ? 3 : further.below(3)
        (removes, submits) = (kind == 0 || kind == 2, kind == 1 || kind == 2)
        options.segmentBytes = UInt64(1500 + random.below(8000))
        options.checkpointBytes = UInt64(300 + random.below(3000))
        options.historyBytes = UInt64(random.below(6000))
        options.reserveBytes = 2048
        options.preparedBytes = UInt64(random.pick([1000, 3000, 6000]))
        options.preparingSyncs = 1 + random.below(3)
        options.lockTimeout = .zero
        let families = random.pick([["A"], ["A"], ["F.fifo"], ["F.fifo"], ["O"], ["A", "F.fifo"]])
        for name in families { addFamily(name) }
    }

    private mutating func addFamily(_ name: String) {
        var settings = QueueSettings()
        settings.isFIFO = name.hasSuffix(".fifo")
        settings.isContentBasedDeduplication = false
        settings.deduplicatesByGroup = settings.isFIFO && random.chance(1, in: 2)
        if name == "O" {
            settings.durability = .os
            queues.append(QueueSetup(name: name, settings: settings, peer: nil, redrives: false))
            return
        }
        let dead = settings.isFIFO ? "G.fifo" : "D"
        queues.append(QueueSetup(name: dead, settings: settings, peer: name, redrives: true))
        settings.redrivePolicy = .init(
            deadLetterQueue: dead, maxReceiveCount: Int64(1 + random.below(3)))
        queues.append(QueueSetup(name: name, settings: settings, peer: dead, redrives: false))
    }

    /// So many steps; calm at times, so that work gets done.
    mutating func steps(_ count: Int) -> [Step] {
        (0..<count).map { index in step(faultsIn: index / 40 % 3 == 0 ? 40 : 6, depth: 0) }
    }

    private mutating func step(faultsIn chance: Int, depth: Int) -> Step {
        let setup = random.pick(queues)
        stepNumber += 1
        var step = Step(
            number: stepNumber, salt: random.next(), process: random.below(Self.processes),
            queue: setup.name, action: changed(action(for: setup, depth: depth)))
        if random.chance(1, in: chance) {
            let kind = random.pick(Fault.Kind.allCases)
            step.faults = [Fault(kind: kind, call: random.below(kind.isCommon ? 40 : 6))]
        }
        if depth < 2, random.chance(1, in: 3 + 3 * depth) {
            for _ in 0...random.below(2) {
                let other = self.step(faultsIn: chance, depth: depth + 1)
                step.interruptions.append(
                    Step.Interruption(call: random.below(14), step: other))
            }
        }
        return step
    }

    private mutating func changed(_ action: Step.Action) -> Step.Action {
        if removes {
            if further.chance(1, in: 16) { return .remove(force: further.chance(3, in: 4)) }
            if further.chance(1, in: 60) { return .create }
        }
        if seed >= Self.firstDelaying, further.chance(1, in: 40) {
            return .set(.delay(Int64(further.pick([0, 0, 3, 10, 40, 90]))))
        }
        guard submits, further.chance(1, in: 2) else { return action }
        switch action {
        case .send, .receive, .delete, .changeVisibility: return .submit(action)
        default: return action
        }
    }

    private mutating func action(for queue: QueueSetup, depth: Int) -> Step.Action {
        switch random.below(100) {
        case ..<28: return .send(entries(queue.settings.isFIFO))
        case ..<54:
            let hasName = queue.settings.isFIFO && random.chance(1, in: 3)
            return .receive(
                limit: 1 + random.below(10), timeoutSeconds: Int64(random.pick([0, 0, 1, 5, 30])),
                attempt: hasName ? "try\(random.below(3))" : nil)
        case ..<74: return .delete((0...random.below(6)).map { _ in random.next() })
        case ..<79:
            return .changeVisibility(random.next(), seconds: Int64(random.pick([0, 2, 60])))
        case ..<82 where queue.redrives: return .redrive
        case ..<83: return .settle
        default: return rareAction(queue, depth)
        }
    }

    private mutating func rareAction(_ queue: QueueSetup, _ depth: Int) -> Step.Action {
        let choice = random.below(30)
        // The clock and the disk do not change within another step.
        if depth > 0, choice >= 9 { return .settle }
        switch choice {
        case 0: return .purge
        case 1: return .set(.visibilityTimeout(Int64(1 + random.below(40))))
        case 2: return .set(.retention(random.pick([60, 120, 345_600])))
        case 3...4: return .set(.maxReceiveCount(Int64(1 + random.below(4))))
        case 5...8: return .restart
        case 9...19:
            return .advanceClock(
                milliseconds: Int64(random.pick([1, 20, 900, 2000, 6000, 31_000, 70_000, 310_000])))
        case 20...21: return .advanceClock(milliseconds: -Int64(random.pick([1, 500, 40_000])))
        case 22...23: return .losePower
        case 24...27: return .harmCheckpoint(random.pick(Step.Harm.allCases))
        case 28: return .limitDisk(random.below(3000))
        default: return .limitDisk(nil)
        }
    }

    private mutating func entries(_ isFIFO: Bool) -> [Step.Entry] {
        (0..<random.pick([1, 1, 1, 2, 3, 10, 14])).map { _ in
            var entry = Step.Entry(bytes: random.pick([12, 12, 60, 300, 1000]))
            if isFIFO {
                entry.group = "g\(random.below(3))"
                let name = random.chance(1, in: 3) ? random.below(4) : Int(random.next() >> 40)
                entry.deduplicationID = "d\(name)"
            } else if random.chance(1, in: 6) {
                entry.delaySeconds = Int64(random.pick([0, 1, 10]))
            }
            return entry
        }
    }
}

extension Fault.Kind {
    /// Whether calls that it can happen to come by the dozen.
    fileprivate var isCommon: Bool {
        switch self {
        case .death, .powerLoss, .readError: true
        case .shortWrite, .noSpace, .writeError, .syncError, .otherError: false
        }
    }
}
