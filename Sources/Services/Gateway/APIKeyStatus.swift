import GatewayModel
import JSON
import StackModel

/// What is to be known of an API key, but for its value.
package struct APIKeyStatus: Sendable {
    package var name: String
    package var isEnabled: Bool
    /// `nil`: in no plan, and so refused.
    package var plan: String?
    package var quota: QuotaSettings?
    /// Requests in the present period, as they were last written.
    package var quotaUsed: Int64?

    /// In the order of the stack file.
    package static func list(_ deployment: Deployment, now: Timestamp) -> [APIKeyStatus] {
        let api = deployment.stack.api
        let usage = GatewayUsage.load(deployment.stateDirectory)
        return api.keys.map { key in
            let plan = api.plans.first { $0.keys.contains(key.name) }
            let used = plan.flatMap { plan in
                plan.quota.map { quota in
                    let name = APIKeyring.usageName(plan: plan.name, key: key.name)
                    return usage.used(Admission.QuotaDemand(name, quota), at: now)
                }
            }
            return APIKeyStatus(
                name: key.name, isEnabled: key.isEnabled, plan: plan?.name, quota: plan?.quota,
                quotaUsed: used)
        }
    }
}
