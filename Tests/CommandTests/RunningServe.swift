import Foundation
import HTTP
import JSON
import Posix
import TestSupport
import Testing

/// A `serve` of the built binary, ready when `init` returns and gone when it is released.
final class RunningServe {
    let process = Process()
    let endpoint: HTTPClient
    let gateway: HTTPClient
    let record: JSONValue
    private let folder: String
    private let log: String

    /// - Parameters:
    ///   - arguments: beside ports that the system chooses.
    ///   - ignored: a signal that it ignores from the start.
    init(in folder: String, _ arguments: [String] = [], ignoring ignored: Int32? = nil) throws {
        self.folder = folder
        let ready = "\(folder)/.ready-\(UUID().uuidString)"
        log = ready + ".log"
        process.executableURL = URL(filePath: "/bin/sh")
        let trap = ignored.map { "trap '' \($0); " } ?? ""
        process.arguments =
            [
                "-c", trap + #"exec "$0" "$@""#, BuiltExecutable.folder + "/msorch", "serve",
                "--port", "0", "--gateway-port", "0", "--ready-file", ready,
            ] + arguments
        process.currentDirectoryURL = URL(filePath: folder)
        process.environment = ProcessInfo.processInfo.environment
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle(forWritingAtPath: log)
        try process.run()
        let process = process
        let isReady = eventually { FileSystem.exists(ready) || !process.isRunning }
        try #require(
            isReady && FileSystem.exists(ready),
            "\((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
        record = try JSONValue.parse(try FileSystem.read(ready))
        endpoint = try #require(HTTPClient(url: record["endpoint"]?.stringValue ?? ""))
        gateway = try #require(HTTPClient(url: record["gateway"]?.stringValue ?? ""))
    }

    deinit {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    var pid: Int32 { process.processIdentifier }
    var endpointURL: String { record["endpoint"]?.stringValue ?? "" }
    /// What it said on standard error.
    var words: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    func get(_ path: String, on client: HTTPClient? = nil) throws -> HTTPResponse {
        try (client ?? endpoint).send(
            HTTPRequest(method: "GET", target: path), timeout: .seconds(20))
    }

    /// Sends a signal and waits for the end.
    /// - Returns: the exit code as a shell has it.
    func end(by signal: Int32) -> Int32 {
        kill(pid, signal)
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal
            ? 128 + process.terminationStatus : process.terminationStatus
    }
}
