import QueueModel

/// Every key of stack.json.
package enum StackSchema {
    private static let resourceName = SchemaRule.text(
        pattern: "[A-Za-z0-9_-]{1,64}", meaning: "1 to 64 letters, digits, '-' and '_'")
    private static let seconds = "seconds"

    package static let root = SchemaRule.object([
        SchemaProperty("$schema", .text(), "Where editors find this schema."),
        SchemaProperty("name", resourceName, "The stack's name."),
        SchemaProperty(
            "region", .text(pattern: "[a-z]{2}(-[a-z]+)+-[0-9]", meaning: "an AWS region"),
            "The region that ARNs and URLs name (default: us-east-1)."),
        SchemaProperty(
            "accountId", .text(pattern: "[0-9]{12}", meaning: "12 digits"),
            "The account that ARNs and URLs name (default: 123456789012)."),
        SchemaProperty(
            "lambdas",
            .map(
                names: "[A-Za-z0-9_-]{1,64}", meaning: "1 to 64 letters, digits, '-' and '_'",
                of: function), required: true, "The functions, by logical name."),
        SchemaProperty(
            "queues",
            .map(
                names: "[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\\.fifo",
                meaning: "1 to 80 letters, digits, '-' and '_', with '.fifo' at the end of a FIFO "
                    + "queue's name", of: queue), required: true, "The queues, by name."),
        SchemaProperty("api", api, "The API that holds the routes."),
        SchemaProperty(
            "routes",
            .map(
                names: "(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|ANY) /\\S*|\\$default",
                meaning: "a method and a path, as in 'POST /orders'", of: route),
            "Which request calls which function."),
        SchemaProperty(
            "alarms",
            .map(
                names: "[^\\x00-\\x1f]{1,255}", meaning: "1 to 255 characters", of: alarm),
            "What to watch, by alarm name."),
        SchemaProperty("security", security, "Who may do what."),
    ])

    private static let function = SchemaRule.object([
        SchemaProperty("functionName", resourceName, "Its name on AWS (default: the key)."),
        SchemaProperty("description", .text(), "What it is for."),
        SchemaProperty(
            "runtime",
            .text(
                pattern: "python3(\\.[0-9]+)?|nodejs([0-9]+\\.x)?|provided(\\.al2(023)?)?",
                meaning: "python3, nodejs, provided, or an AWS identifier such as python3.12"),
            required: true, "What runs it."),
        SchemaProperty(
            "handler", .text(), "module.function; not for provided, whose bootstrap decides."),
        SchemaProperty(
            "code", .text(), required: true, "Its folder, relative to the stack file."),
        SchemaProperty(
            "timeout", .integer(1...900, unit: seconds), "Seconds it may take (default: 3)."),
        SchemaProperty(
            "memorySize", .integer(128...10_240, unit: "MB"), "MB it may use (default: 128)."),
        SchemaProperty(
            "environment",
            .map(
                names: "[A-Za-z][A-Za-z0-9_]*",
                meaning: "a letter, then letters, digits and '_'", of: .text()),
            "Its environment variables, 4 KB in all."),
        SchemaProperty(
            "reservedConcurrency", .integer(0...1000), "How many run at once; 0 stops it."),
        SchemaProperty(
            "policies", .list(of: statement, maximum: 100), "IAM statements: what it may do."),
        SchemaProperty(
            "maximumRetryAttempts", .integer(0...2),
            "Retries of an asynchronous invocation (default: 2)."),
        SchemaProperty(
            "maximumEventAge", .integer(60...21_600, unit: seconds),
            "Seconds an asynchronous event is kept (default: 21600)."),
        SchemaProperty(
            "onFailure", .text(), "The queue or function that gets events which failed."),
        SchemaProperty(
            "onSuccess", .text(), "The queue or function that gets results of events."),
        SchemaProperty(
            "triggers", .list(of: trigger, maximum: 10), "The queues that it is invoked with."),
    ])

    private static let statement = SchemaRule.object([
        SchemaProperty("Sid", .text(), "A name for the statement."),
        SchemaProperty("Effect", .choice(["Allow", "Deny"]), required: true, "Allow or deny."),
        SchemaProperty(
            "Action", .oneOrMany(.text()), required: true, or: "NotAction",
            "Actions, such as sqs:SendMessage."),
        SchemaProperty("NotAction", .oneOrMany(.text()), "All actions but these."),
        SchemaProperty(
            "Resource", .oneOrMany(.text()), required: true, or: "NotResource",
            "ARNs; * matches any."),
        SchemaProperty("NotResource", .oneOrMany(.text()), "All resources but these."),
        SchemaProperty("Condition", .anything, "When the statement counts."),
    ])

    private static let trigger = SchemaRule.object([
        SchemaProperty("queue", .text(), required: true, "The queue's name."),
        SchemaProperty(
            "batchSize", .integer(1...10_000), "Messages an invocation gets (default: 10)."),
        SchemaProperty(
            "batchWindow", .integer(0...300, unit: seconds),
            "Seconds to wait for a full batch (default: 0)."),
        SchemaProperty(
            "reportBatchItemFailures", .boolean,
            "Whether the function names the messages that failed (default: false)."),
        SchemaProperty(
            "maximumConcurrency", .integer(2...1000), "How many invocations at once."),
        SchemaProperty("filter", .anything, "Patterns: only messages that match are delivered."),
        SchemaProperty("enabled", .boolean, "Whether messages are delivered (default: true)."),
    ])

    private static let queue = SchemaRule.object([
        SchemaProperty("fifo", .boolean, "First in, first out (default: by the name)."),
        SchemaProperty(
            "visibilityTimeout", .integer(QueueLimits.visibilitySeconds, unit: seconds),
            "Seconds a received message stays hidden (default: 30)."),
        SchemaProperty(
            "delay", .integer(QueueLimits.delaySeconds, unit: seconds),
            "Seconds a sent message stays hidden (default: 0)."),
        SchemaProperty(
            "retention", .integer(QueueLimits.retentionSeconds, unit: seconds),
            "Seconds a message is kept (default: 345600, four days)."),
        SchemaProperty(
            "receiveWaitTime", .integer(QueueLimits.waitSeconds, unit: seconds),
            "Seconds a receive waits for a message (default: 0)."),
        SchemaProperty(
            "maximumMessageSize", .integer(1024...1_048_576, unit: "bytes"),
            "Larger messages are refused (default: 1048576)."),
        SchemaProperty(
            "redrive",
            .object([
                SchemaProperty(
                    "deadLetterQueue", .text(), required: true, "Where they go, by name."),
                SchemaProperty(
                    "maxReceiveCount", .integer(QueueLimits.maxReceiveCount), required: true,
                    "After so many receives."),
            ]), "What becomes of messages that are received too often."),
        SchemaProperty(
            "redriveAllow", .list(of: .text(), maximum: 10),
            "The only queues that may use this one for dead letters; [] is none."),
        SchemaProperty(
            "contentBasedDeduplication", .boolean,
            "FIFO: the body's digest is its deduplication id (default: false)."),
        SchemaProperty(
            "deduplicationScope", .choice(["queue", "messageGroup"]),
            "FIFO: where an id counts (default: queue)."),
        SchemaProperty(
            "throughputLimit", .choice(["perQueue", "perMessageGroupId"]),
            "FIFO: what the rate limit counts (default: perQueue)."),
        SchemaProperty(
            "enforceQuota", .boolean,
            "FIFO: whether calls beyond AWS's rate are refused (default: false)."),
        SchemaProperty(
            "durability", .choice(["fsync", "os"]),
            "fsync: on the disk before the reply (default); os: survives the process."),
        SchemaProperty(
            "compression", .integer(0...1_048_576, unit: "bytes"),
            "Bodies from this size on are compressed in the journal."),
        SchemaProperty(
            "history", .integer(QueueLimits.historyBytes, unit: "bytes"),
            "How much of what is consumed is kept, for replay and history (default: 67108864)."),
        SchemaProperty(
            "tags",
            .map(
                names: ".{1,128}", meaning: "1 to 128 characters", of: .text(),
                maximum: QueueLimits.tags),
            "Up to 50 tags."),
    ])

    /// As many as CloudWatch takes for a state.
    private static let actions = SchemaRule.list(of: .text(), maximum: 5)

    private static let alarm = SchemaRule.object([
        SchemaProperty("description", .text(), "What it means."),
        SchemaProperty("lambda", .text(), "Short form: a function's metric."),
        SchemaProperty("queue", .text(), "Short form: a queue's metric."),
        SchemaProperty("namespace", .text(), "Long form, with dimensions."),
        SchemaProperty(
            "dimensions", .map(names: ".{1,255}", meaning: "1 to 255 characters", of: .text()),
            "Long form: the metric's dimensions."),
        SchemaProperty("metric", .text(), required: true, "The metric's name."),
        SchemaProperty(
            "statistic",
            .text(
                pattern: "Sum|Average|Minimum|Maximum|SampleCount|p[0-9]{1,2}(\\.[0-9]+)?|p100",
                meaning: "Sum, Average, Minimum, Maximum, SampleCount, or a percentile as p99"),
            required: true, "How a period's values become one."),
        SchemaProperty(
            "period", .integer(10...86_400, unit: seconds), required: true,
            "Seconds: 10, 20, 30 or a multiple of 60."),
        SchemaProperty(
            "evaluationPeriods", .integer(1...10_080), required: true, "How many periods count."),
        SchemaProperty(
            "datapointsToAlarm", .integer(1...10_080),
            "How many of them must breach (default: all)."),
        SchemaProperty("threshold", .number, required: true, "The limit."),
        SchemaProperty(
            "comparison",
            .choice([
                "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold",
                "LessThanOrEqualToThreshold",
            ]), required: true, "When a value breaches."),
        SchemaProperty(
            "treatMissingData", .choice(["missing", "ignore", "breaching", "notBreaching"]),
            "What a period without data counts as (default: missing)."),
        SchemaProperty(
            "alarmActions", actions, "Functions that are told when it becomes ALARM."),
        SchemaProperty("okActions", actions, "Functions that are told when it becomes OK."),
        SchemaProperty(
            "insufficientDataActions", actions,
            "Functions that are told when it becomes INSUFFICIENT_DATA."),
        SchemaProperty(
            "actionsEnabled", .boolean, "Whether they are told at all (default: true)."),
    ])
}
