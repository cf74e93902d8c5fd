import JSON
import Posix
import Services
import StackModel

extension Command {
    static let drain = Command(
        path: ["drain"],
        abstract: "Delivers waiting messages to their functions until the stack is quiet.",
        arguments: [
            Argument(
                name: "QUEUE", help: "Default: every queue with a trigger.", isOptional: true,
                isRepeated: true)
        ],
        options: [
            .number(
                "timeout", "SECONDS", 1...86_400,
                "Give up after so long (default: 300). A message that fails comes back after its "
                    + "queue's visibility timeout.")
        ],
        examples: ["msorch drain", "msorch drain OrderQueue --timeout 60 --output json"],
        run: { invocation in
            let deployment = try invocation.deployment()
            let queues = try queues(invocation, deployment.stack)
            guard !queues.isEmpty else {
                throw CommandError(
                    .notFound, "No function of \(deployment.stack.name) has a trigger.",
                    hint: "Add \"triggers\" to a function in stack.json.")
            }
            let showsProgress = StandardStream.error.isTerminal && !invocation.output.isQuiet
            let timeout = Duration.seconds(invocation.number("timeout") ?? 300)
            let summary = try invocation.withRuntime(deployment) { runtime in
                try Drain(runtime, queues: queues).run(timeout: timeout) { summary in
                    guard showsProgress else { return }
                    let text =
                        "\r\(summary.tally.succeeded) delivered, \(summary.tally.failed) failed, "
                        + "\(summary.waiting) waiting \u{1B}[K"
                    StandardStream.error.write(text.utf8)
                }
            }
            if showsProgress { StandardStream.error.write("\r\u{1B}[K".utf8) }
            try invocation.output.result(summary.json) { summary.text }
            if summary.deadLetters > 0 {
                throw CommandError(
                    .failure,
                    "\(summary.deadLetters) messages went to dead-letter queues; the last failure "
                        + "was \(summary.tally.lastFailure ?? "of single messages").",
                    hint: "'msorch logs' shows what the functions said.")
            }
            guard summary.isQuiet || Signals.termination != nil else {
                throw CommandError(
                    .failure, "\(summary.waiting) messages are left after \(timeout).",
                    hint: "--timeout gives more time; 'msorch logs' shows what the functions said.")
            }
        })

    private static func queues(_ invocation: Invocation, _ stack: Stack) throws -> [String] {
        let triggers = stack.functions.flatMap(\.triggers)
        var enabled: [String] = []
        for trigger in triggers where trigger.isEnabled && !enabled.contains(trigger.queue) {
            enabled.append(trigger.queue)
        }
        for name in invocation.arguments where !enabled.contains(name) {
            _ = try invocation.queues().queue(name)  // a wrong name has its own answer
            let isDisabled = triggers.contains { $0.queue == name }
            throw CommandError(
                .usage,
                isDisabled
                    ? "The trigger of the queue '\(name)' is disabled."
                    : "The queue '\(name)' has no trigger: no function takes its messages.",
                hint: isDisabled
                    ? "Set \"enabled\" in stack.json and deploy."
                    : "Add a trigger to a function in stack.json, or read it by "
                        + "'msorch poll \(name)'.")
        }
        return invocation.arguments.isEmpty
            ? enabled : enabled.filter { invocation.arguments.contains($0) }
    }
}

extension Drain.Summary {
    fileprivate var text: String {
        "\(tally.batches) batches: \(tally.succeeded) messages delivered, \(tally.failed) failed, "
            + "\(tally.filtered) filtered out, \(deadLetters) to dead-letter queues"
    }

    fileprivate var json: JSONValue {
        [
            "batches": .int(tally.batches), "failedBatches": .int(tally.failedBatches),
            "succeeded": .int(tally.succeeded), "failed": .int(tally.failed),
            "filtered": .int(tally.filtered), "deadLetters": .int(Int64(clamping: deadLetters)),
            "waiting": .int(Int64(clamping: waiting)), "quiet": .bool(isQuiet),
        ]
    }
}
