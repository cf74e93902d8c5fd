import JSON
import Posix
import Services
import StackModel

extension Command {
    static let deploy = Command(
        path: ["deploy"], abstract: "Brings the stack to what the stack file says.",
        options: [
            .flag("plan", "Only show what would change; exit code 10 if something would."),
            .flag("force", "Remove queues although they hold messages."),
        ],
        examples: ["msorch deploy", "msorch deploy --plan", "msorch deploy --stack other.json"],
        run: { invocation in
            let path = invocation.stackFile
            let file = try StackFile.read(path)
            for diagnostic in file.diagnostics {
                StandardStream.error.write("\(diagnostic.line(file: path))\n".utf8)
            }
            guard file.isValid, let json = file.json else {
                throw CommandError(
                    .usage, "\(path) has errors.", hint: "Nothing was changed.")
            }
            let isPlan = invocation.has("plan")
            let deployer = try Deployer(
                stateDirectory: invocation.stateDirectory, queues: invocation.queues(),
                isReadOnly: isPlan
            ) { holder in
                let who = holder.map { " (process \($0))" } ?? ""
                invocation.output.note("Waiting for another deploy to end\(who).")
            }
            let plan = try deployer.plan(json, folder: FileSystem.parent(of: path))
            var output = invocation.output
            if !isPlan { output.hintIfLost = "The stack is deployed." }
            // Whether anybody reads what will change is no condition of changing it.
            let shown = Result {
                guard output.format == .text, !plan.diff.isEmpty else { return }
                try output.data(plan.diff.entries.map(\.text).joined(separator: "\n"))
            }
            if !isPlan {
                try deployer.apply(plan, force: invocation.has("force")) {
                    invocation.output.note($0)
                }
            }
            try shown.get()
            let result: JSONValue = [
                "name": .string(plan.stack.name), "applied": .bool(!isPlan),
                "changes": .array(plan.diff.entries.map(\.json)),
            ]
            try output.result(result) { nil }
            for line in interpreters(plan) where !isPlan && !plan.diff.isEmpty {
                invocation.output.note(line)
            }
            guard !plan.isEmpty else {
                return invocation.output.note(
                    "Nothing to do: \(plan.stack.name) is as \(path) says.")
            }
            if isPlan { throw SilentExit(exitCode: .changes) }
            invocation.output.note(
                "Deployed \(plan.stack.name): \(plan.stack.functions.count) functions, "
                    + "\(plan.stack.queues.count) queues.")
        })

    /// Which program stands for which runtime.
    private static func interpreters(_ plan: Deployer.Plan) -> [String] {
        var lines: [String] = []
        for function in plan.stack.functions {
            guard let interpreter = plan.interpreters[function.key] else { continue }
            let line =
                "\(function.runtime) is \(interpreter.program) (\(interpreter.version))"
            if !lines.contains(line) { lines.append(line) }
        }
        return lines
    }
}

extension StackDiff.Entry {
    fileprivate var text: String {
        switch kind {
        case .created: return "+ \(resource) \(name)"
        case .removed: return "- \(resource) \(name)"
        case .changed(let changes):
            let lines = changes.map { change in
                let from = change.from?.serialized() ?? "none"
                let to = change.to?.serialized() ?? "none"
                return "    \(change.path): \(from) → \(to)"
            }
            return (["~ \(resource) \(name)"] + lines).joined(separator: "\n")
        }
    }

    fileprivate var json: JSONValue {
        var json: JSONObject = ["resource": .string(resource), "name": .string(name)]
        switch kind {
        case .created: json["action"] = "create"
        case .removed: json["action"] = "remove"
        case .changed(let changes):
            json["action"] = "change"
            json["changes"] = .array(
                changes.map {
                    ["path": .string($0.path), "from": $0.from ?? .null, "to": $0.to ?? .null]
                })
        }
        return .object(json)
    }
}
