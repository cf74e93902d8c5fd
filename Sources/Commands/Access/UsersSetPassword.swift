import JSON
import Services

extension Command {
    static let usersSetPassword = Command(
        path: ["users", "set-password"], abstract: "Gives a user another password.",
        arguments: [Argument(name: "USER", help: "The user's name.")],
        options: [
            .text(
                "password", "PASSWORD|-", "The password, or - for a line of standard input."),
            .flag("temporary", "Another one must be chosen at the next sign-in."),
        ],
        examples: ["printf %s \"$PASSWORD\" | msorch users set-password ana --password -"],
        run: { invocation in
            let pool = try invocation.userPool()
            let name = invocation.arguments[0]
            guard let password = try invocation.password() else {
                throw CommandError(
                    .usage, "There is no password.",
                    hint: "--password - reads it from standard input.")
            }
            try pool.setPassword(name, password, isPermanent: !invocation.has("temporary"))
            try invocation.output.result(["username": .string(name)]) { nil }
        })
}
