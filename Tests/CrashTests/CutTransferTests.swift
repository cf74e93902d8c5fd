import JSON
import Posix
import TestSupport
import Testing

/// A process that is killed while a dead letter is on its way leaves it to who looks for it.
@Suite struct CutTransferTests {
    @Test(
        "killed before the dead-letter queue has it, a message is there for who looks",
        arguments: [
            ["queue", "receive", "Dead"], ["queue", "export", "Dead"], ["queue", "peek", "Dead"],
            ["queue", "stats", "Dead"], ["poll", "Dead"], ["queue", "tail", "Dead"],
            ["queue", "purge", "Dead"], ["queue", "redrive", "Dead"],
        ])
    func seen(look: [String]) throws {
        let folder = try TemporaryFolder("cuttransfer")
        try cut(folder, at: "before-take")
        let seen = try msorch(folder, look + ["--output", "json"])
        #expect(seen.status == 0)
        switch look[1] {
        case "stats":
            let queues = try JSONValue.parse(seen.output)
            #expect(queues.arrayValue?.first?["visible"] == .int(1), "\(seen.output)")
        case "purge": #expect(try JSONValue.parse(seen.output)["purged"] == .int(1))
        case "redrive": #expect(try JSONValue.parse(seen.output)["moved"] == .int(1))
        default: #expect(seen.output.contains("lost?"))
        }
        #expect(try msorch(folder, ["queue", "verify", "Q"]).status == 0)
    }

    @Test("what has arrived leaves no more, also where no file says that it was on its way")
    func arrived() throws {
        let folder = try TemporaryFolder("cuttransfer")
        try cut(folder, at: "after-take")
        try FileSystem.remove("\(folder.path)/.msorch/queues/Dead/arriving-Q")
        let stats = try msorch(folder, ["queue", "stats", "--output", "json"])
        let queues = try JSONValue.parse(stats.output).arrayValue ?? []
        #expect(queues.map { $0["visible"] } == [.int(1), .int(0)], "\(stats.output)")
        #expect(queues.map { $0["leaving"] } == [[], []], "\(stats.output)")
        #expect(stats.error.isEmpty, "\(stats.error)")
    }

    private func msorch(
        _ folder: TemporaryFolder, _ arguments: [String], crash: String? = nil
    ) throws -> BuiltExecutable.Result {
        try BuiltExecutable.run(
            "\(BuiltExecutable.folder)/msorch", arguments, in: folder.path,
            environment: crash.map { ["MSORCH_CRASH": $0] } ?? [:])
    }

    /// A dead letter of Q on its way to Dead, whose process is killed at a point.
    private func cut(_ folder: TemporaryFolder, at point: String) throws {
        let redrive = ["--dead-letter-queue", "Dead", "--max-receive-count", "1"]
        #expect(try msorch(folder, ["queue", "create", "Dead"]).status == 0)
        #expect(try msorch(folder, ["queue", "create", "Q"] + redrive).status == 0)
        #expect(try msorch(folder, ["send", "Q", "lost?"]).status == 0)
        let receive = ["queue", "receive", "Q", "--visibility-timeout", "0"]
        #expect(try msorch(folder, receive).status == 0)
        #expect(try msorch(folder, receive, crash: "\(point):1").status == 137)
    }
}
