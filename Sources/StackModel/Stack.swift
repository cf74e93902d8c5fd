import JSON
import QueueModel

/// What policies are good for (`security.iam`).
package enum IAMMode: String, Sendable {
    /// Who is not allowed is refused.
    case enforce
    /// Who is not allowed is written down.
    case audit
    /// Any credentials will do.
    case off
}

/// A checked stack as values: every default filled in, every name resolved.
package struct Stack: Equatable, Sendable {
    package static let defaultRegion = "us-east-1"
    package static let defaultAccountID = "123456789012"

    /// The whole stack in one spelling: what two stacks are compared by, and a deployment keeps.
    package let json: JSONValue
    package let name: String
    package let region: String
    package let accountID: String
    package let iamMode: IAMMode
    /// How far a signature's date may be from now.
    package let clockSkew: Duration
    /// `nil` without users.
    package let userPool: UserPoolDefinition?
    /// Whose tokens `jwt` routes take; `nil`: the user pool's.
    package let tokenIssuer: TokenIssuerDefinition?
    /// In the order of the file.
    package let functions: [FunctionDefinition]
    package let queues: [QueueDefinition]

    /// - Parameter json: a stack file without errors, or what `json` gave.
    package init(json: JSONValue) {
        let json = StackDefaults.fill(json)
        self.json = json
        name = json["name"]?.stringValue ?? "stack"
        region = json["region"]?.stringValue ?? Self.defaultRegion
        accountID = json["accountId"]?.stringValue ?? Self.defaultAccountID
        iamMode =
            json["security"]?["iam"]?.stringValue.flatMap(IAMMode.init(rawValue:)) ?? .enforce
        let (stackName, region, account) = (name, region, accountID)
        userPool = json["security"]?["userPool"].map {
            UserPoolDefinition(json: $0, stack: stackName, region: region, account: account)
        }
        tokenIssuer = json["security"]?["jwt"].map { TokenIssuerDefinition(json: $0) }
        clockSkew = .seconds(json["security"]?["clockSkew"]?.intValue ?? 900)
        functions = (json["lambdas"]?.objectValue?.members ?? []).map {
            FunctionDefinition(key: $0.key, json: $0.value)
        }
        queues = (json["queues"]?.objectValue?.members ?? []).map {
            QueueDefinition(
                name: $0.key, settings: QueueSettings(json: $0.value),
                enforcesQuota: $0.value["enforceQuota"]?.boolValue ?? false)
        }
    }

    /// The same stack with another `security.iam`.
    package func with(iamMode: IAMMode) -> Stack {
        var stack = json.objectValue ?? JSONObject()
        var security = stack["security"]?.objectValue ?? JSONObject()
        security["iam"] = .string(iamMode.rawValue)
        stack["security"] = .object(security)
        return Stack(json: .object(stack))
    }

    /// A function by its key or its function name.
    package func function(_ name: String) -> FunctionDefinition? {
        functions.first { $0.key == name } ?? functions.first { $0.functionName == name }
    }

    package func functionARN(_ function: FunctionDefinition) -> String {
        "arn:aws:lambda:\(region):\(accountID):function:\(function.functionName)"
    }

    package var developerARN: String { userARN("developer") }
    package func userARN(_ name: String) -> String { "arn:aws:iam::\(accountID):user/\(name)" }

    /// Who a function is when it calls: a session of its role.
    package func roleARN(of function: FunctionDefinition) -> String {
        Self.roleARN(function.functionName, account: accountID)
    }

    static func roleARN(_ function: String, account: String) -> String {
        "arn:aws:sts::\(account):assumed-role/\(function)/\(function)"
    }

    package func queueARN(_ queue: String) -> String {
        "arn:aws:sqs:\(region):\(accountID):\(queue)"
    }
}

package struct QueueDefinition: Equatable, Sendable {
    package var name: String
    package var settings: QueueSettings
    /// FIFO: whether the endpoint refuses calls beyond AWS's rate.
    package var enforcesQuota = false
}

package struct FunctionDefinition: Equatable, Sendable {
    /// Its key in stack.json.
    package let key: String
    package let functionName: String
    package let runtime: String
    /// Empty for `provided`, unless it is named.
    package let handler: String
    /// The folder as stack.json names it.
    package let code: String
    package let timeoutSeconds: Int64
    /// MB.
    package let memorySize: Int64
    package let environment: [String: String]
    package let reservedConcurrency: Int64?
    /// Of an asynchronous event, after its first run.
    package let maximumRetryAttempts: Int
    package let maximumEventAgeSeconds: Int64
    /// The queue or function that is told of events that failed, by name.
    package let onFailure: String?
    package let onSuccess: String?
    /// IAM statements: what its role may do.
    package let policies: JSONValue
    package let triggers: [Trigger]
    /// Of the deployed code; `nil` in a stack file.
    package let codeSHA256: String?
    /// Texts that it gets to the byte: what Unicode takes for the same is another function.
    private let spelling: [JSONValue]

    init(key: String, json: JSONValue) {
        self.key = key
        functionName = json["functionName"]?.stringValue ?? key
        runtime = json["runtime"]?.stringValue ?? ""
        handler = json["handler"]?.stringValue ?? ""
        code = json["code"]?.stringValue ?? ""
        timeoutSeconds = json["timeout"]?.intValue ?? 3
        memorySize = json["memorySize"]?.intValue ?? 128
        environment = Dictionary(
            (json["environment"]?.objectValue?.members ?? []).map {
                ($0.key, $0.value.stringValue ?? "")
            }, uniquingKeysWith: { $1 })
        reservedConcurrency = json["reservedConcurrency"]?.intValue
        maximumRetryAttempts = Int(json["maximumRetryAttempts"]?.intValue ?? 2)
        maximumEventAgeSeconds = json["maximumEventAge"]?.intValue ?? 21_600
        onFailure = json["onFailure"]?.stringValue
        onSuccess = json["onSuccess"]?.stringValue
        policies = json["policies"] ?? []
        codeSHA256 = json["codeSha256"]?.stringValue
        spelling = [json["handler"] ?? "", json["environment"] ?? [:]]
        triggers = (json["triggers"]?.arrayValue ?? []).map(Trigger.init)
    }
}

/// An event source mapping: a queue whose messages invoke the function.
package struct Trigger: Equatable, Sendable {
    package let queue: String
    package let batchSize: Int
    package let batchWindowSeconds: Int64
    package let reportsBatchItemFailures: Bool
    package let maximumConcurrency: Int?
    package let filter: JSONValue?
    package let isEnabled: Bool

    init(_ json: JSONValue) {
        queue = json["queue"]?.stringValue ?? ""
        batchSize = Int(json["batchSize"]?.intValue ?? 10)
        batchWindowSeconds = json["batchWindow"]?.intValue ?? 0
        reportsBatchItemFailures = json["reportBatchItemFailures"]?.boolValue ?? false
        maximumConcurrency = json["maximumConcurrency"]?.intValue.map { Int($0) }
        filter = json["filter"]
        isEnabled = json["enabled"]?.boolValue ?? true
    }
}

/// The values that count where a stack file is silent.
private enum StackDefaults {
    private static let function: [(String, JSONValue)] = [
        ("timeout", 3), ("memorySize", 128), ("maximumRetryAttempts", 2),
        ("maximumEventAge", 21_600),
    ]
    private static let trigger: [(String, JSONValue)] = [
        ("batchSize", 10), ("batchWindow", 0), ("reportBatchItemFailures", false),
        ("enabled", true),
    ]
    private static let queue: [(String, JSONValue)] = [
        ("visibilityTimeout", 30), ("delay", 0), ("retention", 345_600), ("receiveWaitTime", 0),
        ("maximumMessageSize", 1_048_576), ("durability", "fsync"),
    ]
    private static func route(_ json: JSONObject) -> [(String, JSONValue)] {
        let isHTTP = json["api"]?["type"] == "http"
        return [("integration", isHTTP ? "proxy" : "lambda"), ("authorization", "none")]
    }
    private static let alarm: [(String, JSONValue)] = [("treatMissingData", "missing")]

    static func fill(_ json: JSONValue) -> JSONValue {
        var stack = json.objectValue ?? JSONObject()
        stack["$schema"] = nil
        func setDefault(_ key: String, _ value: JSONValue) {
            if stack[key] == nil { stack[key] = value }
        }
        setDefault("name", "stack")
        setDefault("region", .string(Stack.defaultRegion))
        setDefault("accountId", .string(Stack.defaultAccountID))
        var security = stack["security"]?.objectValue ?? JSONObject()
        fill(&security, [("iam", "enforce")])
        stack["security"] = .object(security)
        each("lambdas", in: &stack) { key, value in
            if value["functionName"] == nil { value["functionName"] = .string(key) }
            fill(&value, function)
            guard let triggers = value["triggers"]?.arrayValue else { return }
            value["triggers"] = .array(
                triggers.map { item in
                    var item = item.objectValue ?? JSONObject()
                    fill(&item, trigger)
                    return .object(item)
                })
        }
        each("queues", in: &stack) { key, value in
            if key.hasSuffix(".fifo") { value["fifo"] = true }
            fill(&value, queue)
        }
        let route = route(stack)
        each("routes", in: &stack) { _, value in fill(&value, route) }
        each("alarms", in: &stack) { _, value in fill(&value, alarm) }
        return .object(stack)
    }

    private static func fill(_ object: inout JSONObject, _ defaults: [(String, JSONValue)]) {
        for (key, value) in defaults where object[key] == nil { object[key] = value }
    }

    private static func each(
        _ section: String, in stack: inout JSONObject,
        _ change: (String, inout JSONObject) -> Void
    ) {
        guard let members = stack[section]?.objectValue?.members else { return }
        stack[section] = .object(
            JSONObject(
                members.map { key, value in
                    var value = value.objectValue ?? JSONObject()
                    change(key, &value)
                    return (key: key, value: .object(value))
                }))
    }
}
