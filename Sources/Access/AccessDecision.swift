import JSON

/// Who wants to do what to which resource.
package struct AccessRequest: Sendable {
    /// Who did not sign; only a resource's policy for `*` speaks of them.
    package static let anonymous = "anonymous"

    /// The principal's ARN: `arn:aws:iam::123456789012:user/developer`; a service's name as
    /// `sns.amazonaws.com`; or `anonymous`.
    package var principal: String
    /// `sqs:SendMessage`.
    package var action: String
    package var resource: String
    /// Condition keys, whatever their case, and each one's values.
    private let context: [String: [String]]

    package init(
        principal: String, action: String, resource: String, context: [String: [String]] = [:]
    ) {
        self.principal = principal
        self.action = action
        self.resource = resource
        self.context = context
    }

    /// Every value of a key; `nil` if the request has none. What follows from who asks for what is
    /// there for each request, unless its context says otherwise (IAM User Guide, *AWS global
    /// condition context keys* and *Principal key values*).
    func values(_ key: String) -> [String]? {
        let key = key.lowercased()
        if let given = context.first(where: { $0.key.lowercased().isExactly(key) }) {
            return given.value
        }
        switch key {
        case "aws:requestedregion": return Self.part(3, of: resource)
        case "aws:resourceaccount": return Self.part(4, of: resource)
        // Nobody here calls for somebody else.
        case "aws:viaawsservice": return ["false"]
        default: break
        }
        guard principal != Self.anonymous else {
            switch key {
            case "aws:principalaccount", "aws:userid": return [principal]
            case "aws:principaltype": return ["Anonymous"]
            default: return nil
            }
        }
        switch key {
        case "aws:principalarn": return [roleARN ?? principal]
        case "aws:principalaccount" where !account.isEmpty: return [account]
        case "aws:principaltype" where roleARN != nil: return ["AssumedRole"]
        case "aws:principaltype" where isUser: return ["User"]
        case "aws:principalisawsservice": return [principal.hasPrefix("arn:") ? "false" : "true"]
        case "aws:username" where isUser:
            return [String(principal.split(separator: "/").last ?? "")]
        default: return nil
        }
    }

    private var isUser: Bool { principal.contains(":user/") }

    /// A part of an ARN that says one thing.
    private static func part(_ index: Int, of arn: String) -> [String]? {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count > 5, !parts[index].isEmpty, !parts[index].contains("*") else {
            return nil
        }
        return [String(parts[index])]
    }

    /// The account that the principal belongs to; empty if it belongs to none.
    var account: String {
        let parts = principal.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count > 4 ? String(parts[4]) : ""
    }

    /// The role that a session is one of: a policy may name either.
    fileprivate var roleARN: String? {
        let parts = principal.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[2] == "sts", parts[5].hasPrefix("assumed-role/"),
            let name = parts[5].split(separator: "/").dropFirst().first
        else { return nil }
        return "arn:aws:iam::\(parts[4]):role/\(name)"
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

    /// Within one account, an allow of the caller's own policy or of the resource's is enough, and
    /// a deny of either is the end (IAM User Guide, *Policy evaluation within a single account*).
    /// A resource's policy that allows the whole account leaves it to the caller's own to do so.
    package init(_ request: AccessRequest, identity: Policy, resource: Policy? = nil) {
        var allow: PolicyStatement?
        for statement in identity.statements where statement.applies(to: request) {
            guard statement.effect == .allow else {
                self = .denied(by: statement)
                return
            }
            allow = allow ?? statement
        }
        for statement in resource?.statements ?? [] {
            let naming = statement.naming(of: request)
            guard naming != .none, statement.applies(to: request) else { continue }
            guard statement.effect == .allow else {
                self = .denied(by: statement)
                return
            }
            if naming == .itself { allow = allow ?? statement }
        }
        self = allow.map { .allowed(by: $0) } ?? .notAllowed
    }

    /// AWS's words for who is refused.
    package func message(_ request: AccessRequest) -> String {
        // SQS spells its actions in lower case here, other services do not.
        let action =
            request.action.hasPrefix("sqs:") ? request.action.lowercased() : request.action
        let kind =
            (statement?.isOfResource ?? (request.principal == AccessRequest.anonymous))
            ? "resource" : "identity"
        let reason =
            if case .denied = self {
                "with an explicit deny in \(kind == "identity" ? "an" : "a") \(kind)-based policy"
            } else {
                "because no \(kind)-based policy allows the \(action) action"
            }
        return "User: \(request.principal) is not authorized to perform: \(action) on resource: "
            + "\(request.resource) \(reason)"
    }
}

extension Policy {
    /// Whether such a call may ever be allowed: a condition that an Allow has may hold when it
    /// comes, and one that a Deny has may not.
    package func mayAllow(_ request: AccessRequest) -> Bool {
        let speaking = statements.filter { $0.names(request) }
        return speaking.contains { $0.effect == .allow }
            && !speaking.contains { $0.effect == .deny && $0.conditions.isEmpty }
    }
}

extension PolicyStatement {
    /// How a statement of a resource's policy speaks of a caller.
    enum Naming {
        case none
        /// As one of an account.
        case account
        case itself
    }

    /// Whether it stands in a resource's policy.
    package var isOfResource: Bool { principals != nil }

    /// Whether it speaks of this action on this resource, here and now.
    func applies(to request: AccessRequest) -> Bool {
        names(request)
            && conditions.allSatisfy { condition in
                condition.holds(request.values) { pattern($0, request.values) }
            }
    }

    /// Whether it speaks of this action on this resource, whatever its conditions.
    fileprivate func names(_ request: AccessRequest) -> Bool {
        let action = request.action.lowercased()
        let speaksOfAction =
            actions.patterns.contains { PolicyPattern($0.lowercased()).matches(action) }
            != actions.isNegated
        guard speaksOfAction else { return false }
        if let resources {
            let speaksOfResource =
                resources.patterns.contains { pattern in
                    self.pattern(pattern, request.values)?.matches(request.resource) ?? false
                } != resources.isNegated
            guard speaksOfResource else { return false }
        }
        return true
    }

    /// - Returns: `nil` if the request lacks a value that stands in it.
    private func pattern(_ text: String, _ values: (String) -> [String]?) -> PolicyPattern? {
        hasVariables ? PolicyPattern(text) { values($0)?.first } : PolicyPattern(text)
    }

    /// `*`, the principal itself, the role of its session, its account, or the account's root.
    func naming(of request: AccessRequest) -> Naming {
        guard let principals else { return .none }
        let patterns = principals.patterns
        func isNamed(_ name: String) -> Bool { patterns.contains { $0.isExactly(name) } }
        let account = request.account
        let isItself =
            isNamed("*") || isNamed("Service:\(request.principal)")
            || request.principal != AccessRequest.anonymous && isNamed(request.principal)
            || request.roleARN.map(isNamed) ?? false
        let root = "arn:aws:iam::\(account):root"
        let isInAccount = !account.isEmpty && (isNamed(account) || isNamed(root))
        if principals.isNegated {
            // A Deny names the account beside its user for that one's sake, and spares nobody else
            // of it (IAM User Guide, *NotPrincipal*).
            let isForAnother =
                effect == .deny && patterns.contains { $0 != root && $0.contains("::\(account):") }
            return isItself || isInAccount && !isForAnother ? .none : .itself
        }
        return isItself ? .itself : isInAccount ? .account : .none
    }
}
