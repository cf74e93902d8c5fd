import Access
import JSON
import Services
import StackModel

extension Command {
    /// What SDKs and tools heed before what is set here. Of services, those of the endpoint.
    private static let misleading = [
        "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
        "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    ]

    static let env = Command(
        path: ["env"],
        abstract:
            "Prints what makes AWS's SDKs and tools reach this stack: eval \"$(msorch env)\".",
        options: [
            .choice("shell", ["sh", "fish"], "For which shell (default: sh)."),
            .text("as", "KEY", "Whose key: a function's or one of 'msorch keys' (developer)."),
            .number(
                "port", "PORT", 1...65_535,
                "The endpoint's port, for a serve that does not run yet."
            ),
        ],
        examples: [
            "eval \"$(msorch env)\"", "msorch env --shell fish | source",
            "msorch env --output json | jq -r .AWS_ENDPOINT_URL",
        ],
        run: { invocation in
            let deployment = try invocation.deployment()
            let key = try deployment.accessKey(
                of: invocation.text("as") ?? CredentialStore.developer)
            let region = deployment.stack.region
            let variables = [
                ("AWS_ENDPOINT_URL", try endpointURL(invocation)),
                ("AWS_ACCESS_KEY_ID", key.id), ("AWS_SECRET_ACCESS_KEY", key.secret),
                ("AWS_SESSION_TOKEN", key.sessionToken ?? ""),
                ("AWS_DEFAULT_REGION", region), ("AWS_REGION", region),
            ]
            let json = JSONObject(
                variables.filter { !$0.1.isEmpty }.map { (key: $0.0, value: .string($0.1)) })
            let lines = variables + misleading.map { ($0, "") }
            let isFish = invocation.text("shell") == "fish"
            try invocation.output.result(.object(json)) {
                isFish ? fish(lines) : posix(lines)
            }
        })

    private static func endpointURL(_ invocation: Invocation) throws -> String {
        if let port = invocation.number("port") { return "http://127.0.0.1:\(port)" }
        guard let record = ServerRecord.running(invocation.stateDirectory) else {
            throw CommandError(
                .notFound, "No serve runs on \(invocation.stateDirectory).",
                hint: "'msorch serve &' starts one; --port says where one will be.")
        }
        return record.endpointURL
    }

    /// The `aws` command of version 1 does not know AWS_ENDPOINT_URL for every service.
    private static func posix(_ variables: [(String, String)]) -> String {
        let lines = variables.map { name, value in
            value.isEmpty ? "unset \(name)" : "export \(name)=\(quoted(value))"
        }
        let function = "aws() { command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }"
        return (lines + [function]).joined(separator: "\n")
    }

    private static func fish(_ variables: [(String, String)]) -> String {
        let lines = variables.map { name, value in
            value.isEmpty ? "set -e \(name)" : "set -gx \(name) \(quoted(value))"
        }
        let function = "function aws; command aws --endpoint-url \"$AWS_ENDPOINT_URL\" $argv; end"
        return (lines + [function]).joined(separator: "\n")
    }

    /// Keys and addresses hold no quotes.
    private static func quoted(_ text: String) -> String { "'\(text)'" }
}
