import JSON
import Services
import StackModel

extension Command {
    static let keysShow = Command(
        path: ["keys", "show"], abstract: "Shows one access key and what it may do.",
        arguments: [Argument(name: "KEY", help: "Whose it is.")],
        options: [.flag("secret", "Show its secret, too: as lines for a shell.")],
        examples: ["msorch keys show ci", "eval \"$(msorch keys show ci --secret)\""],
        run: { invocation in
            let deployment = try invocation.deployment()
            let keys = try CredentialStore(stateDirectory: invocation.stateDirectory).users()
            let name = invocation.arguments[0]
            guard let key = keys.first(where: { $0.name == name }) else {
                throw CredentialError.noSuchKey(name, existing: keys.map(\.name))
            }
            let hasSecret = invocation.has("secret")
            try invocation.output.result(key.output(deployment.stack, withSecret: hasSecret)) {
                hasSecret
                    ? key.exports
                    : "\(key.credentials.accessKeyID) \(deployment.stack.userARN(name)) "
                        + key.policy.serialized()
            }
        })
}
