import JSON
import QueueModel
import Services

extension Command {
    static let queueCreate = Command(
        path: ["queue", "create"], abstract: "Makes a queue.",
        arguments: [Argument(name: "QUEUE", help: "Its name; '.fifo' at the end makes it FIFO.")],
        options: [
            .number(
                "visibility-timeout", "SECONDS", QueueLimits.visibilitySeconds,
                "How long a received message stays hidden (default: 30)."),
            .number(
                "delay", "SECONDS", QueueLimits.delaySeconds,
                "How long a sent message stays hidden (default: 0)."),
            .number(
                "retention", "SECONDS", QueueLimits.retentionSeconds,
                "How long a message is kept (default: 345600)."),
            .number(
                "receive-wait-time", "SECONDS", QueueLimits.waitSeconds,
                "How long a receive waits for a message (default: 0)."),
            .number(
                "maximum-message-size", "BYTES", 1024...1_048_576,
                "Larger messages are refused (default: 1048576)."),
            .text("dead-letter-queue", "QUEUE", "Where messages go that were received too often."),
            .number(
                "max-receive-count", "COUNT", QueueLimits.maxReceiveCount,
                "How often is too often (default: 10)."),
            .flag(
                "content-based-deduplication", "FIFO: the body's digest is its deduplication id."),
            .text(
                "redrive-allow", "QUEUES",
                "Whose dead letters it takes: names with commas, or 'none' (default: all)."
            ),
            .flag("force", "Make it also within a minute of the removal of its namesake."),
            .choice(
                "durability", ["fsync", "os"],
                "fsync: on the disk before the reply (default); os: survives the process."),
            .number(
                "compression", "BYTES", 0...1_048_576,
                "Compress bodies of this size and more in the journal (default: none)."),
            .number(
                "history", "BYTES", QueueLimits.historyBytes,
                "Keep so much of what is consumed, for replay and history (default: 67108864)."),
        ],
        examples: ["msorch queue create OrderQueue --visibility-timeout 30"],
        run: { invocation in
            let name = invocation.arguments[0]
            let directory = invocation.queues()
            var settings = QueueSettings()
            settings.isFIFO = name.hasSuffix(".fifo")
            settings.visibilityTimeoutSeconds =
                invocation.number("visibility-timeout") ?? settings.visibilityTimeoutSeconds
            settings.delaySeconds = invocation.number("delay") ?? settings.delaySeconds
            settings.retentionSeconds = invocation.number("retention") ?? settings.retentionSeconds
            settings.receiveWaitTimeSeconds =
                invocation.number("receive-wait-time") ?? settings.receiveWaitTimeSeconds
            settings.maximumMessageSize =
                invocation.number("maximum-message-size") ?? settings.maximumMessageSize
            settings.isContentBasedDeduplication = invocation.has("content-based-deduplication")
            guard settings.isFIFO || !settings.isContentBasedDeduplication else {
                throw CommandError(
                    .usage, "--content-based-deduplication is for FIFO queues only.",
                    hint: "A FIFO queue's name ends in '.fifo'.")
            }
            settings.durability = invocation.text("durability") == "os" ? .os : .fsync
            settings.compressionBytes = invocation.number("compression")
            settings.historyBytes = invocation.number("history")
            if let list = invocation.text("redrive-allow") {
                let names = list.split(separator: ",").map(String.init)
                guard names.count <= QueueLimits.redriveSources else {
                    throw CommandError(
                        .usage, "--redrive-allow names \(names.count) queues; 10 are allowed.")
                }
                settings.redriveAllow = names == ["none"] ? .none : .queues(names)
            }
            if let target = invocation.text("dead-letter-queue") {
                guard target.hasSuffix(".fifo") == settings.isFIFO else {
                    throw CommandError(
                        .usage, "The dead-letter queue '\(target)' is not of the same type.",
                        hint:
                            "A FIFO queue's dead letters go to a FIFO queue."
                    )
                }
                _ = try directory.queue(target)
                settings.redrivePolicy = QueueSettings.RedrivePolicy(
                    deadLetterQueue: target,
                    maxReceiveCount: invocation.number("max-receive-count") ?? 10)
            }
            if settings.redrivePolicy == nil, invocation.number("max-receive-count") != nil {
                throw CommandError(
                    .usage, "--max-receive-count needs a dead-letter queue.",
                    hint: "--dead-letter-queue QUEUE names it.")
            }
            try directory.create(
                name, settings, waitsAfterRemoval: !invocation.has("force"))
            try invocation.output.result(["name": .string(name)]) { nil }
            invocation.output.note("Created the queue \(name).")
        })
}
