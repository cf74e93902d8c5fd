import JSON
import TestSupport
import Testing

/// A process that is killed while a dead letter is on its way leaves it to who looks for it.
@Suite struct CutTransferTests {
    @Test(
        "killed before the dead-letter queue has it, a message is there for who looks",
        arguments: [
            ["queue", "receive", "Dead"], ["queue", "export", "Dead"], ["queue", "peek", "Dead"],
            ["queue", "stats", "Dead"], ["poll", "Dead"],
        ])
    func seen(look: [String]) throws {
        let folder = try TemporaryFolder("cuttransfer")
        defer { withExtendedLifetime(folder) {} }
        func msorch(_ arguments: [String], crash: String? = nil) throws -> BuiltExecutable.Result {
            try BuiltExecutable.run(
                "\(BuiltExecutable.folder)/msorch", arguments, in: folder.path,
                environment: crash.map { ["MSORCH_CRASH": $0] } ?? [:])
        }
        let redrive = ["--dead-letter-queue", "Dead", "--max-receive-count", "1"]
        #expect(try msorch(["queue", "create", "Dead"]).status == 0)
        #expect(try msorch(["queue", "create", "Q"] + redrive).status == 0)
        #expect(try msorch(["send", "Q", "lost?"]).status == 0)
        let receive = ["queue", "receive", "Q", "--visibility-timeout", "0"]
        #expect(try msorch(receive).status == 0)
        #expect(try msorch(receive, crash: "before-take:1").status == 137)
        let seen = try msorch(look + ["--output", "json"])
        #expect(seen.status == 0)
        if look.contains("stats") {
            let queues = try JSONValue.parse(seen.output)
            #expect(queues.arrayValue?.first?["visible"] == .int(1), "\(seen.output)")
        } else {
            #expect(seen.output.contains("lost?"))
        }
        #expect(try msorch(["queue", "verify", "Q"]).status == 0)
    }
}
