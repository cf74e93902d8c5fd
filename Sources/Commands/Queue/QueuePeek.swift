import JSON
import QueueModel
import Services

extension Command {
    static let queuePeek = Command(
        path: ["queue", "peek"], abstract: "Looks at the next messages without receiving them.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        options: [.number("max", "COUNT", 1...1000, "At most so many (default: 10).")],
        examples: ["msorch queue peek OrderQueue --max 3"],
        run: { invocation in
            let directory = invocation.queues()
            let queue = try directory.queue(invocation.arguments[0])
            directory.finishArrivals(at: queue.name)
            try queue.peek(upTo: Int(invocation.number("max") ?? 10)) { entry, message in
                let body = String(
                    decoding: JSONText.unescape(message.escapedBody), as: UTF8.self)
                let json: JSONValue = [
                    "MessageId": .string(entry.messageID), "Body": .string(body),
                    "SentTimestamp": .string(String(entry.sent.milliseconds)),
                ]
                try invocation.output.result(json) { "\(entry.messageID)  \(body)" }
            }
        })
}
