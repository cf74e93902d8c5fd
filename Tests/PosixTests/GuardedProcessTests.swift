import Foundation
import Posix
import TestSupport
import Testing

/// Real processes under a real guard.
@Suite struct GuardedProcessTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("guard") }

    /// - Parameter guardExecutable: `nil` is the `msorch` that was built.
    private func start(_ script: String, by guardExecutable: String? = nil) throws -> GuardedProcess
    {
        let temporary = folder.path + "/tmp"
        try FileSystem.makeDirectory(temporary)
        return try GuardedProcess(
            ProcessDescription(
                "/bin/sh", ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
                folder: folder.path),
            temporaryFolder: temporary,
            guardExecutable: guardExecutable ?? BuiltExecutable.folder + "/msorch")
    }

    private func exists(_ process: Int32) -> Bool { FileSystem.exists("/proc/\(process)") }

    @Test("a guard ends as its process did", arguments: [0, 1, 127])
    func exitCode(code: Int) throws {
        let process = try start("exit \(code)")
        #expect(process.wait(timeout: .seconds(20)) == .exited(Int32(code)))
        #expect(!FileSystem.exists(folder.path + "/tmp"), "the guard removes what was private")
    }

    @Test("a signal is passed on")
    func signalled() throws {
        let process = try start("kill -SEGV $$")
        #expect(process.wait(timeout: .seconds(20)) == .signalled(11))
    }

    @Test("what cannot be started says so")
    func notFound() throws {
        let process = try GuardedProcess(
            ProcessDescription("/does/not/exist", [], environment: [:]),
            temporaryFolder: folder.path + "/tmp",
            guardExecutable: BuiltExecutable.folder + "/msorch")
        #expect(process.wait(timeout: .seconds(20)) == .exited(127))
        let words = String(decoding: readAll(process.error), as: UTF8.self)
        #expect(words.contains("fork/exec /does/not/exist: no such file or directory"))
    }

    @Test("a guard that cannot be started leaves no descriptor open")
    func noGuard() throws {
        let attempts = 300
        func pipes() throws -> Int {
            try FileSystem.list("/proc/self/fd").count { name in
                FileSystem.linkTarget("/proc/self/fd/\(name)")?.hasPrefix("pipe:") == true
            }
        }
        let before = try pipes()
        for _ in 0..<attempts {
            let failure = #expect(throws: SystemError.self) {
                _ = try GuardedProcess(
                    ProcessDescription("/bin/true", [], environment: [:]),
                    temporaryFolder: folder.path + "/tmp", guardExecutable: "/does/not/exist")
            }
            #expect(failure?.isNotFound == true)
        }
        // Other tests run beside this one, and have pipes of their own.
        #expect(try pipes() < before + attempts / 2)
    }

    @Test("children and grandchildren end with it, also those that left the group")
    func descendants() throws {
        let process = try start(
            "setsid sh -c 'sleep 300 & echo $! > pids; sleep 300 & echo $! >> pids; "
                + "echo done > ready; wait' & wait")
        let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
        while !FileSystem.exists(folder.path + "/ready") {
            try #require(SystemClock.monotonicNanoseconds() < deadline)
            SystemClock.pause(microseconds: 1000)
        }
        let pids = String(decoding: try FileSystem.read(folder.path + "/pids"), as: UTF8.self)
            .split(separator: "\n").compactMap { Int32($0) }
        #expect(pids.count == 2)
        #expect(pids.allSatisfy(exists))
        #expect(process.residentBytes() > 0)
        process.end()
        #expect(process.wait(timeout: .seconds(20)) != nil)
        #expect(!pids.contains(where: exists))
    }

    @Test("who loses its parent is reaped as it ends, not when the guard does")
    func orphans() throws {
        let process = try start(
            "n=0; while [ $n -lt 50 ]; do (true &); n=$((n + 1)); done; "
                + "echo done > ready; exec sleep 300")
        let isReady = eventually { FileSystem.exists(folder.path + "/ready") }
        try #require(isReady)
        let areReaped = eventually { ProcessTree.descendants(of: process.guardID).count == 1 }
        #expect(areReaped)
        process.end()
        #expect(process.wait(timeout: .seconds(20)) != nil)
    }

    @Test("the folder of a guard that was killed is removed by who comes later")
    func abandoned() throws {
        let names = { [folder] in
            try FileSystem.list(folder.path).filter {
                FileSystem.isDirectory("\(folder.path)/\($0)")
            }
        }
        for name in ["old", "new"] { try FileSystem.makeDirectory("\(folder.path)/\(name)/below") }
        let process = try start(
            "touch -d '2 minutes ago' tmp old; echo $$ > pid; echo done > ready; exec sleep 300")
        let isReady = eventually { FileSystem.exists(folder.path + "/ready") }
        try #require(isReady)
        ProcessGuard.removeAbandoned(in: folder.path)
        #expect(try names() == ["new", "tmp"], "one may wait for its guard, and one has it")
        kill(process.guardID, SIGKILL)
        #expect(process.wait(timeout: .seconds(20)) == .signalled(SIGKILL))
        ProcessGuard.removeAbandoned(in: folder.path)
        #expect(try names() == ["new"])
        let pid = String(decoding: try FileSystem.read(folder.path + "/pid"), as: UTF8.self)
        kill(try #require(Int32(pid.dropLast())), SIGKILL)
    }

    @Test("a folder that may not be written to goes as well")
    func readOnly() throws {
        // Root may write everywhere, unless it gives that up.
        let guardian = folder.path + "/guard"
        let lesser = getuid() == 0 ? "setpriv --bounding-set=-all --inh-caps=-all" : ""
        let script = "#!/bin/sh\nexec \(lesser) \(BuiltExecutable.folder)/msorch \"$@\"\n"
        try FileSystem.replace(guardian, with: Array(script.utf8))
        chmod(guardian, 0o700)
        let process = try start(
            "mkdir -p tmp/a/b && touch tmp/a/b/c && chmod 555 tmp/a/b tmp/a", by: guardian)
        #expect(process.wait(timeout: .seconds(20)) == .exited(0))
        #expect(!FileSystem.exists(folder.path + "/tmp"))
    }

    private func readAll(_ descriptor: borrowing FileDescriptor) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let transfer = buffer.withUnsafeMutableBytes { Sockets.read(descriptor, into: $0) }
            guard case .bytes(let count) = transfer else { return bytes }
            bytes += buffer[..<count]
        }
    }
}
