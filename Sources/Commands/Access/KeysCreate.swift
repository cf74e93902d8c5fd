import Access
import JSON
import Posix
import Services

extension Command {
    static let keysCreate = Command(
        path: ["keys", "create"], abstract: "Makes an access key with a policy of its own.",
        arguments: [Argument(name: "NAME", help: "Whose it is: 1 to 64 letters, digits, _+=,.@-.")],
        options: [
            .text(
                "policy", "JSON|FILE",
                "What it may do: an IAM policy, or its statements (default: nothing).")
        ],
        examples: [
            "msorch keys create auditor --policy "
                + "'{\"Effect\": \"Allow\", \"Action\": \"sqs:Get*\", \"Resource\": \"*\"}'",
            "eval \"$(msorch keys create ci --policy ci-policy.json)\"",
        ],
        run: { invocation in
            let deployment = try invocation.deployment()
            let policy = try policy(invocation.text("policy"))
            let store = CredentialStore(stateDirectory: invocation.stateDirectory)
            let key = try store.create(
                invocation.arguments[0], policy: policy, at: StackClock().now())
            try invocation.output.result(key.output(deployment.stack, withSecret: true)) {
                key.exports
            }
            if policy == [] {
                invocation.output.note("It may do nothing: --policy says what a key may do.")
            }
        })

    private static func policy(_ text: String?) throws -> JSONValue {
        guard var text else { return [] }
        if let first = text.first, !"{[".contains(first) {
            let path = first == "@" ? String(text.dropFirst()) : text
            do throws(SystemError) {
                text = String(decoding: try FileSystem.read(path), as: UTF8.self)
            } catch {
                throw CommandError(
                    error.isNotFound ? .notFound : .inputOutput,
                    "The policy \(path) cannot be read: \(error.reason).")
            }
        }
        do {
            let written = try LocatedJSON.parse(Array(text.utf8))
            _ = try Policy(ofIdentity: written)
            return written.plain
        } catch let error as JSONError {
            throw CommandError(
                .usage,
                "The policy is not JSON: line \(error.position.line), column "
                    + "\(error.position.column): \(error.message).")
        } catch let error as PolicyError {
            throw CommandError(.usage, "The policy is no IAM policy: \(error.message).")
        }
    }
}
