import CPosix
import Glibc

/// A descriptor that is ready for reading when a child of this process has ended (signalfd(2)).
///
/// SIGCHLD is blocked from here on: a child that must have it starts with a mask of its own.
struct ChildEndings {
    /// -1 where the system has none left: nothing is told then.
    let descriptor: CInt

    init() {
        var wanted = sigset_t()
        sigemptyset(&wanted)
        sigaddset(&wanted, SIGCHLD)
        sigprocmask(SIG_BLOCK, &wanted, nil)
        descriptor = signalfd(-1, &wanted, CInt(SFD_CLOEXEC | SFD_NONBLOCK))
    }

    /// Takes what was told: several endings are one signal, so it says no more than that one must
    /// look.
    func take() {
        var told = signalfd_siginfo()
        _ = read(descriptor, &told, MemoryLayout.size(ofValue: told))
    }
}
