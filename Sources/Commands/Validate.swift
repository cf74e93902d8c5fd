import JSON
import Posix
import StackModel

extension Command {
    static let validate = Command(
        path: ["validate"], abstract: "Finds every mistake in a stack file.",
        options: [.text("stack", "FILE", "The stack file (default: stack.json).")],
        examples: ["msorch validate", "msorch validate --stack other.json --output json"],
        run: { invocation in
            let name = invocation.text("stack") ?? "stack.json"
            let folder = invocation.text("C").map { "\($0)/" } ?? ""
            let path = name.hasPrefix("/") ? name : folder + name
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try FileSystem.read(path)
            } catch {
                throw CommandError(
                    error.isNotFound ? .notFound : .inputOutput,
                    "The stack file \(path) cannot be read: \(error.reason).",
                    hint: "--stack FILE names another one, -C DIR another folder.")
            }
            let file = StackFile(bytes)
            switch invocation.output.format {
            case .json:
                try invocation.output.data(
                    JSONValue.array(file.diagnostics.map(\.json)).serialized())
            case .text:
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

extension Diagnostic {
    fileprivate var json: JSONValue {
        [
            "severity": .string(severity.rawValue), "line": .int(position.line),
            "column": .int(position.column), "message": .string(message),
        ]
    }
}
