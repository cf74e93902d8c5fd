import JSON
import Services

extension Command {
    static let usersAdd = Command(
        path: ["users", "add"], abstract: "Adds a user to the pool.",
        arguments: [Argument(name: "NAME", help: "The user's name, or e-mail address.")],
        options: [
            .text(
                "password", "PASSWORD|-",
                "The password, or - for a line of standard input (default: one is made up)."),
            .text(
                "attributes", "NAME=VALUE,...", "What is known of the user, such as email=a@b.c."),
            .flag("temporary", "Another password must be chosen at the first sign-in."),
        ],
        examples: [
            "msorch users add ana --attributes email=ana@example.com,email_verified=true",
            "printf %s \"$PASSWORD\" | msorch users add ana --password -",
        ],
        run: { invocation in
            let pool = try invocation.userPool()
            let name = invocation.arguments[0]
            let given = try invocation.password()
            let made = try pool.create(
                name, temporaryPassword: given,
                attributes: try attributes(invocation.text("attributes")))
            if !invocation.has("temporary") { try pool.confirmPassword(of: name) }
            var json = (try pool.store.user(name) ?? made.user).output.objectValue ?? [:]
            if given == nil { json["password"] = .string(made.password) }
            try invocation.output.result(.object(json)) { given == nil ? made.password : nil }
        })

    private static func attributes(_ text: String?) throws -> [(name: String, value: String)] {
        try (text ?? "").split(separator: ",").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw CommandError(
                    .usage, "--attributes must be NAME=VALUE pairs, not '\(pair)'.",
                    hint: "For example --attributes email=ana@example.com.")
            }
            return (String(parts[0]), String(parts[1]))
        }
    }
}
