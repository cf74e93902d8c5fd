import CPosix
import Glibc

/// How a process ended.
package enum ExitStatus: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    init(waitStatus: CInt) {
        let signal = msorch_exit_signal(waitStatus)
        self = signal != 0 ? .signalled(signal) : .exited(msorch_exit_code(waitStatus))
    }

    package var isSuccess: Bool { self == .exited(0) }
}

/// What to start, with exactly these variables and nothing of ours.
package struct ProcessDescription: Sendable {
    package var program: String
    package var arguments: [String]
    package var environment: [String: String]
    /// `nil` is ours.
    package var folder: String?

    package init(
        _ program: String, _ arguments: [String], environment: [String: String],
        folder: String? = nil
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.folder = folder
    }
}

/// Starts processes; the child gets a process group of its own, default signals, and no descriptor
/// but those that are named.
enum Spawn {
    /// - Parameter descriptors: the child's number of each, and ours.
    static func start(
        _ description: ProcessDescription, descriptors: [(child: CInt, ours: CInt)]
    ) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (child, ours) in descriptors {
            posix_spawn_file_actions_adddup2(&actions, ours, child)
        }
        if let folder = description.folder {
            posix_spawn_file_actions_addchdir_np(&actions, folder)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var arguments = ([description.program] + description.arguments).map { strdup($0) } + [nil]
        var environment = description.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        var process: pid_t = 0
        let code = posix_spawn(
            &process, description.program, &actions, &attributes, &arguments, &environment)
        guard code == 0 else {
            throw SystemError(call: "posix_spawn", code: code, path: description.program)
        }
        return process
    }
}

/// Both ends, closed with it, unless somebody takes one.
struct Pipe: ~Copyable {
    let read: FileDescriptor
    let write: FileDescriptor

    init() throws(SystemError) {
        var ends: [CInt] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw .last("pipe2") }
        read = FileDescriptor(owning: ends[0])
        write = FileDescriptor(owning: ends[1])
    }
}

/// A program that runs to its end while we wait: pip, an interpreter that is asked for its version.
package enum Subprocess {
    package struct Outcome: Sendable {
        package var status: ExitStatus
        package var output: [UInt8]
        package var error: [UInt8]
    }

    /// What is kept of its output; the rest is read and dropped.
    private static let outputLimit = 4 * 1024 * 1024

    /// - Parameters:
    ///   - timeout: after which it is killed.
    ///   - onOutput: gets standard output as it comes.
    package static func run(
        _ description: ProcessDescription, timeout: Duration,
        onOutput: (ArraySlice<UInt8>) -> Void = { _ in }
    ) throws(SystemError) -> Outcome {
        let output = try Pipe()
        let error = try Pipe()
        let null = try FileDescriptor(reading: "/dev/null")
        let process = try Spawn.start(
            description,
            descriptors: [
                (0, null.rawValue), (1, output.write.rawValue), (2, error.write.rawValue),
            ])
        // Ours would keep the reading ends from ending.
        close(output.write)
        close(error.write)
        var kept: [[UInt8]] = [[], []]
        var entries = [output.read.rawValue, error.read.rawValue].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let deadline = SystemClock.monotonicNanoseconds() + timeout.nanoseconds
        while entries.contains(where: { $0.fd >= 0 }) {
            let now = SystemClock.monotonicNanoseconds()
            guard now < deadline, Signals.termination == nil else {
                kill(-process, SIGKILL)
                break
            }
            poll(&entries, 2, CInt(clamping: min(200, (deadline - now) / 1_000_000 + 1)))
            for index in entries.indices where entries[index].revents != 0 {
                let count = Glibc.read(entries[index].fd, &buffer, buffer.count)
                guard count > 0 else {
                    entries[index].fd = -1
                    continue
                }
                if index == 0 { onOutput(buffer[..<count]) }
                if kept[index].count < Self.outputLimit { kept[index] += buffer[..<count] }
            }
        }
        var status: CInt = 0
        _ = retrying { waitpid(process, &status, 0) }
        return Outcome(
            status: ExitStatus(waitStatus: status), output: kept[0], error: kept[1])
    }

    private static func close(_ end: consuming FileDescriptor) {}

    /// The first program of that name in a `PATH`.
    package static func find(_ name: String, path: String) -> String? {
        path.split(separator: ":").map { "\($0)/\(name)" }.first(where: FileSystem.isExecutable)
    }
}
