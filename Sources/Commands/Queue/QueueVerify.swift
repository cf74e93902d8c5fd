import JSON
import Journal
import Services

extension Command {
    static let queueVerify = Command(
        path: ["queue", "verify"], abstract: "Checks every record of a queue's journal.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        examples: ["msorch queue verify OrderQueue"],
        run: { invocation in
            let name = invocation.arguments[0]
            let report = try invocation.queues().verify(name)
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
                    hint: "Nothing was changed. Keep a copy of the folder before anything else.")
            }
        })
}
