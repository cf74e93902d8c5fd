import JSON
import Services

extension Command {
    static let queuePurge = Command(
        path: ["queue", "purge"], abstract: "Deletes every message of a queue.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        examples: ["msorch queue purge OrderQueue"],
        run: { invocation in
            let name = invocation.arguments[0]
            let count = try invocation.withQueue { queue in
                invocation.queues().finishArrivals(at: name)
                return try queue.purge()
            }
            try invocation.output.result(
                ["name": .string(name), "purged": .int(Int64(clamping: count))]
            ) { nil }
            invocation.output.note("Purged \(name).")
        })

    static let queueRemove = Command(
        path: ["queue", "rm"], abstract: "Removes a queue and its journal.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        options: [.flag("force", "Even if it holds messages.")],
        examples: ["msorch queue rm OrderQueue"],
        run: { invocation in
            let name = invocation.arguments[0]
            let queues = invocation.queues()
            // Another queue's damage must not keep this one.
            let sources = try queues.sources(of: name).names.filter { $0 != name }
            let count = try queues.remove(name, force: invocation.has("force"))
            try invocation.output.result(
                [
                    "name": .string(name),
                    "messages": count.map { .int(Int64(clamping: $0)) } ?? .null,
                    "deadLetterQueueOf": .array(sources.map { .string($0) }),
                ]
            ) { nil }
            invocation.output.note("Removed \(name).")
            guard !sources.isEmpty else { return }
            invocation.output.note(
                "It was the dead-letter queue of "
                    + sources.joined(separator: ", ") + ": dead letters wait "
                    + "until there is a queue of that name again.")
        })
}
