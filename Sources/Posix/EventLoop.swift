import Glibc
import Synchronization

/// One thread that waits for descriptors and times, and runs every callback.
///
/// What callbacks share needs no lock: there is one thread (`LoopConfined`). A callback that blocks
/// stops everybody; blocking work belongs to a `WorkerPool`.
@usableFromInline
package final class EventLoop: Sendable {
    /// What a descriptor is watched for.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// `read`, `write`, both or neither.
        package init(reading: Bool, writing: Bool) {
            rawValue = (reading ? 1 : 0) | (writing ? 2 : 0)
        }
        package static let read = Interest(rawValue: 1)
        package static let write = Interest(rawValue: 2)
        /// Both directions are over, or the descriptor is broken: reported, whatever is asked for.
        package static let hangUp = Interest(rawValue: 4)
    }

    /// What a descriptor is ready for; a hang-up or an error makes it ready for everything, so that
    /// the next call tells.
    package typealias Readiness = Interest

    package struct TimerID: Hashable, Sendable {
        fileprivate let time: UInt64
        fileprivate let number: UInt64
    }

    typealias Work = @Sendable () -> Void
    typealias Handler = @Sendable (Readiness) -> Void
    typealias IdleWork = @Sendable (_ isIdle: Bool) -> Void

    /// So many cancelled timers may wait for their time, or as many as there are others.
    private static let cancelledTimers = 1000

    /// So many rounds work waits for a moment in which there is nothing else to do.
    private static let roundsUntilIdle = 4

    private struct Idle {
        var work: [IdleWork] = []
        var rounds = 0
    }

    private struct Shared {
        var work: [Work] = []
        var timers = TimerHeap()
        var cancelled: Set<UInt64> = []
        var nextNumber: UInt64 = 1
        var isShutDown = false
        /// What comes now would not be run.
        var hasEnded = false
    }

    private let shared = Mutex(Shared())
    private let poller: Poller
    private let handlers = Mutex<[CInt: Handler]>([:])
    /// For the end of the round; only the loop's thread adds.
    private let last = Mutex<[Work]>([])
    /// For when there is nothing else to do; only the loop's thread adds.
    private let idle = Mutex(Idle())
    private let thread = Mutex<Thread?>(nil)
    private let threadIdentifier = Atomic<Thread.Identifier>(0)

    /// Starts the loop's thread.
    package init(name: String) throws(SystemError) {
        poller = try Poller()
        let started = try Thread(name: name) { [self] in run() }
        thread.withLock { $0 = started }
    }

    deinit { poller.close() }

    /// Whether the caller runs on the loop's thread.
    @usableFromInline
    package var isOnLoop: Bool { Thread.current == threadIdentifier.load(ordering: .acquiring) }

    /// The loop whose thread asks; `nil` on every other thread.
    package static var current: EventLoop? {
        pthread_getspecific(key).map {
            Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue()
        }
    }

    /// Where each thread keeps the loop that it runs.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let code = pthread_key_create(&key, nil)
        precondition(code == 0, "a process has a place for one more value a thread")
        return key
    }()

    /// Runs `work` on the loop, in the order of the calls; from any thread.
    /// - Returns: `false` if the loop has ended: then it will never run.
    @discardableResult
    package func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        let hasEnded = shared.withLock { shared in
            if !shared.hasEnded { shared.work.append(work) }
            return shared.hasEnded
        }
        poller.wake()
        return !hasEnded
    }

    /// Runs `work` on the loop: at once if the caller is there, else soon.
    package func perform(_ work: @escaping @Sendable () -> Void) {
        if isOnLoop { work() } else { execute(work) }
    }

    /// Runs `work` once the events and timers of this round have run, or what was handed over, if
    /// that asks: what several callbacks ask for can be done together. On the loop.
    package func atEndOfRound(_ work: @escaping @Sendable () -> Void) {
        precondition(isOnLoop, "only on the event loop")
        last.withLock { $0.append(work) }
    }

    /// Runs `work` once no event waits, no time has come, and nothing was handed over: a moment in
    /// which the loop would only wait. It gets `false` if that moment does not come for some
    /// rounds, or belongs to another's work: then it must not hold the loop up. On the loop.
    package func whenIdle(_ work: @escaping @Sendable (_ isIdle: Bool) -> Void) {
        precondition(isOnLoop, "only on the event loop")
        idle.withLock { $0.work.append(work) }
    }

    /// Runs `work` on the loop once `delay` has passed, if the loop has not ended; from any thread.
    @discardableResult
    package func schedule(
        after delay: Duration, _ work: @escaping @Sendable () -> Void
    ) -> TimerID {
        let id = shared.withLock { shared in
            let id = TimerID(
                time: SystemClock.monotonicNanoseconds() + delay.nanoseconds,
                number: shared.nextNumber)
            shared.nextNumber += 1
            if !shared.hasEnded {
                shared.timers.insert(
                    TimerHeap.Entry(time: id.time, number: id.number, work: work))
            }
            return id
        }
        poller.wake()
        return id
    }

    /// The timer will not run, unless it is running already. Unknown timers are no error.
    package func cancel(_ timer: TimerID) {
        let before = shared.withLock { shared -> TimerHeap? in
            guard timer.time > 0, shared.timers.contains(timer.number) else { return nil }
            shared.cancelled.insert(timer.number)
            guard shared.cancelled.count > Self.cancelledTimers,
                shared.cancelled.count * 2 > shared.timers.count
            else { return nil }
            defer {
                shared.timers.remove(shared.cancelled)
                shared.cancelled = []
            }
            return shared.timers
        }
        // Whoever is released with them may come back into the loop: not under its lock.
        withExtendedLifetime(before) {}
    }

    /// Calls `event` whenever `descriptor` is ready (level triggered) until `unwatch`. The loop
    /// does not own the descriptor: unwatch it before closing.
    package func watch(
        _ descriptor: CInt, _ interest: Interest, _ event: @escaping @Sendable (Readiness) -> Void
    ) throws(SystemError) {
        handlers.withLock { $0[descriptor] = event }
        do throws(SystemError) {
            try poller.add(descriptor, interest)
        } catch {
            _ = handlers.withLock { $0.removeValue(forKey: descriptor) }
            throw error
        }
    }

    /// Watches for something else; nothing leaves only hang-ups and errors.
    package func change(_ descriptor: CInt, _ interest: Interest) {
        poller.change(descriptor, interest)
    }

    package func unwatch(_ descriptor: CInt) {
        let known = handlers.withLock { $0.removeValue(forKey: descriptor) != nil }
        if known { poller.remove(descriptor) }
    }

    /// Runs what was queued before, then ends the thread and waits for it.
    package func shutdown() {
        precondition(!isOnLoop, "a thread cannot wait for itself")
        shared.withLock { $0.isShutDown = true }
        poller.wake()
        thread.withLock { $0 }?.join()
        forgetAll()
    }

    /// What was watched, or was to run later, holds its owners, and they hold the loop. Whoever is
    /// released here may come back into it: not under a lock.
    private func forgetAll() {
        let watching = handlers.withLock { handlers in
            defer { handlers = [:] }
            return handlers
        }
        let planned = shared.withLock { shared in
            defer { shared.timers = TimerHeap() }
            return shared.timers
        }
        withExtendedLifetime((watching, planned)) {}
    }

    // MARK: on the thread

    private func run() {
        threadIdentifier.store(Thread.current, ordering: .releasing)
        // The thread holds the loop for as long as it runs.
        pthread_setspecific(Self.key, Unmanaged.passUnretained(self).toOpaque())
        while true {
            var isIdle = true
            poller.wait(upTo: patience) { descriptor, readiness in
                isIdle = false
                // An earlier callback of this round may have closed this one.
                let handler = handlers.withLock { $0[descriptor] }
                handler?(readiness)
            }
            if runTimers() { isIdle = false }
            endRound()
            for item in shared.withLock({ Self.take(&$0.work) }) {
                isIdle = false
                item()
            }
            runIdleWork(isIdle)
            endRound()
            if isDone() {
                // Another thread may get this one's identifier.
                threadIdentifier.store(0, ordering: .releasing)
                return
            }
        }
    }

    private func endRound() {
        for item in last.withLock({ Self.take(&$0) }) { item() }
    }

    private func runIdleWork(_ isIdle: Bool) {
        let due = idle.withLock { idle -> [IdleWork] in
            guard !idle.work.isEmpty else { return [] }
            idle.rounds += 1
            guard isIdle || idle.rounds > Self.roundsUntilIdle else { return [] }
            defer { idle = Idle() }
            return idle.work
        }
        for work in due.dropLast() { work(false) }
        due.last?(isIdle)
    }

    private static func take(_ list: inout [Work]) -> [Work] {
        var taken: [Work] = []
        swap(&taken, &list)
        return taken
    }

    private func isDone() -> Bool {
        guard !isOwing else { return false }
        return shared.withLock { shared in
            shared.hasEnded = shared.isShutDown && shared.work.isEmpty
            return shared.hasEnded
        }
    }

    /// Whether there is work that needs no event.
    private var isOwing: Bool {
        !last.withLock { $0.isEmpty } || !idle.withLock { $0.work.isEmpty }
    }

    /// In milliseconds.
    private func patience() -> Int32 {
        guard !isOwing else { return 0 }
        return shared.withLock { shared in
            guard shared.work.isEmpty, !shared.isShutDown else { return 0 }
            guard let first = shared.timers.first else { return -1 }
            let now = SystemClock.monotonicNanoseconds()
            guard first.time > now else { return 0 }
            return Int32(clamping: (first.time - now + 999_999) / 1_000_000)
        }
    }

    /// - Returns: whether there was one.
    private func runTimers() -> Bool {
        var hasRun = false
        while true {
            let now = SystemClock.monotonicNanoseconds()
            let due = shared.withLock { shared -> (entry: TimerHeap.Entry, isCancelled: Bool)? in
                guard let first = shared.timers.first, first.time <= now else { return nil }
                shared.timers.removeFirst()
                return (first, shared.cancelled.remove(first.number) != nil)
            }
            guard let due else { return hasRun }
            if !due.isCancelled {
                hasRun = true
                due.entry.work()
            }
        }
    }
}
