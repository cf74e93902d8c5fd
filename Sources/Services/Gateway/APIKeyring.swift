import Crypto
import GatewayModel
import StackModel

/// Which API key a request brings, and what its plan lets it do.
struct APIKeyring: Sendable {
    struct Entry: Sendable {
        var name: String
        var value: String
        var demand: Admission.Demand?
        var quota: Admission.QuotaDemand?
    }

    /// By the digest of their values: a search that takes longer for a value that is nearly right
    /// tells nothing of it.
    private let entries: [[UInt8]: Entry]

    /// Keys count that are enabled and in a plan, as on AWS.
    /// - Parameter values: by the keys' names.
    init(_ api: APIDefinition, values: [String: String]) {
        var entries: [[UInt8]: Entry] = [:]
        let enabled = Set(api.keys.filter(\.isEnabled).map(\.name))
        for plan in api.plans {
            for key in plan.keys where enabled.contains(key) {
                guard let value = values[key] else { continue }
                let name = Self.usageName(plan: plan.name, key: key)
                entries[Array(Digest.sha256(value.utf8))] = Entry(
                    name: key, value: value,
                    demand: plan.throttle.map { Admission.Demand("key \(name)", $0) },
                    quota: plan.quota.map { Admission.QuotaDemand(name, $0) })
            }
        }
        self.entries = entries
    }

    /// What counts a key's requests is called so.
    static func usageName(plan: String, key: String) -> String { "\(plan)/\(key)" }

    /// - Throws: `noAPIKey` for a key that is missing, unknown, disabled or in no plan.
    func entry(for request: GatewayRequest) throws(GatewayFailure) -> Entry {
        guard let value = request.header("x-api-key"),
            let entry = entries[Array(Digest.sha256(value.utf8))]
        else { throw .noAPIKey }
        return entry
    }
}
