import JSON
import Services

extension Command {
    static let keysRemove = Command(
        path: ["keys", "rm"], abstract: "Removes an access key; nobody takes it any more.",
        arguments: [Argument(name: "KEY", help: "Whose it is.")],
        examples: ["msorch keys rm ci"],
        run: { invocation in
            let name = invocation.arguments[0]
            try CredentialStore(stateDirectory: invocation.stateDirectory).remove(name)
            try invocation.output.result(["name": .string(name)]) { nil }
        })
}
