import JSON
import Journal

/// What the processes of one simulation share: a disk, a clock, one source of chance.
final class SimulatedWorld: @unchecked Sendable {
    // Safe to share: a simulation has one thread.
    static let stateDirectory = "/home/stack"

    /// What a disk may say that is not true.
    enum Lie: CaseIterable {
        case fileSync
        case folderSync
        /// A failed sync is not reported.
        case syncError
        /// What power loss has left behind the records is not cut off.
        case staleBytes
        /// A sync that nobody waits for in person.
        case submittedSync
        /// A sync of a queue that is being made.
        case newQueueSync
        /// That a queue is removed is not said to those who have it open.
        case endMark
        /// What a removed queue leaves to the next of its name is not there.
        case transferNumbers

        /// Whether it matters only where queues come and go, or calls are not waited for.
        var isOfFullRuns: Bool {
            switch self {
            case .fileSync, .folderSync, .syncError, .staleBytes: false
            case .submittedSync, .newQueueSync, .endMark, .transferNumbers: true
            }
        }
    }

    struct StepContext {
        var step = 0
        var ids: UInt64 = 0
        var calls = 0
        var random = Generator(seed: 0)
    }

    let disk: SimulatedDisk
    let options: JournalOptions
    var now: Timestamp
    /// What the step that is being taken draws from.
    var stepContext = StepContext()
    var random: Generator {
        get { stepContext.random }
        set { stepContext.random = newValue }
    }
    var lies: Set<Lie> = []
    /// Bytes that fit on the disk; `nil`: no end of them.
    var capacity: Int?
    /// Locks that are held on journals; while there are any, nobody interrupts.
    var heldLocks = 0
    private(set) var hasLostPower = false
    /// A step went on and on.
    private(set) var isStuck = false
    /// No step makes so many calls that is going to end.
    private static let callLimit = 200_000
    /// Runs where a process could be interrupted: it holds no journal's lock.
    /// `isSegmentSync`: another thread of the same process may do something meanwhile.
    var interrupt: ((SimulatedProcess, _ isSegmentSync: Bool) -> Void)?
    private var lastProcess: Int32 = 0
    private var processes: [SimulatedProcess] = []
    private(set) var calls: UInt64 = 0
    private var monotonic: UInt64 = 0

    init(disk: SimulatedDisk = SimulatedDisk(), options: JournalOptions, now: Timestamp) {
        self.disk = disk
        self.options = options
        self.now = now
        // The folder that the user made, long ago.
        for path in ["/home", Self.stateDirectory] where disk.folder(path) == nil {
            _ = disk.createFolder(path)
        }
        for path in ["/", "/home"] { disk.folder(path).map(disk.sync) }
    }

    func startProcess() -> SimulatedProcess {
        lastProcess += 1
        let process = SimulatedProcess(id: lastProcess, world: self)
        processes.append(process)
        return process
    }

    /// It has died.
    func forget(_ process: SimulatedProcess) { processes.removeAll { $0 === process } }

    /// Another process looks at the files as they are now; nothing of that is felt here.
    func observer() -> SimulatedProcess {
        var options = options
        options.segmentBytes = .max
        options.checkpointBytes = .max
        return SimulatedWorld(disk: disk.copy(), options: options, now: now).startProcess()
    }

    /// What a step draws depends on that step alone, so that leaving others out changes nothing.
    func beginStep(_ number: Int, salt: UInt64) {
        stepContext = StepContext(step: number, random: Generator(seed: salt))
    }

    func messageID() -> String {
        stepContext.ids += 1
        func hex(_ value: UInt64, _ width: Int) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: width - digits.utf8.count) + digits
        }
        return "\(hex(UInt64(stepContext.step), 8))-0000-4000-8000-\(hex(stepContext.ids, 12))"
    }

    func isRunning(_ process: Int32) -> Bool {
        processes.contains { $0.id == process && $0.isAlive }
    }

    /// The monotonic clock. Now and then something took long.
    func nanoseconds() -> UInt64 {
        if random.chance(1, in: 20) { monotonic += 2_000_000_000 }
        monotonic += 1000
        return monotonic
    }

    func isHidden(_ path: String) -> Bool {
        lies.contains(.transferNumbers) && path.contains("/.numbers-")
    }

    /// Whether the disk only says that it wrote that.
    func isForgotten(_ bytes: UnsafeRawBufferPointer, _ path: String) -> Bool {
        lies.contains(.endMark) && path.hasSuffix("/lock")
            && bytes.starts(with: String(UInt64.max).utf8)
    }

    func beforeCall(of process: SimulatedProcess, isSegmentSync: Bool) {
        calls += 1
        stepContext.calls += 1
        if stepContext.calls > Self.callLimit {
            isStuck = true
            process.die()
        }
        if heldLocks == 0 { interrupt?(process, isSegmentSync) }
    }

    func losePower() {
        guard !hasLostPower else { return }
        hasLostPower = true
        for process in processes { process.die() }
        disk.losePower(&random)
    }

    func restorePower() { hasLostPower = false }

    /// How many of `count` more bytes fit.
    func room(for count: Int) -> Int {
        guard let capacity else { return count }
        return max(0, min(count, capacity - disk.used))
    }
}
