import JSON
import Services

extension Command {
    static let usersRemove = Command(
        path: ["users", "rm"], abstract: "Removes a user from the pool.",
        arguments: [Argument(name: "USER", help: "The user's name.")],
        examples: ["msorch users rm ana"],
        run: { invocation in
            let name = invocation.arguments[0]
            try invocation.userPool().remove(name)
            try invocation.output.result(["username": .string(name)]) { nil }
        })
}
