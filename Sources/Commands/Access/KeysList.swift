import JSON
import Services

extension Command {
    static let keysList = Command(
        path: ["keys", "list"], abstract: "Lists the access keys that were made, without secrets.",
        examples: ["msorch keys list", "msorch keys list --output json | jq '.[].name'"],
        run: { invocation in
            let deployment = try invocation.deployment()
            let keys = try CredentialStore(stateDirectory: invocation.stateDirectory).users()
            try invocation.output.table(
                .array(keys.map { $0.output(deployment.stack, withSecret: false) }),
                ["NAME", "KEY", "CREATED"],
                keys.map { [$0.name, $0.credentials.accessKeyID, $0.createdAt.iso8601] })
        })
}
