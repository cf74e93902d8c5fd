import JSON
import Posix
import Services
import StackModel

extension Command {
    static let validate = Command(
        path: ["validate"], abstract: "Finds every mistake in a stack file.",
        examples: ["msorch validate", "msorch validate --stack other.json --output json"],
        run: { invocation in
            let path = invocation.stackFile
            var file = try StackFile.read(path)
            try file.checkKeySet(folder: FileSystem.parent(of: path))
            switch invocation.output.format {
            case .json:
                try invocation.output.data(
                    JSONValue.array(file.diagnostics.map(\.json)).serialized())
            case .text, .csv:
                for diagnostic in file.diagnostics {
                    StandardStream.error.write("\(diagnostic.line(file: path))\n".utf8)
                }
            }
            let errors = file.diagnostics.count { $0.severity == .error }
            guard errors == 0 else {
                throw CommandError(.usage, "\(path) has \(errors) error\(errors == 1 ? "" : "s").")
            }
            invocation.output.note("\(path) is valid.")
        })
}

extension StackFile {
    /// Reads and checks the file.
    static func read(_ path: String) throws(CommandError) -> StackFile {
        try reading(path) { () throws(SystemError) in StackFile(try FileSystem.read(path)) }
    }

    /// - Throws: what `read` would say, if there is no such file, or it cannot be read.
    static func requireFile(_ path: String) throws(CommandError) {
        try reading(path) { () throws(SystemError) in _ = try FileDescriptor(reading: path) }
    }

    private static func reading<R>(
        _ path: String, _ body: () throws(SystemError) -> R
    ) throws(CommandError) -> R {
        guard !FileSystem.isDirectory(path) else {
            throw CommandError(
                .usage, "The stack file \(path) is a folder.",
                hint: "--stack names the file in it.")
        }
        do throws(SystemError) {
            return try body()
        } catch {
            throw CommandError(
                error.isNotFound ? .notFound : .inputOutput,
                "The stack file \(path) cannot be read: \(error.reason).",
                hint: "--stack FILE names another one, -C DIR another folder.")
        }
    }
}

extension StackFile {
    /// Finds out what a deploy would say of the token issuer's keys.
    ///
    /// - Parameter folder: where the file lies.
    fileprivate mutating func checkKeySet(folder: String) throws {
        guard let keySetPosition else { return }
        do {
            _ = try Deployer.withKeySet(json?["security"], folder: folder)
        } catch DeploymentError.noKeySet(let path, let reason) {
            diagnostics.append(
                Diagnostic(
                    .error, keySetPosition,
                    "security.jwt.jwksFile, \(path), cannot be used: \(reason)"))
            diagnostics.sort { $0.position.offset < $1.position.offset }
        }
    }
}

extension Diagnostic {
    fileprivate var json: JSONValue {
        [
            "severity": .string(severity.rawValue), "line": .int(position.line),
            "column": .int(position.column), "message": .string(message),
        ]
    }
}
