import JSON
import Services
import StackModel

extension Command {
    static let usersPool = Command(
        path: ["users", "pool"], abstract: "Shows the user pool's ids, as clients name them.",
        examples: [
            "msorch users pool", "msorch users pool --output json | jq -r '.clientIds[0]'",
        ],
        run: { invocation in
            let definition = try invocation.userPool().definition
            let json: JSONValue = [
                "name": .string(definition.name), "id": .string(definition.id),
                "arn": .string(definition.arn), "issuer": .string(definition.issuer),
                "clientIds": .array(definition.clientIDs.map { .string($0) }),
            ]
            try invocation.output.result(json) {
                "pool \(definition.id)\n"
                    + definition.clientIDs.map { "client \($0)" }.joined(separator: "\n")
                    + "\nissuer \(definition.issuer)"
            }
        })
}
