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
            let queue = try directory.queue(name)
            directory.finishArrivals(at: name)
            do {
                try queue.tail(
                    last: Int(invocation.number("n") ?? 10), isFollowing: invocation.has("f"),
                    isCancelled: {
                        Signals.termination != nil || !StandardStream.output.hasReader
                    }
                ) { event in
                    try invocation.output.result(event.json()) { event.text }
                }
            } catch JournalError.removed {
                throw CommandError(.notFound, "The queue '\(name)' was removed.")
            }
        })
}
