import Foundation
import Synchronization

/// The `msorch` that was built beside the tests, run as a user would.
package enum BuiltExecutable {
    package struct Result: Sendable {
        package var status: Int32
        package var output: String
        package var error: String
    }

    /// The folder that holds the binary.
    package static let folder: String = {
        // The test bundle stands beside it, whoever runs the bundle.
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        let program = bundle?.bundlePath ?? CommandLine.arguments[0]
        return URL(filePath: program).deletingLastPathComponent().path
    }()

    /// Runs a program with a cleared environment.
    ///
    /// - Parameters:
    ///   - inheritingPath: also finds what the tester's own PATH has: interpreters.
    ///   - environment: more variables.
    ///   - onStart: gets the process's pid, so that it can be killed.
    package static func run(
        _ program: String, _ arguments: [String], in directory: String, input: String = "",
        inheritingPath: Bool = false, environment: [String: String] = [:],
        onStart: (Int32) -> Void = { _ in }
    ) throws -> Result {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: directory)
        var path = "\(folder):/usr/local/bin:/usr/bin:/bin"
        let own = ProcessInfo.processInfo.environment
        if inheritingPath, let found = own["PATH"] { path = "\(folder):\(found)" }
        process.environment = ["PATH": path, "HOME": directory, "LC_ALL": "C.UTF-8"]
        process.environment?.merge(environment) { _, given in given }
        // Launchers of interpreters find their versions by variables of their own.
        if inheritingPath { process.environment?.merge(own) { mine, _ in mine } }
        let files = ["input", "output", "error"].map { "\(directory)/.\($0)-\(UUID().uuidString)" }
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        for file in files {
            let contents = file.contains("/.input-") ? Data(input.utf8) : Data()
            _ = FileManager.default.createFile(atPath: file, contents: contents)
        }
        process.standardInput = FileHandle(forReadingAtPath: files[0])
        process.standardOutput = FileHandle(forWritingAtPath: files[1])
        process.standardError = FileHandle(forWritingAtPath: files[2])
        try process.run()
        onStart(process.processIdentifier)
        process.waitUntilExit()
        func text(_ file: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        }
        return Result(
            status: process.terminationReason == .uncaughtSignal
                ? 128 + process.terminationStatus : process.terminationStatus,
            output: try text(files[1]), error: try text(files[2]))
    }
}
