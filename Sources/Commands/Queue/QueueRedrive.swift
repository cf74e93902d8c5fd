import JSON
import Posix
import Services

extension Command {
    static let queueRedrive = Command(
        path: ["queue", "redrive"],
        abstract: "Moves a dead-letter queue's messages back to where they came from.",
        arguments: [Argument(name: "QUEUE", help: "The dead-letter queue.")],
        options: [
            .text("to", "QUEUE", "Where they go (default: the queue whose dead letters they are)."),
            .number("rate", "COUNT", 1...500, "Messages a second at most (default: no limit)."),
        ],
        examples: ["msorch queue redrive OrderDeadLetterQueue --rate 50"],
        run: { invocation in
            let showsProgress = StandardStream.error.isTerminal && !invocation.output.isQuiet
            let (target, count) = try invocation.queues().redrive(
                invocation.arguments[0], to: invocation.text("to"),
                rate: invocation.number("rate").map { Int($0) },
                isCancelled: { Signals.termination != nil },
                progress: { count in
                    if showsProgress { StandardStream.error.write("\r\(count) moved".utf8) }
                })
            if showsProgress { StandardStream.error.write("\r".utf8) }
            try invocation.output.result(["to": .string(target), "moved": .int(count)]) { nil }
            invocation.output.note("\(count) messages moved to \(target).")
        })
}
