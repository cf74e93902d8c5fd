import Foundation
import JSON
import TestSupport
import Testing

/// A repair that is killed leaves either the old journal or the new one.
@Suite struct CutRepairTests {
    @Test(
        "killed at any step, a repair has happened or not, and the next one finishes",
        arguments: [
            "during-repair:1", "after-append:1", "half-append:3", "before-exchange:1",
            "after-exchange:1",
        ])
    func cut(point: String) throws {
        let folder = try TemporaryFolder("cutrepair")
        defer { withExtendedLifetime(folder) {} }
        func msorch(_ arguments: String..., crash: String? = nil) throws -> BuiltExecutable.Result {
            try BuiltExecutable.run(
                "\(BuiltExecutable.folder)/msorch", arguments, in: folder.path,
                environment: crash.map { ["MSORCH_CRASH": $0] } ?? [:])
        }
        #expect(try msorch("queue", "create", "Q").status == 0)
        for number in 0..<6 { #expect(try msorch("send", "Q", "m\(number)").status == 0) }
        let segment = URL(filePath: folder.path)
            .appending(path: ".msorch/queues/Q/00000000000000000001.jsonl")
        var bytes = [UInt8](try Data(contentsOf: segment))
        bytes[20] ^= 1
        try Data(bytes).write(to: segment)

        #expect(try msorch("queue", "verify", "Q", "--repair", crash: point).status == 137)
        let after = try msorch("queue", "verify", "Q")
        if point.hasPrefix("after-exchange") {
            #expect(after.status == 0, "the new one is there: \(after.output)")
        } else {
            #expect(after.status == 5, "the old one is there: \(after.output)")
            #expect([UInt8](try Data(contentsOf: segment)) == bytes)
            #expect(try msorch("queue", "verify", "Q", "--repair").status == 0)
        }
        #expect(try msorch("queue", "verify", "Q").status == 0)
        let bodies = try msorch("queue", "export", "Q").output.split(separator: "\n").map {
            try JSONValue.parse(String($0))["Body"]?.stringValue
        }
        #expect(bodies == (0..<6).map { "m\($0)" })
        #expect(try msorch("send", "Q", "more").status == 0)
    }

    /// One queue in a folder of its own.
    private struct Fixture {
        let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder("cutrepair") }

        func msorch(_ arguments: String..., crash: String? = nil) throws -> Int32 {
            try run(arguments, crash).status
        }

        func bodies() throws -> [String] {
            try run(["queue", "export", "Q"], nil).output.split(separator: "\n").map {
                try JSONValue.parse(String($0))["Body"]?.stringValue ?? ""
            }
        }

        private func run(
            _ arguments: [String], _ crash: String?
        ) throws -> BuiltExecutable.Result {
            try BuiltExecutable.run(
                "\(BuiltExecutable.folder)/msorch", arguments, in: folder.path,
                environment: crash.map { ["MSORCH_CRASH": $0] } ?? [:])
        }

        /// Flips a bit of what stands in the segment.
        func harm(_ text: String) throws {
            let segment = URL(filePath: folder.path)
                .appending(path: ".msorch/queues/Q/00000000000000000001.jsonl")
            var bytes = [UInt8](try Data(contentsOf: segment))
            let place = try #require(bytes.firstRange(of: Array(text.utf8)))
            bytes[place.lowerBound + 1] ^= 1
            try Data(bytes).write(to: segment)
        }
    }

    @Test(
        "what can be read in torn files is there with the new journal, or not at all",
        arguments: ["during-repair:1", "before-exchange:1", "after-exchange:1"])
    func torn(point: String) throws {
        let queue = try Fixture()
        #expect(try queue.msorch("queue", "create", "Q", "--durability", "os") == 0)
        for number in 0..<4 { #expect(try queue.msorch("send", "Q", "m\(number)") == 0) }
        try queue.harm("\"m2\"")
        #expect(try queue.msorch("send", "Q", "m4") == 0)
        try queue.harm("\"op\":\"base\"")
        #expect(try queue.msorch("queue", "verify", "Q", "--repair", crash: point) == 137)
        #expect(try queue.msorch("queue", "verify", "Q", "--repair") == 0)
        #expect(try queue.bodies() == ["m0", "m1", "m4", "m3"])
    }

    @Test(
        "killed before torn files are set aside: what is there stays single, the rest comes again",
        arguments: [false, true])
    func restored(isPurged: Bool) throws {
        let queue = try Fixture()
        #expect(try queue.msorch("queue", "create", "Q", "--durability", "os") == 0)
        for number in 0..<4 { #expect(try queue.msorch("send", "Q", "m\(number)") == 0) }
        try queue.harm("\"m2\"")
        #expect(try queue.msorch("send", "Q", "m4") == 0)
        let point = "before-torn-aside:1"
        #expect(try queue.msorch("queue", "verify", "Q", "--repair", crash: point) == 137)
        #expect(try queue.bodies() == ["m0", "m1", "m4", "m3"])
        if isPurged { #expect(try queue.msorch("queue", "purge", "Q") == 0) }
        for _ in 1...2 {
            #expect(try queue.msorch("queue", "verify", "Q", "--repair") == 0)
            #expect(try queue.bodies() == (isPurged ? ["m3"] : ["m0", "m1", "m4", "m3"]))
        }
    }

    @Test("a repair that is killed does not forget what only the lock file told of")
    func durable() throws {
        let queue = try Fixture()
        #expect(try queue.msorch("queue", "create", "Q") == 0)
        for number in 0..<3 { #expect(try queue.msorch("send", "Q", "m\(number)") == 0) }
        try queue.harm("\"m2\"")
        #expect(try queue.msorch("send", "Q", "no") == 5)
        let point = "before-exchange:1"
        #expect(try queue.msorch("queue", "verify", "Q", "--repair", crash: point) == 137)
        #expect(try queue.msorch("send", "Q", "no") == 5)
        #expect(try queue.msorch("queue", "verify", "Q") == 5)
        #expect(try queue.msorch("queue", "verify", "Q", "--repair") == 0)
        #expect(try queue.bodies() == ["m0", "m1"])
    }
}
