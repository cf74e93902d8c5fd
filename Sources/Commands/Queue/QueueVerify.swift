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
            let report = try queues.verify(name)
            if invocation.has("repair"), !report.problems.isEmpty {
                return try write(try queues.repair(name), name, invocation.output)
            }
            let problems = report.problems.map { problem -> JSONValue in
                [
                    "file": .string(problem.file), "offset": .int(Int64(problem.offset)),
                    "message": .string(problem.message),
                ]
            }
            let json: JSONValue = [
                "segments": .int(report.segments), "records": .int(report.records),
                "bytes": .int(Int64(report.bytes)), "problems": .array(problems),
                "tornFiles": .array(report.tornFiles.map { .string($0) }),
            ]
            try invocation.output.result(json) {
                let found = report.problems.map { "\($0.file) at byte \($0.offset): \($0.message)" }
                let sum = "\(report.records) good records in \(report.segments) segments"
                return ([sum] + found).joined(separator: "\n")
            }
            guard report.problems.isEmpty else {
                throw CommandError(
                    .damaged, "The journal of '\(name)' is damaged.",
                    hint: "Nothing was changed. --repair makes a new journal of what can be read.")
            }
        })

    private static func write(_ report: RepairReport, _ name: String, _ output: Output) throws {
        let json: JSONValue = [
            "kept": .int(report.kept), "original": .string(report.original),
            "losses": .array(
                report.losses.map {
                    [
                        "file": .string($0.file), "offset": .int(Int64($0.offset)),
                        "bytes": .int($0.bytes),
                    ]
                }),
        ]
        try output.result(json) {
            let losses = report.losses.map {
                "lost: \($0.bytes) bytes of \($0.file) at byte \($0.offset)"
            }
            return (["\(report.kept) messages kept"] + losses).joined(separator: "\n")
        }
        output.note(
            "A lost send is up to ten messages; a lost receive or delete makes messages come back. "
                + "The damaged journal of \(name) is \(report.original).")
    }
}
