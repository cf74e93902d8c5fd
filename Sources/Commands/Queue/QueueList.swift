import JSON
import Services
import StackModel

extension Command {
    static let queueList = Command(
        path: ["queue", "ls"], abstract: "Lists the queues, the stack's own first.",
        options: [
            .choice(
                "origin", ["stack", "other"],
                "Only the stack's own, or only those that 'queue create' or CreateQueue made.")
        ],
        examples: ["msorch queue ls", "msorch queue ls --origin other"],
        run: { invocation in
            let names = try invocation.queues().names()
            let deployment = try Deployment.load(invocation.stateDirectory)
            let known = Set(deployment?.stack.queues.map(\.name) ?? [])
            let own = names.filter { known.contains($0) }
            let others = names.filter { !known.contains($0) }
            let origin = invocation.text("origin")
            let chosen =
                switch origin {
                case "stack": own
                case "other": others
                default: own + others
                }
            try invocation.output.result(.array(chosen.map { .string($0) })) {
                chosen.isEmpty ? nil : chosen.joined(separator: "\n")
            }
            if origin == nil, !own.isEmpty, !others.isEmpty {
                invocation.output.note("Not of the stack: \(others.joined(separator: ", ")).")
            }
        })
}
