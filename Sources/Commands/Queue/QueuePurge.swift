import JSON
import Services

extension Command {
    static let queuePurge = Command(
        path: ["queue", "purge"], abstract: "Deletes every message of a queue.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        examples: ["msorch queue purge OrderQueue"],
        run: { invocation in
            try invocation.queues()
                .queue(invocation.arguments[0]).purge()
            invocation.output.note("Purged \(invocation.arguments[0]).")
        })

    static let queueRemove = Command(
        path: ["queue", "rm"], abstract: "Removes a queue and its journal.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        options: [.flag("force", "Even if it holds messages.")],
        examples: ["msorch queue rm OrderQueue"],
        run: { invocation in
            try invocation.queues()
                .remove(invocation.arguments[0], force: invocation.has("force"))
            invocation.output.note("Removed \(invocation.arguments[0]).")
        })
}
