import Foundation
import TestSupport
import Testing

/// `Scripts/fuzz` itself, with a `swift` that builds a pretend fuzzer.
@Suite struct FuzzScriptTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder("fuzz")
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let files = FileManager.default
        for name in ["Scripts", "Tests/Fuzzing/Fuzz"] {
            try files.createDirectory(
                atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
        }
        for name in ["Scripts/fuzz", "Tests/Fuzzing/Package.swift"] {
            try files.copyItem(
                atPath: root.appending(path: name).path, toPath: "\(folder.path)/\(name)")
        }
    }

    /// - Parameter fuzzer: a shell script in its place.
    private func fuzz(_ arguments: String, _ fuzzer: String) throws -> BuiltExecutable.Result {
        let script = #"""
            swift() {
                mkdir -p .build/release
                printf '#!/bin/bash\n%s\n' "$FUZZER" > .build/release/Fuzz
                chmod +x .build/release/Fuzz
            }
            export -f swift

            """#
        return try BuiltExecutable.run(
            "/bin/bash", ["-c", script + "bash Scripts/fuzz " + arguments], in: folder.path,
            environment: ["FUZZER": fuzzer])
    }

    @Test("a crash is a failure, whatever it says", arguments: ["", "echo ERROR"])
    func crash(words: String) throws {
        let fuzzer = "\(words)\n[ $MSORCH_FUZZ != json ] || exit 77"
        #expect(try fuzz("60", fuzzer).status == 1)
        #expect(try fuzz("60 json", fuzzer).status == 1)
        #expect(try fuzz("60 policy", fuzzer).status == 0)
    }

    @Test("no target's time is 0, which would be without end")
    func time() throws {
        let few = try fuzz("4", "echo DONE $1")
        #expect(few.status == 0 && few.output.contains("DONE -max_total_time=1\n"), "\(few)")
        #expect(!few.output.contains("time=0"))
        #expect(try fuzz("0", "").status == 2)
    }
}
