import CPosix
import Glibc
import Synchronization

/// A process under a guard: a small process that ends every descendant as soon as the process ends,
/// or we do, however we do.
package final class GuardedProcess: Sendable {
    /// The hidden command that makes an `msorch` a guard: temporary folder, program, arguments.
    package static let command = "guard-environment"
    /// The pipe's descriptor in the guard.
    static let lifeline: CInt = 3

    package let guardID: Int32
    /// Standard output and error, read without blocking.
    package let output: FileDescriptor
    package let error: FileDescriptor
    /// Ready for reading once guard, process and all descendants are gone.
    package let exit: FileDescriptor
    private let lifelineEnd: Mutex<FileDescriptor?>

    /// - Parameters:
    ///   - guardExecutable: an `msorch`; it is called with the hidden `command`.
    ///   - temporaryFolder: removed by the guard at the end.
    package init(
        _ description: ProcessDescription, temporaryFolder: String, guardExecutable: String
    ) throws(SystemError) {
        let output = try Pipe()
        let error = try Pipe()
        let lifeline = try Pipe()
        let null = try FileDescriptor(reading: "/dev/null")
        // A descriptor that is the wanted one already would keep its close-on-exec flag.
        let copied = fcntl(lifeline.read.rawValue, F_DUPFD_CLOEXEC, 10)
        guard copied >= 0 else { throw .last("fcntl") }
        let safe = FileDescriptor(owning: copied)
        var guarded = description
        guarded.program = guardExecutable
        guarded.arguments =
            [Self.command, temporaryFolder, description.program] + description.arguments
        let started = try Spawn.start(
            guarded,
            descriptors: [
                (0, null.rawValue), (1, output.write.rawValue), (2, error.write.rawValue),
                (Self.lifeline, safe.rawValue),
            ])
        let exit = msorch_pidfd_open(started)
        guard exit >= 0 else {
            let failure = SystemError.last("pidfd_open")
            Self.close(lifeline.write)
            // It ends with that, and nobody else would wait for it.
            var status: CInt = 0
            _ = retrying { waitpid(started, &status, 0) }
            throw failure
        }
        guardID = started
        self.exit = FileDescriptor(owning: exit)
        for end in [output.read.rawValue, error.read.rawValue] {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        self.output = output.read
        self.error = error.read
        lifelineEnd = Mutex(lifeline.write)
    }

    private static func close(_ end: consuming FileDescriptor) {}

    /// Ends process and descendants soon; `exit` tells when. So does the end of this object.
    package func end() { lifelineEnd.withLock { $0 = nil } }

    /// How it ended; `nil` while it has not.
    package func reap() -> ExitStatus? {
        var status: CInt = 0
        guard retrying({ waitpid(guardID, &status, WNOHANG) }) == guardID else { return nil }
        return ExitStatus(waitStatus: status)
    }

    /// Waits for the end.
    package func wait(timeout: Duration) -> ExitStatus? {
        var entry = pollfd(fd: exit.rawValue, events: Int16(POLLIN), revents: 0)
        _ = retrying { poll(&entry, 1, CInt(clamping: timeout.nanoseconds / 1_000_000)) }
        return reap()
    }

    /// Memory that process and descendants hold now, in bytes. What they share counts for each.
    package func residentBytes() -> UInt64 { ProcessTree.residentBytes(below: guardID) }

    /// The same, but what they share counts once. Takes as long as they are large.
    package func proportionalBytes() -> UInt64 { ProcessTree.proportionalBytes(below: guardID) }
}

/// The guard's own life.
package enum ProcessGuard {
    /// Starting was not possible: the exit codes of a shell.
    private static let cannotExecute: Int32 = 126
    private static let notFound: Int32 = 127
    /// Files that a function may have open (Lambda guide, *gettingstarted-limits*).
    private static let openFiles: rlim_t = 1024
    /// How long a process that was killed may take to be gone; the kernel decides.
    private static let patience = Duration.seconds(10)
    /// So many are reaped before it is looked for new ones, who may leave others as fast as that.
    private static let reapedAtOnce = 1000
    /// So young a folder may still wait for its guard.
    private static let guardDelayMilliseconds: Int64 = 60_000

    /// Runs `program` and does not return: exits as the program did.
    package static func run(
        _ program: String, _ arguments: [String], temporaryFolder: String
    ) -> Never {
        _ = msorch_become_subreaper()
        _ = fcntl(GuardedProcess.lifeline, F_SETFD, FD_CLOEXEC)
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        ProcessEnvironment.limitFiles(to: openFiles)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { signal(number, SIG_IGN) }
        let endings = ChildEndings()
        holdFolder(temporaryFolder)
        let description = ProcessDescription(
            program, arguments, environment: ProcessEnvironment.all)
        let child: pid_t
        do throws(SystemError) {
            child = try Spawn.start(description, descriptors: [(0, 0), (1, 1), (2, 2)])
        } catch {
            StandardStream.error.write(
                "fork/exec \(program): \(error.reason.lowercased())\n".utf8)
            try? FileSystem.removeTree(temporaryFolder)
            _exit(error.isNotFound ? notFound : cannotExecute)
        }
        let status = waitForEnd(of: child, endings)
        endDescendants(except: status == nil ? child : nil)
        try? FileSystem.removeTree(temporaryFolder)
        switch status {
        case nil: _exit(0)
        case .exited(let code): _exit(code)
        case .signalled(let number):
            signal(number, SIG_DFL)
            kill(getpid(), number)
            _exit(128 + number)
        }
    }

    /// Removes the temporary folders of guards that were killed, as all are with their machine.
    package static func removeAbandoned(in folder: String) {
        let now = SystemClock.unixMilliseconds()
        for path in ((try? FileSystem.list(folder)) ?? []).map({ "\(folder)/\($0)" }) {
            guard let stamp = FileSystem.stamp(of: path),
                now - stamp.modifiedMilliseconds > guardDelayMilliseconds,
                let opened = try? FileDescriptor(reading: path), (try? opened.tryLock()) == true
            else { continue }
            try? FileSystem.removeTree(path)
        }
    }

    /// A lock on it, until we are gone, and in no child: who finds it free may remove the folder.
    private static func holdFolder(_ path: String) {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        _ = flock(folder, LOCK_EX | LOCK_NB)
    }

    /// Waits until `child` has ended, or msorch wants that it does. Whoever loses its parent
    /// becomes our child, and would stay a zombie as long as we live: it is reaped as it ends.
    ///
    /// - Returns: how `child` ended; `nil` if it has not.
    private static func waitForEnd(of child: pid_t, _ endings: ChildEndings) -> ExitStatus? {
        var entries = [GuardedProcess.lifeline, endings.descriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        var status: CInt = 0
        while true {
            let reaped = waitpid(-1, &status, WNOHANG)
            if reaped == child { return ExitStatus(waitStatus: status) }
            poll(&entries, 2, reaped > 0 ? 0 : -1)
            if entries[0].revents != 0 { break }
            endings.take()
        }
        guard waitpid(child, &status, WNOHANG) == child else { return nil }
        return ExitStatus(waitStatus: status)
    }

    /// Kills until nobody is left: children that are born meanwhile come to us, their reaper.
    private static func endDescendants(except child: pid_t?) {
        let deadline = SystemClock.monotonicNanoseconds() + patience.nanoseconds
        if let child { kill(-child, SIGKILL) }
        while SystemClock.monotonicNanoseconds() < deadline {
            for descendant in ProcessTree.descendants(of: getpid()) { kill(descendant, SIGKILL) }
            var status: CInt = 0
            var reaped: pid_t = 0
            for _ in 0..<reapedAtOnce {
                reaped = waitpid(-1, &status, WNOHANG)
                if reaped <= 0 { break }
            }
            if reaped < 0, errno == ECHILD { return }
            if reaped == 0 { SystemClock.pause(microseconds: 500) }
        }
    }
}
