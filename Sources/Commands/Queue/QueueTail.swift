import JSON
import Journal
import Posix
import Services

extension Command {
    static let queueTail = Command(
        path: ["queue", "tail"],
        abstract: "Shows the last things that happened in a queue, and with -f what happens.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        options: [
            .flag("f", "Follow: go on with what arrives and leaves, until interrupted."),
            .number("n", "COUNT", 0...1_000_000, "So many of what was (default: 10)."),
        ],
        examples: [
            "msorch queue tail OrderQueue -f",
            "msorch queue tail OrderQueue -n 100 --output json | jq -c '[.event, .Body]'",
        ],
        run: { invocation in
            let name = invocation.arguments[0]
            let directory = invocation.queues()
            var queue = try directory.queue(name)
            let created = try queue.created
            directory.finishArrivals(at: name)
            var count: Int? = Int(invocation.number("n") ?? 10)
            while true {
                do {
                    return try queue.tail(
                        last: count, isFollowing: invocation.has("f"),
                        isCancelled: {
                            Signals.termination != nil || !StandardStream.output.hasReader
                        }
                    ) { event in
                        try invocation.output.result(event.json()) { event.text }
                    }
                } catch JournalError.removed {
                    directory.forget(name)
                    // A repaired queue was made when it was; another one of its name was not.
                    guard let next = try? directory.queue(name), try next.created == created else {
                        throw CommandError(.notFound, "The queue '\(name)' was removed.")
                    }
                    queue = next
                    if invocation.has("f") { count = nil }
                    invocation.output.note(
                        "The queue '\(name)' was repaired; what is in it has new records.")
                }
            }
        })
}
