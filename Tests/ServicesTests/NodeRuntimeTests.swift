import FunctionModel
import JSON
import Posix
import TestSupport
import Testing

@testable import Services

private let node = (ProcessEnvironment.value("PATH") ?? "").split(separator: ":")
    .map { "\($0)/node" }.first(where: FileSystem.isExecutable)

/// The runtime client that Node.js functions are started with.
@Suite(.enabled(if: node != nil)) struct NodeRuntimeTests {
    /// A pool of one environment at most; `code` exports `handler`.
    private func pool(
        _ code: String, _ more: JSONObject = [:]
    ) throws -> FunctionPoolTests.Fixture {
        let node = try #require(node)
        var more = more
        more["handler"] = "index.handler"
        let fixture = try FunctionPoolTests.Fixture(
            "#!/bin/sh\nexec '\(node)' \"$FOLDER/client.cjs\"\n", more, bearable: 1)
        let folder = fixture.folder.path
        try FileSystem.replace(folder + "/client.cjs", with: Array(NodeRuntime.source.utf8))
        try FileSystem.replace(folder + "/code/index.js", with: Array(code.utf8))
        return fixture
    }

    @Test(
        "all that an invocation prints is in its log, however it ends",
        arguments: ["return", "exit", "hang"])
    func printing(end: String) throws {
        let fixture = try pool(
            """
            exports.handler = async (end) => {
                console.log('#'.repeat(400_000));
                process.stderr.write('~'.repeat(400_000) + '\\n');
                if (end === 'exit') process.exit(3);
                if (end === 'hang') for (;;);
            };
            """, end == "hang" ? ["timeout": 2] : [:])
        let result = try fixture.invoke("\"\(end)\"")
        #expect((result.failure == nil) == (end == "return"))
        for character in "#~" {
            let count = result.log.reduce(0) { $0 + $1.text.count { $0 == character } }
            #expect(count == 400_000)
        }
    }

    @Test("one that ends itself once it has answered takes no other invocation with it")
    func lateRejection() throws {
        let fixture = try pool(
            """
            exports.handler = async (isLost) => {
                if (isLost) Promise.reject(new Error('nobody looks'));
                return isLost;
            };
            """)
        let outcomes = ["true", "false"].map { fixture.begin($0) }
        #expect(try outcomes.map(FunctionPoolTests.Fixture.text) == ["true", "false"])
    }
}
