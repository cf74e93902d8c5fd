import JSON
import Services

extension Command {
    static let queueList = Command(
        path: ["queue", "ls"], abstract: "Lists the queues.",
        examples: ["msorch queue ls"],
        run: { invocation in
            let directory = invocation.queues()
            let names = try directory.names()
            try invocation.output.result(.array(names.map { .string($0) })) {
                names.isEmpty ? nil : names.joined(separator: "\n")
            }
        })
}
