import JSON
import QueueModel
import Services

extension Command {
    static let queueDelete = Command(
        path: ["queue", "delete"], abstract: "Deletes received messages by their receipt handles.",
        arguments: [
            Argument(name: "QUEUE", help: "The queue's name."),
            Argument(name: "HANDLE", help: "From 'receive --output json'.", isRepeated: true),
        ],
        examples: [
            "handle=$(msorch poll OrderQueue --output json | jq -r .ReceiptHandle)",
            "msorch queue delete OrderQueue \"$handle\"",
        ],
        run: { invocation in
            let handles = Array(invocation.arguments.dropFirst())
            for outcome in try invocation.withQueue({ try $0.delete(handles) }) {
                try outcome.get()
            }
        })

    static let queueChangeVisibility = Command(
        path: ["queue", "change-visibility"],
        abstract: "Changes how long a received message stays hidden.",
        arguments: [
            Argument(name: "QUEUE", help: "The queue's name."),
            Argument(name: "HANDLE", help: "From 'receive --output json'."),
            Argument(name: "SECONDS", help: "From now on; 0 makes it visible at once."),
        ],
        examples: ["msorch queue change-visibility OrderQueue \"$handle\" 0"],
        run: { invocation in
            guard let seconds = Int64(invocation.arguments[2]) else {
                throw CommandError(
                    .usage, "SECONDS must be a whole number, not '\(invocation.arguments[2])'.")
            }
            try invocation.withQueue { queue in
                try queue.changeVisibility(of: invocation.arguments[1], toSeconds: seconds)
            }
        })
}
