import JSON
import Services
import StackModel

extension UserKey {
    /// The secret only where it was asked for.
    func output(_ stack: Stack, withSecret: Bool) -> JSONValue {
        var json: JSONObject = [
            "name": .string(name), "arn": .string(stack.userARN(name)),
            "accessKeyId": .string(credentials.accessKeyID),
        ]
        if withSecret { json["secretAccessKey"] = .string(credentials.secretAccessKey) }
        json["policy"] = policy
        json["createdAt"] = .string(createdAt.iso8601)
        return .object(json)
    }

    /// For `eval` in sh, bash, zsh and fish. Neither part has a character that a shell would take
    /// for its own. A session's token of another key would be sent along, and every call be
    /// refused, and so where that key is past its time: what is blank is none to AWS's clients, and
    /// fish has no `unset`.
    var exports: String {
        "export AWS_ACCESS_KEY_ID=\(credentials.accessKeyID)\n"
            + "export AWS_SECRET_ACCESS_KEY=\(credentials.secretAccessKey)\n"
            + "export AWS_SESSION_TOKEN=\nexport AWS_SECURITY_TOKEN=\n"
            + "export AWS_CREDENTIAL_EXPIRATION="
    }
}
