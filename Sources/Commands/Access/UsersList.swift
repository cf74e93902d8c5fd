import JSON
import Services

extension Command {
    static let usersList = Command(
        path: ["users", "list"],
        abstract: "Lists the pool's users, and the codes that they wait for.",
        examples: [
            "msorch users list",
            "msorch users list --output json | jq -r '.[] | select(.username == \"ana\") "
                + "| .confirmationCode'",
        ],
        run: { invocation in
            let users = try invocation.userPool().store.sorted()
            try invocation.output.table(
                .array(users.map(\.output)), ["NAME", "STATUS", "ENABLED", "EMAIL", "CODE"],
                users.map { user in
                    [
                        user.username, user.status.rawValue, user.isEnabled ? "yes" : "no",
                        user.attribute("email") ?? "",
                        (user.confirmationCode ?? user.resetCode)?.digits ?? "",
                    ]
                })
        })
}
