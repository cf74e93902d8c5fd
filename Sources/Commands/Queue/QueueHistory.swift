import JSON
import Services

extension Command {
    static let queueHistory = Command(
        path: ["queue", "history"],
        abstract: "Shows everything that happened to a message, also in dead-letter queues.",
        arguments: [
            Argument(name: "MESSAGE-ID", help: "As a send or receive gave it."),
            Argument(name: "QUEUE", help: "Where to look first (default: all).", isOptional: true),
        ],
        examples: [
            "msorch queue history 1ad5af21-c4aa-4b72-a48a-78ea96ca5dfa",
            "msorch queue history \"$id\" OrderQueue --output json | jq -r .event",
        ],
        run: { invocation in
            let id = invocation.arguments[0]
            guard !id.isEmpty else {
                throw CommandError(.usage, "MESSAGE-ID is empty.")
            }
            let history = try invocation.queues()
                .history(of: id, in: invocation.arguments.dropFirst().first)
            for (queue, event) in history.events {
                try invocation.output.result(event.json(queue: queue)) {
                    event.text(in: queue, of: id)
                }
            }
            if history.isCut {
                invocation.output.note("There is more than could be kept in memory.")
            }
            try invocation.output.check(history.failures)
        })
}

extension QueueEvent {
    /// One line: when, where, what; the message only where it is another than was asked for.
    fileprivate func text(in queue: String, of id: String) -> String {
        var parts = [time.iso8601, queue, words]
        if let messageID, messageID != id, body != nil { parts.append("as \(messageID)") }
        if let body { parts.append(Self.start(of: body)) }
        return parts.joined(separator: "  ")
    }
}
