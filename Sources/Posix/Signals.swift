import CPosix
import Glibc
import Synchronization

/// Signals as flags: a handler may do no more than remember, and wake who waits.
package enum Signals {
    /// Every thread reads it, and the handler runs on any: locks are not for handlers.
    private struct Memory: ~Copyable {
        let received = Atomic<CInt>(0)
        let count = Atomic<Int>(0)
        /// How many signals are remembered; a further one ends the process.
        let limit = Atomic<Int>(1)
        let alarm = Atomic<CInt>(-1)
    }

    private static let memory = Memory()

    /// The signal that asked this process to end; `nil` if none did.
    package static var termination: CInt? {
        let received = memory.received.load(ordering: .relaxed)
        return received == 0 ? nil : received
    }

    /// How many asked.
    package static var count: Int { memory.count.load(ordering: .acquiring) }

    /// From now on SIGINT and SIGTERM are remembered instead of ending the process. A second one
    /// ends it.
    package static func deferTermination() {
        // Made here: a handler must not be the first to ask for it.
        precondition(memory.limit.load(ordering: .relaxed) > 0, "one signal at least is remembered")
        for number in [SIGINT, SIGTERM] { watch(for: number) }
    }

    private static func watch(for number: CInt) {
        var wanted = sigset_t()
        sigemptyset(&wanted)
        sigaddset(&wanted, number)
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)  // whoever started us may have blocked it
        var action = sigaction()  // without SA_RESTART: whoever waits for input is woken
        action.__sigaction_handler.sa_handler = { number in
            // Of one terminal that is closed, the kernel and the shell both tell.
            if number == SIGHUP { signal(SIGHUP, SIG_IGN) }
            let alarm = Signals.remember(number)
            var one: UInt64 = 1
            if alarm >= 0 { _ = write(alarm, &one, 8) }
        }
        sigaction(number, &action, nil)
    }

    /// - Returns: the descriptor that wakes who waits; -1 if nobody does.
    private static func remember(_ number: CInt) -> CInt {
        memory.received.store(number, ordering: .relaxed)
        let before = memory.count.add(1, ordering: .acquiringAndReleasing).oldValue
        if before >= memory.limit.load(ordering: .relaxed) { _exit(128 + number) }
        return memory.alarm.load(ordering: .acquiring)
    }

    /// For a process that lives until it is asked to end: a second signal is remembered as well,
    /// and only a third ends it on the spot. The end of the terminal, SIGHUP, is remembered once,
    /// unless who started the process had it ignored, as `nohup` does.
    package static func allowHurry() throws(SystemError) {
        let alarm = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        guard alarm >= 0 else { throw .last("eventfd") }
        memory.alarm.store(alarm, ordering: .releasing)
        memory.limit.store(2, ordering: .relaxed)
        var before = sigaction()
        sigaction(SIGHUP, nil, &before)
        let handler = unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self)
        if handler != unsafeBitCast(SIG_IGN, to: Int.self) { watch(for: SIGHUP) }
    }

    /// Waits, after `allowHurry`, until `count` signals have come or `milliseconds` have passed.
    ///
    /// - Parameter milliseconds: -1 waits for ever.
    package static func wait(for count: Int, milliseconds: Int32 = -1) {
        let alarm = memory.alarm.load(ordering: .acquiring)
        while Self.count < count {
            var entry = pollfd(fd: alarm, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, milliseconds) == 0 { return }
            var value: UInt64 = 0
            _ = Glibc.read(alarm, &value, 8)
        }
    }

    /// Writing into a closed pipe, or beyond the largest file allowed, fails instead of killing.
    package static func ignoreFailedWrites() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }
}
