import JSON
import Journal
import Posix
import QueueModel
import Synchronization

/// The receivers that wait for messages of one queue, in order of arrival. On the loop.
final class PollRoom: Sendable {
    struct Waiter: Sendable {
        var number: UInt64
        var wish: LongPolls.Wish
        /// On the monotonic clock.
        var deadline: UInt64
        var completion: LongPolls.Completion
    }

    /// Somebody looks at least so often, should a wake-up be missed.
    private static let longestWait = Duration.seconds(5)
    /// How often where the system offers no notice of changes.
    private static let fallbackWait = Duration.milliseconds(20)

    private struct State {
        var waiters: [Waiter] = []
        /// Who looks just now.
        var looking: UInt64?
        /// Something happened meanwhile.
        var mustLookAgain = false
        /// When a message becomes visible, or it is time to look all the same.
        var nextLook: UInt64 = .max
        var timer: (id: EventLoop.TimerID, time: UInt64)?
        var watch: FolderWatcher.Token?
        var follower: Journal<QueueJournalState>.FollowerID?
    }

    private let queue: Queue
    private let loop: EventLoop
    private let watcher: FolderWatcher?
    private let polls: LongPolls
    private let onEmpty: @Sendable (PollRoom) -> Void
    private let state: LoopConfined<State>
    /// A look is on its way that somebody in this process has asked for.
    private let isTold = Atomic(false)

    /// - Parameter onEmpty: runs on the loop when nobody waits any more; again if the room hears of
    ///   something later.
    init(
        _ queue: Queue, loop: EventLoop, watcher: FolderWatcher?, polls: LongPolls,
        onEmpty: @escaping @Sendable (PollRoom) -> Void
    ) {
        self.queue = queue
        self.loop = loop
        self.watcher = watcher
        self.polls = polls
        self.onEmpty = onEmpty
        state = LoopConfined(State(), loop: loop)
    }

    var count: Int { state.with { $0.waiters.count } }

    func admit(_ waiter: Waiter) {
        state.with { state in
            state.waiters.append(waiter)
            if state.follower == nil {
                state.follower = queue.journal.follow { [weak self] in self?.tell() }
            }
            if state.watch == nil {
                state.watch = try? watcher?.watch(queue.journal.folder) { [self] in
                    // What this process did it was told of.
                    if queue.journal.mayBeBehind { look() }
                }
            }
        }
        // Whoever changes something tells, from here on: nothing slips between this look and the
        // wait.
        look()
    }

    /// From any thread, also under the journal's lock.
    private func tell() {
        guard !isTold.exchange(true, ordering: .acquiringAndReleasing) else { return }
        loop.execute { [self] in
            isTold.store(false, ordering: .releasing)
            look()
        }
    }

    /// The receiver has gone, and is answered: a client of HTTP/1.0 may have ended its own side
    /// only, and a connection whose request nobody answers stays for ever.
    func cancel(_ number: UInt64) {
        let gone = state.with { state -> Waiter? in
            guard let index = state.waiters.firstIndex(where: { $0.number == number }) else {
                return nil
            }
            let waiter = state.waiters.remove(at: index)
            // Who looks just now is answered once that is done.
            return state.looking == number ? nil : waiter
        }
        gone?.completion(.success([]))
        settle()
    }

    /// Nobody has time any more.
    func close() {
        state.with { state in
            for index in state.waiters.indices { state.waiters[index].deadline = 0 }
        }
        settle()
    }

    /// The first waiter looks, unless somebody does already.
    private func look() {
        let first = state.with { state -> Waiter? in
            guard let first = state.waiters.first else { return nil }
            guard state.looking == nil else {
                state.mustLookAgain = true
                return nil
            }
            state.looking = first.number
            state.mustLookAgain = false
            return first
        }
        guard let first else { return settle() }
        polls.look(at: queue, first.wish) { [self] result in
            loop.perform { self.looked(first, result) }
        }
    }

    private func looked(_ waiter: Waiter, _ result: Result<Queue.Look, any Error>) {
        let (isThere, mustLookAgain) = state.with { state in
            state.looking = nil
            return (state.waiters.contains { $0.number == waiter.number }, state.mustLookAgain)
        }
        switch result {
        case .failure(let error):
            // Who waits for what cannot be read waits in vain.
            take(waiter.number)
            waiter.completion(.failure(error))
            look()
        case .success(let look) where !look.received.deliveries.isEmpty:
            take(waiter.number)
            polls.finish(look.received, of: queue, waiter.completion)
            self.look()
        case .success(let look):
            if look.received.hasTransfers { polls.finishTransfers(of: queue) {} }
            // What arrives tells, as everything does that this process writes.
            if queue.takeLookAround() { polls.finishArrivals(at: queue) { _ in } }
            rest(until: look.nextWake)
            if !isThere { waiter.completion(.success([])) }
            // Whose time is up goes home, however much happens meanwhile.
            settle()
            if mustLookAgain || !isThere { self.look() }
        }
    }

    private func take(_ number: UInt64) {
        state.with { $0.waiters.removeAll { $0.number == number } }
    }

    /// - Parameter wake: when a message becomes visible by itself. Whoever makes room where as many
    ///   are in flight as there can be tells.
    private func rest(until wake: Timestamp?) {
        let now = SystemClock.monotonicNanoseconds()
        state.with { state in
            var pause = state.watch == nil ? Self.fallbackWait : Self.longestWait
            if let wake { pause = min(pause, max(.zero, wake - queue.environment.clock.now())) }
            // A look of the same millisecond would see what this one saw.
            state.nextLook = now + max(pause, .milliseconds(1)).nanoseconds
        }
    }

    /// Sends home whose time is up, and sets the timer for who is next.
    private func settle() {
        let now = SystemClock.monotonicNanoseconds()
        let over = state.with { state in
            let over = state.waiters.filter { $0.deadline <= now && $0.number != state.looking }
            if !over.isEmpty {
                state.waiters.removeAll { $0.deadline <= now && $0.number != state.looking }
            }
            return over
        }
        for waiter in over {
            queue.observeReceived(0)
            waiter.completion(.success([]))
        }
        let isEmpty = state.with { state in
            guard !state.waiters.isEmpty || state.looking != nil else {
                if let timer = state.timer { loop.cancel(timer.id) }
                state.timer = nil
                if let watch = state.watch { watcher?.unwatch(watch) }
                state.watch = nil
                if let follower = state.follower { queue.journal.unfollow(follower) }
                state.follower = nil
                return true
            }
            let due = state.waiters.reduce(state.looking == nil ? state.nextLook : .max) {
                $1.number == state.looking ? $0 : min($0, $1.deadline)
            }
            setTimer(due, now, &state)
            return false
        }
        if isEmpty { onEmpty(self) }
    }

    private func setTimer(_ due: UInt64, _ now: UInt64, _ state: inout State) {
        if let timer = state.timer {
            guard due < timer.time else { return }
            loop.cancel(timer.id)
            state.timer = nil
        }
        guard due < .max else { return }
        let pause = Duration.nanoseconds(Int64(clamping: due > now ? due - now : 0))
        let id = loop.schedule(after: pause) { [self] in
            let isDue = self.state.with { state in
                state.timer = nil
                return state.looking == nil
                    && state.nextLook <= SystemClock.monotonicNanoseconds()
            }
            if isDue { look() } else { settle() }
        }
        state.timer = (id, due)
    }
}
