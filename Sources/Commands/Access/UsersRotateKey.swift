import JSON
import Services

extension Command {
    static let usersRotateKey = Command(
        path: ["users", "rotate-key"],
        abstract: "Signs new tokens with a new key; old tokens stay good until they expire.",
        examples: ["msorch users rotate-key"],
        run: { invocation in
            let id = try invocation.userPool().keys.rotate(at: StackClock().now())
            try invocation.output.result(["kid": .string(id)]) { id }
        })
}
