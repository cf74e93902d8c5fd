import Access
import JSON
import Services
import StackModel

extension Command {
    static let iamSimulate = Command(
        path: ["iam", "simulate"], abstract: "Says whether somebody may do something, and why.",
        arguments: [
            Argument(name: "PRINCIPAL", help: "A function, developer, or a key's name."),
            Argument(name: "ACTION", help: "Such as sqs:SendMessage."),
            Argument(name: "RESOURCE", help: "A queue or function of the stack, or an ARN."),
        ],
        options: [
            .text("context", "KEY=VALUE,...", "Condition keys, such as aws:SourceIp=127.0.0.1.")
        ],
        examples: [
            "msorch iam simulate CreateOrder sqs:SendMessage OrderQueue",
            "msorch iam simulate CreateOrder sqs:DeleteMessage OrderQueue --output json",
        ],
        run: { invocation in
            let deployment = try invocation.deployment()
            let stack = deployment.stack
            let principal = try deployment.principal(named: invocation.arguments[0])
            let action = try action(invocation.arguments[1])
            let resource = try invocation.arn(of: invocation.arguments[2], action, stack)
            // What is known of every call to a `serve`, unless the user says otherwise.
            var context = Authorizer.context(
                of: principal.userID, from: "127.0.0.1", to: stack.region, at: StackClock().now())
            if resource == "*" { context["aws:resourceaccount"] = [stack.accountID] }
            context.merge(try keys(invocation.text("context"))) { $1 }
            let request = AccessRequest(
                principal: principal.arn, action: action, resource: resource, context: context)
            let decision = AccessDecision(
                request, identity: principal.policy,
                resource: try invocation.policy(ofQueue: resource, stack))
            let json: JSONValue = [
                "principal": .string(request.principal), "action": .string(request.action),
                "resource": .string(request.resource), "decision": .string(decision.word),
                "statement": decision.statement?.json ?? .null,
            ]
            try invocation.output.result(json) {
                decision.statement.map { "\(decision.word) by \($0.json.serialized())" }
                    ?? "\(decision.word): no statement allows it"
            }
            if !decision.isAllowed { throw SilentExit(exitCode: .failure) }
        })

    /// - Throws: `CommandError` if its service is one of msorch's, and has no such action.
    private static func action(_ action: String) throws -> String {
        let service = action.prefix { $0 != ":" }.lowercased()
        let known = Authorizer.actions.filter { $0.hasPrefix("\(service):") }
        guard action.contains(":") else {
            throw CommandError(
                .usage, "ACTION must be SERVICE:ACTION, not '\(action)'.",
                hint: "Such as sqs:SendMessage.")
        }
        guard known.isEmpty || known.contains(where: { $0.lowercased() == action.lowercased() })
        else {
            throw CommandError(
                .usage, "No policy is asked about '\(action)' here.",
                hint: closestMatch(to: action, among: known).map { "Did you mean '\($0)'?" }
                    ?? "Of \(service): \(known.joined(separator: ", ")).")
        }
        return action
    }

    private static func keys(_ text: String?) throws -> [String: [String]] {
        var context: [String: [String]] = [:]
        for pair in (text ?? "").split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw CommandError(
                    .usage, "--context must be KEY=VALUE pairs, not '\(pair)'.",
                    hint: "For example --context aws:SourceIp=127.0.0.1.")
            }
            context[parts[0].lowercased(), default: []].append(String(parts[1]))
        }
        return context
    }
}

extension AccessDecision {
    /// As IAM's policy simulator says it.
    var word: String {
        switch self {
        case .allowed: "allowed"
        case .denied: "explicitDeny"
        case .notAllowed: "implicitDeny"
        }
    }
}

extension Deployment {
    fileprivate func principal(named name: String) throws -> Principal {
        let all = try principals()
        if let user = all.first(where: { $0.arn == stack.userARN(name) }) { return user }
        let arn = stack.roleARN(of: try stack.requiredFunction(name))
        guard let principal = all.first(where: { $0.arn == arn }) else {
            throw CommandError(
                .failure, "There is no key for '\(name)'.", hint: "'msorch deploy' makes one.")
        }
        return principal
    }
}

extension Invocation {
    /// The ARN of a function or a queue; an ARN, or `*`, as it is. A queue that is to be made needs
    /// not be there.
    fileprivate func arn(of name: String, _ action: String, _ stack: Stack) throws -> String {
        if name.hasPrefix("arn:") || name == "*" { return name }
        if let function = stack.function(name) { return stack.functionARN(function) }
        let queues = try Set(stack.queues.map(\.name)).union(queues().names())
        guard queues.contains(name) || action.lowercased() == "sqs:createqueue" else {
            let near = closestMatch(
                to: name, among: queues.union(stack.functions.map(\.key)).sorted())
            throw CommandError(
                .notFound, "There is no queue or function '\(name)'.",
                hint: near.map { "Did you mean '\($0)'?" } ?? "An ARN names anything else.")
        }
        return stack.queueARN(name)
    }

    /// The policy of the queue that an ARN means, as `serve` finds it.
    fileprivate func policy(ofQueue arn: String, _ stack: Stack) throws -> Policy? {
        let prefix = stack.queueARN("")
        guard arn.hasPrefix(prefix) else { return nil }
        return try queues().policy(
            of: String(arn.dropFirst(prefix.count)), owner: stack.developerARN)
    }
}
