import Glibc
import Journal
import Posix
import QueueModel
import Services

/// A fault that waits for its call: the `call`th one, from 0, that it can happen to.
struct Fault: Equatable {
    enum Kind: CaseIterable {
        /// The process is gone at this call, which may have taken effect, wholly or in part.
        case death
        /// All processes are, and what was not synced may be.
        case powerLoss
        case shortWrite
        case noSpace
        case writeError
        case syncError
        case readError
        /// Opening, listing, truncating, or a change of a folder.
        case otherError
    }

    var kind: Kind
    var call: Int

    func canHappen(to call: Call) -> Bool {
        switch kind {
        case .death, .powerLoss: true
        case .shortWrite, .noSpace, .writeError: call == .write
        case .syncError: call == .sync
        case .readError: call == .read
        case .otherError: call == .other
        }
    }
}

/// The kinds of calls that faults tell apart.
enum Call {
    case read
    case write
    case sync
    case lock
    case other
}

/// A pretend process: what it holds is gone when it dies.
final class SimulatedProcess: @unchecked Sendable {
    // Safe to share: a simulation has one thread.
    let id: Int32
    private let world: SimulatedWorld
    private(set) var isAlive = true
    /// The queues it has open.
    private(set) var queues: QueueDirectory?
    /// A call of it failed since the step began.
    var hasFailed = false
    var faults: [Fault] = []
    private(set) lazy var loop = SimulatedLoop(of: self)
    private(set) lazy var otherLoop = SimulatedLoop(of: self)

    init(id: Int32, world: SimulatedWorld) {
        self.id = id
        self.world = world
        var environment = QueueEnvironment()
        environment.clock = StackClock { [world] in world.now }
        environment.storage = SimulatedStorage(process: self, world: world)
        environment.randomBits = { [world] in world.random.next() }
        environment.messageID = { [world] in MessageID(world.messageID()) }
        environment.processID = id
        environment.heldWaiting = 2
        environment.isRunning = { [world] in world.isRunning($0) }
        environment.execute = { [weak self] in self?.execute($0) }
        environment.nanoseconds = { [world] in world.nanoseconds() }
        environment.currentLoop = { [weak self] in
            self.flatMap { process in
                [process.loop, process.otherLoop].first { $0.isOnLoop }
            }
        }
        queues = QueueDirectory(
            stateDirectory: SimulatedWorld.stateDirectory, environment: environment,
            options: world.options)
    }

    /// Its memory and its locks are gone; nothing it still calls has an effect.
    func die() {
        isAlive = false
        queues = nil
        jobs = []
        for lock in locks.values { release(lock) }
        locks = [:]
        world.forget(self)
    }

    /// Whether a loop of it has something else to do.
    var isBusy: Bool { world.random.chance(1, in: 4) }

    // MARK: work that nobody waits for

    /// What its other threads will do.
    private var jobs: [@Sendable () -> Void] = []
    private(set) var isAtJob = false
    /// Operations that one of its threads is in, and waits for.
    private var waiting = 0
    var isWaiting: Bool { waiting > 0 }

    /// While a thread waits nothing else may be put off: it could be what it waits for.
    func execute(_ job: @escaping @Sendable () -> Void) {
        guard isAlive else { return }
        if isWaiting { run(job) } else { jobs.append(job) }
    }

    func wait<R>(_ body: () throws -> R) rethrows -> R {
        waiting += 1
        defer { waiting -= 1 }
        return try body()
    }

    var jobCount: Int { jobs.count }

    /// Does one of its jobs, if it is there.
    func work(at index: Int) {
        if index < jobs.count { run(jobs.remove(at: index)) }
    }

    private func run(_ job: () -> Void) {
        let before = isAtJob
        isAtJob = true
        defer { isAtJob = before }
        loop.aside { otherLoop.aside(job) }
    }

    // MARK: locks

    struct Lock {
        var file: SimulatedDisk.File
        /// A journal's: while it is held, nobody interrupts.
        var isJournals: Bool
    }

    private var locks: [ObjectIdentifier: Lock] = [:]

    /// Whether the handle `holder` has the lock now.
    func take(_ lock: Lock, for holder: ObjectIdentifier) -> Bool {
        if let other = lock.file.lockHolder { return other == holder }
        lock.file.lockHolder = holder
        if lock.isJournals { world.heldLocks += 1 }
        locks[holder] = lock
        return true
    }

    func release(for holder: ObjectIdentifier) {
        if let lock = locks.removeValue(forKey: holder) { release(lock) }
    }

    private func release(_ lock: Lock) {
        lock.file.lockHolder = nil
        if lock.isJournals { world.heldLocks -= 1 }
    }

    enum Fate {
        case normal
        case short
        case fails(CInt)
        case dies(losingPower: Bool)
    }

    /// What happens to its next call.
    /// - Parameter isSegment: whether it is made on a journal's segment.
    func fate(of call: Call, isSegment: Bool = false) throws(SystemError) -> Fate {
        world.beforeCall(of: self, isSegmentSync: isSegment && call == .sync)
        guard isAlive else { throw SystemError(call: "the dead do not call", code: ESRCH) }
        for index in faults.indices.reversed() where faults[index].canHappen(to: call) {
            faults[index].call -= 1
            guard faults[index].call < 0 else { continue }
            let kind = faults.remove(at: index).kind
            switch kind {
            case .death: return .dies(losingPower: false)
            case .powerLoss: return .dies(losingPower: true)
            case .shortWrite: return .short
            case .noSpace: return .fails(ENOSPC)
            case .writeError, .syncError, .readError, .otherError: return .fails(EIO)
            }
        }
        return .normal
    }

    /// Ends it, or everybody, at this call.
    func end(losingPower: Bool) -> SystemError {
        if losingPower { world.losePower() } else { die() }
        return SystemError(call: "a process died", code: ESRCH)
    }

    func failure(_ call: String, _ code: CInt, _ path: String? = nil) -> SystemError {
        hasFailed = true
        return SystemError(call: call, code: code, path: path)
    }
}
