import Access
import JSON

/// What AWS refuses although each value by itself is fine: names that lead nowhere, and settings
/// that do not go together. Values of a wrong kind are the schema's business and passed over here.
struct ReferenceChecker {
    /// What lies outside, the schema has refused: there is no reckoning with it.
    private static let reckonable: ClosedRange<Int64> = 0...1_000_000

    /// Its key is the developer's, who may do everything.
    private static let developer = "developer"

    private(set) var diagnostics: [Diagnostic] = []
    private let root: Node
    private let functions: [(key: String, node: Node)]
    private let queues: [(key: String, node: Node)]
    private let functionNames: Set<String>

    init(_ file: LocatedJSON) {
        root = Node(value: file, path: "")
        functions = root["lambdas"]?.members ?? []
        queues = root["queues"]?.members ?? []
        functionNames = Set(functions.map(\.key))
            .union(functions.compactMap { $0.node["functionName"]?.text })
    }

    mutating func check() {
        var names: [String: String] = [:]
        for (key, function) in functions {
            let name = function["functionName"]?.text ?? key
            if let other = names[name] {
                report(
                    function["functionName"] ?? function,
                    "\(function.path) has the function name '\(name)' that \(other) has, too")
            }
            names[name] = function.path
            if name == Self.developer {
                report(
                    function["functionName"] ?? function,
                    "\(function.path) has the function name '\(name)', which stands for whoever "
                        + "develops the stack")
            }
            check(function: function, named: key)
        }
        for (key, queue) in queues { check(queue: queue, named: key) }
        for (_, route) in root["routes"]?.members ?? [] {
            require(route["lambda"], in: .functions)
            check(tokensOf: route)
        }
        var api = APIChecker(root)
        api.check()
        diagnostics += api.diagnostics
        for (_, alarm) in root["alarms"]?.members ?? [] { check(alarm: alarm) }
    }

    private mutating func check(tokensOf route: Node) {
        guard let node = route["authorization"], node.text == "jwt",
            root["security"]?["userPool"] == nil, root["security"]?["jwt"] == nil
        else { return }
        report(
            node,
            "\(node.path) is 'jwt', and neither security.userPool nor security.jwt says whose "
                + "tokens count: every request will be refused", .warning)
    }

    private mutating func check(function: Node, named key: String) {
        if function["handler"] == nil, function["runtime"]?.text?.hasPrefix("provided") == false {
            report(function, "\(function.path).handler is missing")
        }
        for key in ["onFailure", "onSuccess"] {
            require(function[key], in: .either)
            if let target = function[key], target.text?.hasSuffix(".fifo") == true {
                report(target, "\(target.path) is a FIFO queue; AWS takes standard queues only")
            }
        }
        checkEnvironment(of: function)
        let policies = policies(of: function)
        var seen: Set<String> = []
        for trigger in function["triggers"]?.elements ?? [] {
            require(trigger["queue"], in: .queues)
            guard let name = trigger["queue"]?.text else { continue }
            if !seen.insert(name).inserted {
                report(trigger, "\(trigger.path) is a second trigger for the queue '\(name)'")
            }
            check(trigger: trigger, on: name, of: function)
            if let policies {
                let role = function["functionName"]?.text ?? key
                check(permissionsFor: trigger, on: name, policies, of: role)
            }
        }
    }

    /// What its role may do; `nil` if that cannot be said, or nobody asks.
    private mutating func policies(of function: Node) -> Policy? {
        var statements: [PolicyStatement] = []
        var isWhole = true
        for node in function["policies"]?.elements ?? [] {
            // The schema sees none in a Condition, which may be anything to it.
            if let condition = node["Condition"], let twin = condition.value.twin {
                diagnostics.append(
                    Diagnostic(
                        .error, twin.keyPosition, "\(condition.path): '\(twin.key)' stands twice"))
            }
            do throws(PolicyError) {
                let statement = try PolicyStatement(json: node.value.plain)
                try statement.checkNames()
                statements.append(statement)
            } catch {
                // What the schema knows of statements, it has said.
                if let name = error.element, let element = node[name] ?? node["Not\(name)"] {
                    report(element, "\(element.path): \(error.message)")
                }
                isWhole = false
            }
        }
        let mode = root["security"]?["iam"]?.text.flatMap(IAMMode.init(rawValue:)) ?? .enforce
        return isWhole && mode == .enforce ? Policy(statements) : nil
    }

    /// Lambda receives with the function's role (Lambda guide, *services-sqs-configure*). What
    /// hangs on a condition, nobody knows beforehand.
    private mutating func check(
        permissionsFor trigger: Node, on name: String, _ policies: Policy, of role: String
    ) {
        let region = root["region"]?.text ?? Stack.defaultRegion
        let account = root["accountId"]?.text ?? Stack.defaultAccountID
        for action in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
            let request = AccessRequest(
                principal: Stack.roleARN(role, account: account), action: "sqs:\(action)",
                resource: "arn:aws:sqs:\(region):\(account):\(name)")
            guard !policies.mayAllow(request) else { continue }
            report(
                trigger,
                "\(trigger.path): the function's policies do not allow sqs:\(action) on '\(name)', "
                    + "which its trigger needs")
            return
        }
    }

    private mutating func checkEnvironment(of function: Node) {
        let reserved: Set<String> = [
            "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION",
            "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
            "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
        ]
        let variables = function["environment"]?.members ?? []
        for (key, value) in variables where reserved.contains(key) {
            report(value, "\(value.path) is a name that Lambda reserves")
        }
        let bytes = variables.reduce(0) { $0 + $1.key.utf8.count + ($1.node.text?.utf8.count ?? 0) }
        if bytes > 4096, let environment = function["environment"] {
            report(environment, "\(environment.path) has \(bytes) bytes; allowed: 4096")
        }
    }

    private mutating func check(trigger: Node, on name: String, of function: Node) {
        let size = trigger["batchSize"]?.integer ?? 10
        let window = trigger["batchWindow"]?.integer ?? 0
        if name.hasSuffix(".fifo") {
            if size > 10, let node = trigger["batchSize"] {
                report(node, "\(node.path) is \(size); allowed for a FIFO queue: 1 to 10")
            }
            if window > 0, let node = trigger["batchWindow"] {
                report(node, "\(node.path) is \(window); a FIFO queue has no batch window")
            }
        } else if size > 10, window == 0, let node = trigger["batchSize"] {
            report(
                node,
                "\(node.path) is \(size): Maximum batch window in seconds must be greater than 0 "
                    + "if maximum batch size is greater than 10")
        }
        if let node = trigger["filter"] {
            do throws(EventFilterError) {
                _ = try EventFilter(json: node.value.plain)
            } catch {
                report(node, "\(node.path): \(error.message)")
            }
        }
        guard let queue = queues.first(where: { $0.key == name })?.node else { return }
        let visibility = queue["visibilityTimeout"]?.integer ?? 30
        let timeout = function["timeout"]?.integer ?? 3
        guard [visibility, timeout, window].allSatisfy(Self.reckonable.contains) else { return }
        if visibility < timeout {
            report(
                trigger,
                "\(trigger.path): Queue visibility timeout: \(visibility) seconds is less than "
                    + "Function timeout: \(timeout) seconds")
        } else if visibility < 6 * timeout + window {
            report(
                trigger,
                "\(trigger.path): the visibility timeout of '\(name)' is \(visibility) seconds; "
                    + "AWS advises 6 × the function timeout + the batch window, "
                    + "\(6 * timeout + window)", .warning)
        }
    }

    private mutating func check(queue: Node, named name: String) {
        let isFIFO = name.hasSuffix(".fifo")
        if let fifo = queue["fifo"], fifo.boolean == !isFIFO {
            report(
                fifo,
                isFIFO
                    ? "\(fifo.path) is false, but a name that ends in '.fifo' is a FIFO queue's"
                    : "\(fifo.path) is true, but a FIFO queue's name ends in '.fifo'")
        }
        for key in [
            "contentBasedDeduplication", "deduplicationScope", "throughputLimit", "enforceQuota",
        ] {
            if !isFIFO, let node = queue[key] {
                report(node, "\(node.path) is for FIFO queues only")
            }
        }
        if let node = queue["enforceQuota"], node.boolean == true,
            queue["throughputLimit"]?.text == "perMessageGroupId"
        {
            report(
                node, "\(node.path) is true, and high throughput (throughputLimit) has no rate here"
            )
        }
        for (key, tag) in queue["tags"]?.members ?? []
        where key.hasPrefix("aws:") || tag.text?.hasPrefix("aws:") == true {
            report(tag, "\(tag.path) begins with 'aws:', which is reserved for AWS's own tags")
        }
        if queue["throughputLimit"]?.text == "perMessageGroupId",
            queue["deduplicationScope"]?.text != "messageGroup", let node = queue["throughputLimit"]
        {
            report(node, "\(node.path) perMessageGroupId needs deduplicationScope messageGroup")
        }
        let target = queue["redrive"]?["deadLetterQueue"]
        require(target, in: .queues)
        guard let target, let other = target.text else { return }
        let allowed = queues.first { $0.key == other }?.node["redriveAllow"]?.elements
        if other == name {
            report(target, "\(target.path) is the queue itself")
        } else if let allowed, !allowed.contains(where: { $0.text == name }) {
            report(
                target,
                "\(target.path) is '\(other)', whose redriveAllow does not name '\(name)'")
        } else if other.hasSuffix(".fifo") != isFIFO, queues.contains(where: { $0.key == other }) {
            report(
                target,
                "\(target.path) is '\(other)', a \(isFIFO ? "standard" : "FIFO") queue; the "
                    + "dead-letter queue of a \(isFIFO ? "FIFO" : "standard") queue is one, too")
        }
    }

    private mutating func check(alarm: Node) {
        require(alarm["lambda"], in: .functions)
        require(alarm["queue"], in: .queues)
        for key in ["alarmActions", "okActions", "insufficientDataActions"] {
            for action in alarm[key]?.elements ?? [] { require(action, in: .functions) }
        }
        let sources = ["lambda", "queue", "namespace"].filter { alarm[$0] != nil }
        if sources.count != 1 {
            report(
                alarm, "\(alarm.path) needs exactly one of lambda, queue and namespace")
        }
        let period = alarm["period"]?.integer ?? 60
        let count = alarm["evaluationPeriods"]?.integer ?? 1
        if let node = alarm["period"], ![10, 20, 30].contains(period), period % 60 != 0 {
            report(node, "\(node.path) is \(period); allowed: 10, 20, 30 or a multiple of 60")
        }
        guard [period, count].allSatisfy(Self.reckonable.contains) else { return }
        let longest: Int64 = period < 3600 ? 86_400 : 604_800
        if let node = alarm["evaluationPeriods"], period * count > longest {
            report(
                node,
                "\(node.path) × period is \(period * count) seconds; allowed: up to \(longest)")
        }
        if let node = alarm["datapointsToAlarm"], let needed = node.integer, needed > count {
            report(node, "\(node.path) is \(needed), more than evaluationPeriods, \(count)")
        }
    }

    private enum Kind {
        case functions
        case queues
        case either
    }

    /// Reports a name that leads nowhere.
    private mutating func require(_ node: Node?, in kind: Kind) {
        guard let node, let name = node.text else { return }
        let known: Set<String>
        let what: String
        switch kind {
        case .functions: (known, what) = (functionNames, "function")
        case .queues: (known, what) = (Set(queues.map(\.key)), "queue")
        case .either:
            (known, what) = (functionNames.union(queues.map(\.key)), "queue or function")
        }
        guard !known.contains(name) else { return }
        let near = closestMatch(to: name, among: known.sorted())
        report(
            node,
            "\(node.path) is '\(name)', and there is no such \(what)"
                + (near.map { "; did you mean '\($0)'?" } ?? ""))
    }

    private mutating func report(
        _ node: Node, _ message: String, _ severity: Diagnostic.Severity = .error
    ) {
        diagnostics.append(Diagnostic(severity, node.value.position, message))
    }
}
