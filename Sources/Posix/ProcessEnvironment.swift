import CPosix
import Glibc

/// What this process was started with.
package enum ProcessEnvironment {
    package static var processID: Int32 { getpid() }

    /// Ends the process at once: nothing is buffered, and a thread that still works must not find
    /// that libcrypto has cleaned up behind it.
    package static func exit(_ code: Int32) -> Never { _exit(code) }

    /// Ends the process as `kill -9` does: nothing of it runs any more.
    package static func killSelf() -> Never {
        kill(getpid(), SIGKILL)
        while true { pause() }
    }

    /// A variable's value; `nil` if it is not set or empty.
    package static func value(_ name: String) -> String? {
        guard let text = getenv(name), text.pointee != 0 else { return nil }
        return String(cString: text)
    }

    /// Every variable.
    package static var all: [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }

    /// Whether every argument of this process is UTF-8.
    package static func argumentsAreUTF8() -> Bool {
        UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc))
            .allSatisfy { $0.map { String(validatingCString: $0) != nil } ?? true }
    }

    /// This program's own file.
    package static var executable: String {
        guard let path = realpath("/proc/self/exe", nil) else { return "/proc/self/exe" }
        defer { free(path) }
        return String(cString: path)
    }

    /// Whether there is such a process, of whomever.
    package static func isRunning(_ process: Int32) -> Bool {
        kill(process, 0) == 0 || errno == EPERM
    }

    /// Lets this process open as many files as it may at most.
    package static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(openFiles, &limit)
    }

    /// How many files this process may have open, sockets among them.
    package static var fileLimit: Int {
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }

    /// For a process that starts others: they get so many open files, if it has them itself.
    static func limitFiles(to count: rlim_t) {
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0, limit.rlim_cur > count else { return }
        limit.rlim_cur = count
        setrlimit(openFiles, &limit)
    }

    private static var openFiles: __rlimit_resource_t {
        __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    }

    /// How many processors work for us.
    package static var processorCount: Int { max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))) }

    /// The folder that relative paths start from.
    package static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return String(cString: path)
    }
}
