import FunctionModel
import Posix

/// The program that runs Python or Node.js functions.
package struct Interpreter: Equatable, Sendable {
    /// Absolute.
    package var program: String
    /// "3.12.4".
    package var version: String

    package init(program: String, version: String) {
        self.program = program
        self.version = version
    }

    private static let patience = Duration.seconds(20)

    /// The first of the runtime's programs in `PATH` that runs and says its version.
    package static func find(_ runtime: RuntimeIdentifier) -> Interpreter? {
        let path = ProcessEnvironment.value("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        for name in runtime.programs {
            guard let program = Subprocess.find(name, path: path) else { continue }
            // It may be a launcher (pyenv, asdf…) that needs our variables: ask for the real one.
            let question = ProcessDescription(
                program, question(runtime.family), environment: ProcessEnvironment.all)
            guard let answer = try? Subprocess.run(question, timeout: patience),
                answer.status.isSuccess
            else { continue }
            let lines = String(decoding: answer.output, as: UTF8.self).split(separator: "\n")
            guard lines.count == 2 else { continue }
            return Interpreter(program: String(lines[0]), version: String(lines[1]))
        }
        return nil
    }

    private static func question(_ family: RuntimeIdentifier.Family) -> [String] {
        switch family {
        case .python:
            ["-c", "import sys; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3])"]
        case .node: ["-e", "console.log(process.execPath + '\\n' + process.versions.node)"]
        case .provided: []
        }
    }
}
