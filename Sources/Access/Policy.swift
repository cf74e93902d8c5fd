import JSON

/// One statement of an IAM policy, checked (IAM User Guide, *IAM JSON policy element reference*).
package struct PolicyStatement: Equatable, Sendable {
    package enum Effect: String, Sendable {
        case allow = "Allow"
        case deny = "Deny"
    }

    /// Values that an element names, or all but those it names.
    struct Selection: Equatable, Sendable {
        var patterns: [String]
        var isNegated: Bool
    }

    package let sid: String?
    package let effect: Effect
    let actions: Selection
    /// `nil` where a policy stands on the resource itself and does not name it.
    let resources: Selection?
    /// Resource policies alone have principals.
    let principals: Selection?
    let conditions: [PolicyCondition]
    /// Whether `${…}` stands for a value of the request; else it is text as any other.
    fileprivate(set) var hasVariables = true
    /// As it was written, for who asks which statement decided.
    package let json: JSONValue

    /// - Throws: `PolicyError` in words for the user.
    package init(json: JSONValue) throws(PolicyError) {
        guard let object = json.objectValue else {
            throw PolicyError("a statement must be an object")
        }
        let known: Set<String> = [
            "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal",
            "NotPrincipal", "Condition",
        ]
        if let other = object.members.first(where: { !known.contains($0.key) }) {
            throw PolicyError("a statement has no element '\(other.key)'")
        }
        guard let effect = json["Effect"]?.stringValue.flatMap(Effect.init(rawValue:)) else {
            throw PolicyError("Effect must be Allow or Deny")
        }
        self.json = json
        self.effect = effect
        sid = json["Sid"]?.stringValue
        guard let actions = try Self.selection("Action", json) else {
            throw PolicyError("a statement needs an Action or NotAction")
        }
        self.actions = actions
        resources = try Self.selection("Resource", json)
        principals = try Self.selection("Principal", json, Self.principals)
        conditions = try PolicyCondition.list(json["Condition"])
    }

    /// Refuses what IAM refuses in a statement of an identity's: an action without its service, a
    /// resource that is no ARN, and a pattern for the service of either. An ARN may end early if
    /// none of its parts is empty, such as `arn:aws:sqs:*`.
    package func checkNames() throws(PolicyError) {
        let action = /\*|(\*|[A-Za-z0-9.-]+):[^:]+/
        for name in actions.patterns where name.wholeMatch(of: action) == nil {
            throw PolicyError("'\(name)' is no action", in: "Action")
        }
        let resource = /\*|arn:(aws|\*):[A-Za-z0-9.-]+((:[^:]+){1,2}|(:[^:]*){3,})/
        for name in resources?.patterns ?? [] where name.wholeMatch(of: resource) == nil {
            throw PolicyError("'\(name)' is no ARN", in: "Resource")
        }
    }

    /// Denies everybody but one everything.
    fileprivate init(denyingAllBut principal: String) {
        sid = "Unreadable"
        effect = .deny
        actions = Selection(patterns: ["*"], isNegated: false)
        resources = nil
        principals = Selection(patterns: [principal], isNegated: true)
        conditions = []
        json = [
            "Sid": "Unreadable", "Effect": "Deny", "NotPrincipal": ["AWS": .string(principal)],
            "Action": "*",
        ]
    }

    private static func selection(
        _ name: String, _ json: JSONValue,
        _ read: (JSONValue) throws(PolicyError) -> [String]? = { $0.oneOrMany }
    ) throws(PolicyError) -> Selection? {
        let plain = json[name]
        let negated = json["Not\(name)"]
        guard plain == nil || negated == nil else {
            throw PolicyError("a statement has \(name) or Not\(name), not both")
        }
        guard let value = plain ?? negated else { return nil }
        guard let patterns = try read(value), !patterns.isEmpty else {
            throw PolicyError("\(name) must be a text or a list of texts")
        }
        return Selection(patterns: patterns, isNegated: negated != nil)
    }

    /// `"*"`, or `{"AWS": [account, ARN, …], "Service": …}`. Of what can be nobody's name, a Deny
    /// would deny nobody (IAM User Guide, *IAM JSON policy elements: Principal*).
    private static func principals(_ json: JSONValue) throws(PolicyError) -> [String]? {
        if let text = json.stringValue {
            guard text == "*" else { throw PolicyError("'\(text)' is no principal") }
            return [text]
        }
        guard let object = json.objectValue else { return nil }
        var all: [String] = []
        for (kind, value) in object.members {
            guard ["AWS", "Service", "Federated", "CanonicalUser"].contains(kind) else {
                throw PolicyError("'\(kind)' is no kind of principal")
            }
            guard let names = value.oneOrMany else { return nil }
            for name in names where !isPrincipal(name, of: kind) {
                throw PolicyError("'\(name)' is no principal")
            }
            all += kind == "AWS" ? names : names.map { "\(kind):\($0)" }
        }
        return all
    }

    /// Everybody, an account, its root, a user, a role, a session; no wildcard stands for a part.
    private static func isPrincipal(_ name: String, of kind: String) -> Bool {
        guard kind == "AWS" else { return name.wholeMatch(of: /[^*?]+/) != nil }
        let iam = /arn:aws:iam::[0-9]{12}:(root|(user|role)\/[A-Za-z0-9_+=,.@\/-]+)/
        let sts = /arn:aws:sts::[0-9]{12}:(assumed-role\/[^\/*?]+|federated-user)\/[^\/*?]+/
        return name.wholeMatch(of: /\*|[0-9]{12}/) != nil
            || name.wholeMatch(of: iam) != nil || name.wholeMatch(of: sts) != nil
    }
}

/// What is wrong with a policy.
package struct PolicyError: Error, Equatable, Sendable {
    package var message: String
    /// The element of a statement whose values make no sense, without its `Not`; `nil` where the
    /// form is wrong.
    package var element: String?

    init(_ message: String, in element: String? = nil) {
        self.message = message
        self.element = element
    }
}

/// Statements in the order in which they were written.
package struct Policy: Equatable, Sendable {
    package var statements: [PolicyStatement]

    /// - Parameter json: a policy document, a list of statements, or one. A document has variables
    ///   if it says that it is of the version that has them; without one it is of the older (IAM
    ///   User Guide, *IAM JSON policy elements: Version*).
    package init(json: JSONValue) throws(PolicyError) {
        let list = json["Statement"] ?? json
        let hasVariables = json["Statement"] == nil || json["Version"] == Self.versions[0]
        statements = []
        for statement in list.arrayValue ?? [list] {
            var statement = try PolicyStatement(json: statement)
            statement.hasVariables = hasVariables
            statements.append(statement)
        }
    }

    package init(_ statements: [PolicyStatement]) { self.statements = statements }

    /// A policy as somebody wrote it. A member that stands twice would mean one thing to one reader
    /// and another to the next, and what another version of the language means nobody here knows.
    package init(written: LocatedJSON) throws(PolicyError) {
        if let twin = written.twin {
            let place = twin.keyPosition
            throw PolicyError(
                "'\(twin.key)' stands twice, in line \(place.line), column \(place.column)")
        }
        let json = written.plain
        if let version = json["Version"], !Self.versions.contains(version) {
            throw PolicyError("Version must be 2012-10-17 or 2008-10-17")
        }
        try self.init(json: json)
    }

    private static let versions: [JSONValue] = ["2012-10-17", "2008-10-17"]

    /// A user's policy as somebody wrote it: its statements name what they are about, not whom.
    package init(ofIdentity written: LocatedJSON) throws(PolicyError) {
        try self.init(written: written)
        for statement in statements {
            guard !statement.isOfResource else {
                throw PolicyError("a key's statement has no Principal, it speaks of the key itself")
            }
            guard statement.resources != nil else {
                throw PolicyError("a statement needs a Resource or NotResource")
            }
            try statement.checkNames()
        }
    }

    /// A resource's policy: a document whose statements all name whom and what they are about.
    /// Without a principal, one would speak of nobody, and a Deny deny nothing.
    package init(ofResource text: String) throws(PolicyError) {
        guard let written = try? LocatedJSON.parse(Array(text.utf8)),
            written.plain["Statement"] != nil
        else { throw PolicyError("a policy must be a JSON object with a Statement") }
        try self.init(written: written)
        guard !statements.isEmpty else { throw PolicyError("a policy needs a statement") }
        guard statements.allSatisfy({ $0.principals != nil && $0.resources != nil }) else {
            throw PolicyError("a statement on a resource needs a Principal and a Resource")
        }
    }

    /// In place of a resource's policy that cannot be read: nobody knows whom it denies.
    ///
    /// - Parameter owner: who may still do something about it.
    package static func unreadable(owner: String) -> Policy {
        Policy([PolicyStatement(denyingAllBut: owner)])
    }
}

extension JSONValue {
    var oneOrMany: [String]? {
        if let text = stringValue { return [text] }
        let texts = arrayValue?.compactMap(\.stringValue)
        return texts?.count == arrayValue?.count ? texts : nil
    }
}
