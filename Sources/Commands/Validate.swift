import JSON
import Posix
import StackModel

extension Command {
    static let validate = Command(
        path: ["validate"], abstract: "Finds every mistake in a stack file.",
        examples: ["msorch validate", "msorch validate --stack other.json --output json"],
        run: { invocation in
            let path = invocation.stackFile
            let file = try StackFile.read(path)
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
        do throws(SystemError) {
            return StackFile(try FileSystem.read(path))
        } catch {
            throw CommandError(
                error.isNotFound ? .notFound : .inputOutput,
                "The stack file \(path) cannot be read: \(error.reason).",
                hint: "--stack FILE names another one, -C DIR another folder.")
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
