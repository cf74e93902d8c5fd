import JSON
import Services
import StackModel

extension Command {
    static let apiKeysShow = Command(
        path: ["apikeys", "show"], abstract: "Prints the value of an API key: a secret.",
        arguments: [Argument(name: "APIKEY", help: "The key, as api.keys has it.")],
        examples: [
            "msorch apikeys show mobile",
            #"curl -H "x-api-key: $(msorch apikeys show mobile)" "#
                + "http://127.0.0.1:8080/prod/orders",
        ],
        run: { invocation in
            let deployment = try invocation.deployment()
            let name = invocation.arguments[0]
            let store = APIKeyStore(stateDirectory: deployment.stateDirectory)
            guard deployment.stack.apiKeyNames.contains(name), let value = try store.load()[name]
            else {
                throw CommandError(
                    .notFound, "There is no API key '\(name)'.",
                    hint: "api.keys in the stack file names keys; 'msorch apikeys list' lists them."
                )
            }
            try invocation.output.result(["name": .string(name), "value": .string(value)]) {
                value
            }
        })
}
