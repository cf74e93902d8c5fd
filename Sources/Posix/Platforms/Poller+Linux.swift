import CPosix
import Glibc
import Synchronization

/// epoll, and an eventfd to wake it.
struct Poller: ~Copyable, Sendable {
    /// Few: those whom a round answers ask their next while the others are read.
    private static let eventsPerWait = 16

    private let poll: CInt
    private let alarm: CInt
    /// There is a wait, or will be at once, and nobody has ended it yet.
    private let isWaiting = Atomic<Bool>(false)

    init() throws(SystemError) {
        let poll = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard poll >= 0 else { throw .last("epoll_create1") }
        let alarm = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        guard alarm >= 0 else {
            let failure = SystemError.last("eventfd")
            _ = Glibc.close(poll)
            throw failure
        }
        var event = Self.event(alarm, .read)
        // Each call is told of once: nobody need read it.
        event.events |= EPOLLET.rawValue
        guard epoll_ctl(poll, EPOLL_CTL_ADD, alarm, &event) == 0 else { throw .last("epoll_ctl") }
        self.poll = poll
        self.alarm = alarm
    }

    func add(_ descriptor: CInt, _ interest: EventLoop.Interest) throws(SystemError) {
        var event = Self.event(descriptor, interest)
        guard epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            throw .last("epoll_ctl")
        }
    }

    func change(_ descriptor: CInt, _ interest: EventLoop.Interest) {
        var event = Self.event(descriptor, interest)
        _ = epoll_ctl(poll, EPOLL_CTL_MOD, descriptor, &event)
    }

    func remove(_ descriptor: CInt) {
        var event = epoll_event()
        _ = epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, &event)
    }

    /// Ends the wait that is going on; where nobody waits the system is not called.
    func wake() {
        guard isWaiting.exchange(false, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = Glibc.write(alarm, &one, 8)
    }

    /// - Parameters:
    ///   - patience: how many milliseconds it may take, -1 for ever. What comes after it was asked
    ///     can `wake`.
    ///   - event: gets each descriptor that is ready.
    func wait(upTo patience: () -> Int32, _ event: (CInt, EventLoop.Readiness) -> Void) {
        isWaiting.store(true, ordering: .releasing)
        let milliseconds = patience()
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsPerWait) {
            events in
            let count = epoll_wait(
                poll, events.baseAddress, CInt(Self.eventsPerWait), milliseconds)
            isWaiting.store(false, ordering: .relaxed)
            for ready in events.prefix(max(0, Int(count))) {
                if ready.data.fd == alarm { continue }
                event(ready.data.fd, Self.readiness(ready.events))
            }
        }
    }

    /// Closes what it holds; nobody may wait any more.
    func close() {
        _ = Glibc.close(poll)
        _ = Glibc.close(alarm)
    }

    private static func event(
        _ descriptor: CInt, _ interest: EventLoop.Interest
    ) -> epoll_event {
        var event = epoll_event()
        event.data.fd = descriptor
        if interest.contains(.read) { event.events |= EPOLLIN.rawValue }
        if interest.contains(.write) { event.events |= EPOLLOUT.rawValue }
        return event
    }

    private static func readiness(_ events: UInt32) -> EventLoop.Readiness {
        if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
            return [.read, .write, .hangUp]
        }
        var readiness: EventLoop.Readiness = []
        if events & EPOLLIN.rawValue != 0 { readiness.insert(.read) }
        if events & EPOLLOUT.rawValue != 0 { readiness.insert(.write) }
        return readiness
    }
}
