import Foundation
import TestSupport
import Testing

/// Runs `Scripts/*.script` as a user would type them.
///
/// A script is a list of `$ command` lines, each followed by what it prints on standard output,
/// `stderr:` lines, and `exit: N` where that is not 0. `MSORCH_RECORD=1` writes what was seen into
/// the script.
@Suite struct ScriptTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Scripts")

    static let scripts: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".script") }.sorted()

    @Test("there are scripts")
    func exist() { #expect(!Self.scripts.isEmpty) }

    @Test(arguments: scripts)
    func script(name: String) throws {
        let file = Self.folder.appending(path: name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        let workplace = try TemporaryFolder("script")
        var seen: [String] = []
        for line in expected.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("#") || line.isEmpty { seen.append(String(line)) }
            guard line.hasPrefix("$ ") else { continue }
            seen.append(String(line))
            let result = try BuiltExecutable.run(
                "/bin/bash", ["-c", String(line.dropFirst(2))], in: workplace.path)
            seen += lines(result.output)
            seen += lines(result.error).map { "stderr: \($0)" }
            if result.status != 0 { seen.append("exit: \(result.status)") }
        }
        let text = mask(seen.joined(separator: "\n"), workplace.path)
        if ProcessInfo.processInfo.environment["MSORCH_RECORD"] == "1" {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(text == expected)
    }

    private func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            .dropLast(text.hasSuffix("\n") || text.isEmpty ? 1 : 0)
    }

    /// What differs from run to run becomes its kind.
    private func mask(_ text: String, _ workplace: String) -> String {
        let uuid = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
        let handle = /[0-9a-f]{34}/
        let time = /"1[0-9]{12}"/
        let moment = /([0-9]{4}-[0-9]{2}-[0-9]{2}T)?[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z/
        return text.replacing(workplace, with: "<folder>").replacing(uuid, with: "<uuid>")
            .replacing(handle, with: "<handle>").replacing(time, with: "\"<time>\"").replacing(
                moment, with: "<moment>")
    }
}
