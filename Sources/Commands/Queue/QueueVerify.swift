import JSON
import Journal
import Services

extension Command {
    static let queueVerify = Command(
        path: ["queue", "verify"], abstract: "Checks every record of a queue's journal.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        options: [
            .flag(
                "repair",
                "Make a new journal of what can be read, and put the damaged one aside untouched.")
        ],
        examples: ["msorch queue verify OrderQueue", "msorch queue verify OrderQueue --repair"],
        run: { invocation in
            let name = invocation.arguments[0]
            let queues = invocation.queues()
            if invocation.has("repair") {
                let report = try queues.repair(name)
                return try write(report, name, invocation.output)
            }
            let found = try queues.examine(name)
            try invocation.output.result(json(found)) { text(found) }
            if found.torn.contains(where: { !$0.messages.isEmpty }) {
                invocation.output.note("--repair sends again what can be read in torn files.")
            }
            guard found.damages.isEmpty else {
                if found.damages.contains(where: \.problem.mayBeNewer) {
                    throw CommandError(
                        .damaged, "The journal of '\(name)' may be of a newer msorch.",
                        hint: CommandError.hintIfNewer)
                }
                throw CommandError(
                    .damaged, "The journal of '\(name)' is damaged.",
                    hint: "Nothing was changed. --repair makes a new journal of what can be read.")
            }
        })

    private static func json(_ found: QueueExamination) -> JSONValue {
        [
            "segments": .int(found.journal.segments), "records": .int(found.journal.records),
            "bytes": .int(Int64(found.journal.bytes)),
            "lastRecord": .int(Int64(found.journal.lastN)),
            "problems": .array(found.damages.map(json)),
            "ignored": .array(
                found.journal.ignored.map {
                    ["file": .string($0.file), "message": .string($0.message)]
                }),
            "tornFiles": .array(found.journal.tornFiles.map { .string($0) }),
            "torn": .array(
                found.torn.map {
                    [
                        "file": .string($0.name), "records": .int($0.records),
                        "messages": .int($0.messages.count),
                        "unreadableBytes": .int(Int64(clamping: $0.harmedBytes)),
                    ]
                }),
        ]
    }

    private static func json(_ damage: QueueDamage) -> JSONValue {
        let problem = damage.problem
        return [
            "file": .string(problem.file), "offset": .int(Int64(problem.offset)),
            "bytes": .int(Int64(problem.bytes)),
            "firstRecord": problem.records.map { .int(Int64($0.lowerBound)) } ?? .null,
            "lastRecord": problem.records.map { .int(Int64($0.upperBound)) } ?? .null,
            "kinds": .object(JSONObject(damage.kinds.map { ($0.name, .int($0.count)) })),
            "messages": .array(damage.messages.map { .string($0) }),
            "message": .string(problem.message),
        ]
    }

    private static func text(_ found: QueueExamination) -> String {
        let sum =
            "\(found.journal.records) good records in \(found.journal.segments) segments"
        return
            ([sum] + found.damages.flatMap(lines)
            + found.journal.ignored.map { "\($0.file) is not needed: \($0.message)" }
            + found.torn.map(line)).joined(separator: "\n")
    }

    private static func line(_ torn: TornFile) -> String {
        let bytes = torn.readableBytes + torn.harmedBytes
        let start = "\(torn.name) is torn: \(bytes) bytes that a writer left when it died"
        guard torn.records > 0 else { return "\(start); nothing can be read in it" }
        let records = torn.records == 1 ? "1 record" : "\(torn.records) records"
        let count = torn.messages.count
        return "\(start); \(records) in it can be read, with \(count) message"
            + (count == 1 ? "" : "s") + " to restore"
    }

    /// Ids that a person is shown; JSON has them all.
    private static var shownIDs: Int { 10 }

    private static func lines(_ damage: QueueDamage) -> [String] {
        let problem = damage.problem
        var lines = ["\(problem.file) at byte \(problem.offset): \(problem.message)"]
        if let records = problem.records {
            let kinds = damage.kinds.map { "\($0.count) \($0.name)" }
            lines.append(
                "  records \(records.lowerBound) to \(records.upperBound), \(problem.bytes) bytes"
                    + (kinds.isEmpty ? "" : ": \(kinds.joined(separator: ", "))"))
        }
        if !damage.messages.isEmpty {
            let rest = damage.messages.count - shownIDs
            lines.append(
                "  messages \(damage.messages.prefix(shownIDs).joined(separator: ", "))"
                    + (rest > 0 ? " and \(rest) more" : ""))
        }
        return lines
    }

    private static func write(_ report: RepairReport, _ name: String, _ output: Output) throws {
        let sends = report.losses.reduce(0) { $0 + $1.sends }
        let endings = report.losses.reduce(0) { $0 + $1.endings }
        let unknown = report.losses.reduce(0) { $0 + $1.unknown }
        let result: JSONValue = [
            "kept": .int(report.kept),
            "original": report.original.map { .string($0) } ?? .null,
            "losses": .array(report.losses.map(json)),
            "lostSends": .int(Int64(sends)), "lostEndings": .int(Int64(endings)),
            "lostUnknown": .int(Int64(unknown)), "restored": .int(report.restored),
        ]
        if report.restored > 0 {
            output.note(
                "\(report.restored) messages of torn files were sent again; they may not be new to "
                    + "who receives them.")
        }
        if report.unreadable > 0 {
            output.note("\(report.unreadable) bytes of torn files cannot be read.")
        }
        guard let original = report.original else {
            return try output.result(result) {
                report.restored > 0
                    ? "The journal of \(name) is sound."
                    : "The journal of \(name) is sound; nothing was done."
            }
        }
        try output.result(result) {
            (["\(report.kept) messages kept"] + report.losses.flatMap(lines)).joined(
                separator: "\n")
        }
        output.note(
            "Lost: \(sends) sends, each of up to ten messages; \(endings) receives, deletes and "
                + "other records, whose messages come back; \(unknown) records of which nothing "
                + "can be read.")
        output.note("The damaged journal is \(original).")
    }
}
