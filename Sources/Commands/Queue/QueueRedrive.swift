import JSON
import Posix
import QueueModel
import Services

extension Command {
    static let queueRedrive = Command(
        path: ["queue", "redrive"],
        abstract: "Moves a dead-letter queue's messages back to where they came from.",
        arguments: [Argument(name: "QUEUE", help: "The dead-letter queue.")],
        options: [
            .text("to", "QUEUE", "Where they go (default: each to the queue it came from)."),
            .number(
                "rate", "COUNT", QueueLimits.moveRate,
                "Messages a second at most (default: no limit)."),
            .flag("list", "Show the last ten move tasks instead."),
            .flag("cancel", "Cancel the active move task instead."),
        ],
        examples: [
            "msorch queue redrive OrderDeadLetterQueue --rate 50",
            "msorch queue redrive OrderDeadLetterQueue --list",
        ],
        formats: Output.Format.allCases,
        run: { invocation in
            let name = invocation.arguments[0]
            let queues = invocation.queues()
            guard !invocation.has("list") || !invocation.has("cancel") else {
                throw CommandError(
                    .usage, "--list and --cancel do not go together.",
                    hint: "Nothing was changed. Leave one of them out.")
            }
            if invocation.has("list") { return try list(queues, name, invocation) }
            if invocation.has("cancel") {
                let task = try queues.cancelMoveTask(of: name, id: nil)
                try invocation.output.result(.object(json(task))) { nil }
                let after = task.status == .cancelling ? " after its present batch" : ""
                return invocation.output.note("Cancelled\(after); \(task.moved) messages moved.")
            }
            let active = try queues.moveTasks(of: name).first { $0.task.status.isActive }
            if let active, !active.isRun {
                guard invocation.text("to") == nil, invocation.number("rate") == nil else {
                    throw CommandError(
                        .refused, "A move task of '\(name)' was cut off, and is not over.",
                        hint: "Without --to and --rate it goes on; --cancel ends it.")
                }
                invocation.output.note("Going on with the task of \(active.task.started.iso8601).")
            }
            try run(queues, name, invocation)
        })

    private static func run(
        _ queues: QueueDirectory, _ name: String, _ invocation: Invocation
    ) throws {
        if invocation.text("to") == nil {
            for failure in try queues.sources(of: name).failures {
                invocation.output.note(CommandError(failure).message)
            }
        }
        let showsProgress = StandardStream.error.isTerminal && !invocation.output.isQuiet
        let task = try queues.redrive(
            name, to: invocation.text("to"), rate: invocation.number("rate"),
            isCancelled: { Signals.termination != nil },
            progress: { task in
                if showsProgress {
                    StandardStream.error.write("\r\(task.moved) of \(task.toMove) moved".utf8)
                }
            })
        if showsProgress { StandardStream.error.write("\r".utf8) }
        guard let task else { return }
        try invocation.output.result(.object(json(task))) { nil }
        switch task.status {
        case .completed, .cancelled:
            let target = task.target.map { "to \($0)" } ?? "back"
            invocation.output.note("\(task.moved) messages moved \(target).")
        case .failed:
            throw CommandError(
                .failure, "Where a message came from cannot be told, or that queue is gone.",
                hint: "\(task.moved) messages were moved. --to QUEUE says where the others go.")
        case .running, .cancelling:
            invocation.output.note(
                "Stopped; \(task.moved) messages moved. The next 'queue redrive \(name)' goes on.")
        }
    }

    private static func list(
        _ queues: QueueDirectory, _ name: String, _ invocation: Invocation
    ) throws {
        let tasks = try queues.moveTasks(of: name)
        let list = tasks.map { listed in
            var object = json(listed.task)
            object["isRun"] = .bool(listed.isRun)
            return JSONValue.object(object)
        }
        let rows = tasks.map { listed in
            let task = listed.task
            let isAlone = task.status.isActive && !listed.isRun
            return [
                task.started.iso8601,
                isAlone
                    ? "\(task.status.rawValue) (nobody runs it)"
                    : task.status.rawValue,
                task.target ?? "-", "\(task.moved)", "\(task.toMove)",
                task.rate.map { "\($0)" } ?? "-",
            ]
        }
        let header = ["STARTED", "STATUS", "TO", "MOVED", "TO MOVE", "RATE"]
        try invocation.output.table(.array(list), header, rows)
    }

    private static func json(_ task: MoveTask) -> JSONObject {
        var json: JSONObject = [
            "to": task.target.map { .string($0) } ?? .null,
            "moved": .int(Int64(clamping: task.moved)),
            "toMove": .int(Int64(clamping: task.toMove)), "status": .string(task.status.rawValue),
            "started": .string(task.started.iso8601), "id": .string(task.id),
        ]
        if let rate = task.rate { json["rate"] = .int(rate) }
        if let failure = task.failure { json["failure"] = .string(failure) }
        return json
    }
}
