import CPosix
import Glibc

/// Signals as flags: a handler may do no more than remember, and wake who waits.
package enum Signals {
    private struct Memory {
        var received: sig_atomic_t = 0
        var count: sig_atomic_t = 0
        /// How many signals are remembered; a further one ends the process.
        var limit: sig_atomic_t = 1
        var alarm: CInt = -1
    }

    nonisolated(unsafe) private static let memory = {
        let pointer = UnsafeMutablePointer<Memory>.allocate(capacity: 1)
        pointer.initialize(to: Memory())
        return pointer
    }()

    /// The signal that asked this process to end; `nil` if none did.
    package static var termination: CInt? {
        memory.pointee.received == 0 ? nil : memory.pointee.received
    }

    /// How many asked.
    package static var count: Int { Int(memory.pointee.count) }

    /// From now on SIGINT and SIGTERM are remembered instead of ending the process. A second one
    /// ends it.
    package static func deferTermination() {
        _ = memory
        var wanted = sigset_t()
        sigemptyset(&wanted)
        for number in [SIGINT, SIGTERM] { sigaddset(&wanted, number) }
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)  // whoever started us may have blocked them
        for number in [SIGINT, SIGTERM] {
            var action = sigaction()  // without SA_RESTART: whoever waits for input is woken
            action.__sigaction_handler.sa_handler = { number in
                let memory = Signals.memory
                if memory.pointee.count >= memory.pointee.limit { _exit(128 + number) }
                memory.pointee.received = number
                memory.pointee.count += 1
                var one: UInt64 = 1
                if memory.pointee.alarm >= 0 { _ = write(memory.pointee.alarm, &one, 8) }
            }
            sigaction(number, &action, nil)
        }
    }

    /// For a process that lives until it is asked to end: a second signal is remembered as well,
    /// and only a third ends it on the spot.
    package static func allowHurry() throws(SystemError) {
        let alarm = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
        guard alarm >= 0 else { throw .last("eventfd") }
        memory.pointee.alarm = alarm
        memory.pointee.limit = 2
    }

    /// Waits, after `allowHurry`, until `count` signals have come or `milliseconds` have passed.
    ///
    /// - Parameter milliseconds: -1 waits for ever.
    package static func wait(for count: Int, milliseconds: Int32 = -1) {
        while Self.count < count {
            var entry = pollfd(fd: memory.pointee.alarm, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, milliseconds) == 0 { return }
            var value: UInt64 = 0
            _ = Glibc.read(memory.pointee.alarm, &value, 8)
        }
    }

    /// Writing into a closed pipe, or beyond the largest file allowed, fails instead of killing.
    package static func ignoreFailedWrites() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }
}
