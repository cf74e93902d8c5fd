import JSON
import Services

extension Command {
    static let iamExplain = Command(
        path: ["iam", "explain"],
        abstract: "Shows the calls that policies did not allow, and the statement that decided.",
        options: [
            .text("since", "TIME", "How far back: 90s, 10m, 1h, 7d (default: 1h).")
        ],
        examples: [
            "msorch iam explain", "msorch iam explain --since 1d --output json | jq .action",
        ],
        run: { invocation in
            let span = try TimeSpan.parse(invocation.text("since") ?? "1h", "since")
            let log = AccessLog(stateDirectory: invocation.stateDirectory)
            let entries = try log.read(from: StackClock().now() - span)
            for entry in entries {
                try invocation.output.result(entry) {
                    func text(_ key: String) -> String { entry[key]?.stringValue ?? "" }
                    let reason =
                        entry["signature"]?.stringValue
                        ?? entry["statement"].map { "denied by \($0.serialized())" }
                        ?? "no statement allows it"
                    let audit = entry["enforced"] == true ? "" : " (audit: done all the same)"
                    return "\(text("time")) \(text("principal")) \(text("action")) "
                        + "\(text("resource")): \(reason)\(audit)"
                }
            }
            if entries.isEmpty {
                invocation.output.note("Nothing was refused in this time.")
            }
        })
}
