import GatewayModel
import JSON
import Services
import StackModel

extension Command {
    static let apiKeysList = Command(
        path: ["apikeys", "list"],
        abstract: "Lists the API keys of the gateway, their plans, and what is used of quotas.",
        examples: [
            "msorch apikeys list", "msorch apikeys list --output json | jq -r '.[].name'",
        ],
        run: { invocation in
            let deployment = try invocation.deployment()
            let keys = APIKeyStatus.list(deployment, now: StackClock().now())
            let json = keys.map { key -> JSONValue in
                [
                    "name": .string(key.name), "enabled": .bool(key.isEnabled),
                    "plan": key.plan.map { .string($0) } ?? .null,
                    "quotaUsed": key.quotaUsed.map { .int($0) } ?? .null,
                    "quotaLimit": key.quota.map { .int($0.limit) } ?? .null,
                    "quotaPeriod": key.quota.map { .string($0.period.rawValue) } ?? .null,
                ]
            }
            try invocation.output.result(.array(json)) {
                guard !keys.isEmpty else { return nil }
                return Output.table(
                    ["KEY", "STATE", "PLAN", "USED"],
                    keys.map { key in
                        let used = key.quota.map {
                            "\(key.quotaUsed ?? 0) of \($0.limit) a \($0.period.rawValue)"
                        }
                        return [
                            key.name, key.isEnabled ? "enabled" : "disabled",
                            key.plan ?? "none: refused", used ?? "-",
                        ]
                    })
            }
            if keys.isEmpty { invocation.output.note("The stack has no API keys.") }
        })
}
