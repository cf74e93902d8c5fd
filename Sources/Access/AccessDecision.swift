/// Who wants to do what to which resource.
package struct AccessRequest: Sendable {
    /// The principal's ARN: `arn:aws:iam::123456789012:user/developer`.
    package var principal: String
    /// `sqs:SendMessage`.
    package var action: String
    package var resource: String
    /// Condition keys, their names in lower case, and each one's values.
    package var context: [String: [String]]

    package init(
        principal: String, action: String, resource: String, context: [String: [String]] = [:]
    ) {
        self.principal = principal
        self.action = action
        self.resource = resource
        self.context = Dictionary(
            context.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
        self.context["aws:principalarn"] = [principal]
        self.context["aws:username"] = [String(principal.split(separator: "/").last ?? "")]
    }

    func values(_ key: String) -> [String]? { context[key.lowercased()] }

    /// The account that the principal belongs to.
    var account: String {
        let parts = principal.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count > 4 ? String(parts[4]) : ""
    }
}

/// What policies say of a request, and which statement decided (IAM User Guide, *Policy evaluation
/// logic*): an explicit deny, else an allow, else no.
package enum AccessDecision: Equatable, Sendable {
    case allowed(by: PolicyStatement)
    case denied(by: PolicyStatement)
    /// No statement speaks of it.
    case notAllowed

    package var isAllowed: Bool {
        if case .allowed = self { true } else { false }
    }

    /// The statement that decided; `nil` if none did.
    package var statement: PolicyStatement? {
        switch self {
        case .allowed(let statement), .denied(let statement): statement
        case .notAllowed: nil
        }
    }

    /// Within one account, the caller's own policy and the resource's are one.
    package init(_ request: AccessRequest, identity: Policy, resource: Policy? = nil) {
        let own = identity.statements.filter { $0.applies(to: request) }
        let resources = (resource?.statements ?? []).filter {
            $0.names(principalOf: request) && $0.applies(to: request)
        }
        let all = own + resources
        if let deny = all.first(where: { $0.effect == .deny }) {
            self = .denied(by: deny)
        } else if let allow = all.first {
            self = .allowed(by: allow)
        } else {
            self = .notAllowed
        }
    }

    /// AWS's words for who is refused.
    package func message(_ request: AccessRequest) -> String {
        let action = request.action.lowercased()
        let reason =
            if case .denied = self {
                "with an explicit deny in an identity-based policy"
            } else {
                "because no identity-based policy allows the \(action) action"
            }
        return "User: \(request.principal) is not authorized to perform: \(action) on resource: "
            + "\(request.resource) \(reason)"
    }
}

extension PolicyStatement {
    /// Whether it speaks of this action on this resource, here and now.
    func applies(to request: AccessRequest) -> Bool {
        let action = request.action.lowercased()
        let speaksOfAction =
            actions.patterns.contains { PolicyPattern.matches(action, $0.lowercased()) }
            != actions.isNegated
        guard speaksOfAction else { return false }
        if let resources {
            let speaksOfResource =
                resources.patterns.contains { pattern in
                    PolicyPattern.filled(pattern) { request.values($0)?.first }
                        .map { PolicyPattern.matches(request.resource, $0) } ?? false
                } != resources.isNegated
            guard speaksOfResource else { return false }
        }
        return conditions.allSatisfy { $0.holds(request.values) }
    }

    /// `*`, the principal itself, its account, or the account's root.
    func names(principalOf request: AccessRequest) -> Bool {
        guard let principals else { return false }
        let own = [
            "*", request.principal, request.account, "arn:aws:iam::\(request.account):root",
        ]
        return principals.patterns.contains { own.contains($0) } != principals.isNegated
    }
}
