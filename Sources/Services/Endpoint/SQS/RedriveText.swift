import JSON
import QueueModel

/// `RedrivePolicy` and `RedriveAllowPolicy`: JSON in a text.
enum RedriveText {
    /// - Parameter isChecked: the dead-letter queue was looked at before.
    static func policy(
        _ text: String, of queue: String, _ endpoint: SQSEndpoint, isChecked: Bool
    ) throws -> QueueSettings.RedrivePolicy? {
        guard !text.isEmpty else { return nil }
        func refused(_ reason: String) -> SQSError {
            .invalidValue(text, of: "RedrivePolicy", reason: reason)
        }
        guard let json = try? JSONValue.parse(Array(text.utf8)), json.objectValue != nil else {
            throw refused("Redrive policy is not a valid JSON map.")
        }
        for name in ["deadLetterTargetArn", "maxReceiveCount"] where json[name] == nil {
            throw refused("Redrive policy does not contain mandatory attribute: \(name).")
        }
        guard let arn = json["deadLetterTargetArn"]?.stringValue,
            let target = endpoint.queueName(arn: arn)
        else { throw refused("Invalid value for deadLetterTargetArn.") }
        // Clients write it as a number, and as a text.
        let value = json["maxReceiveCount"]
        let count = value?.intValue ?? value?.stringValue.flatMap { Int64($0) }
        guard let count, QueueLimits.maxReceiveCount.contains(count) else {
            throw refused(
                "Invalid value for maxReceiveCount: "
                    + "\(value?.stringValue ?? value?.serialized() ?? ""), valid values are from "
                    + "1 to 1000 both inclusive.")
        }
        guard target.hasSuffix(".fifo") == queue.hasSuffix(".fifo") else {
            throw refused("Dead-letter queue must be same type of queue as the source.")
        }
        guard try isChecked || endpoint.queues.names().contains(target) else {
            throw refused("Dead letter target does not exist.")
        }
        return QueueSettings.RedrivePolicy(deadLetterQueue: target, maxReceiveCount: count)
    }

    static func allow(
        _ text: String, _ endpoint: SQSEndpoint
    ) throws(SQSError) -> QueueSettings.RedriveAllow {
        guard !text.isEmpty else { return .all }
        func refused(_ reason: String) -> SQSError {
            .invalidValue(text, of: "RedriveAllowPolicy", reason: reason)
        }
        guard let json = try? JSONValue.parse(Array(text.utf8)), json.objectValue != nil else {
            throw refused("Redrive allow policy is not a valid JSON map.")
        }
        let arns = json["sourceQueueArns"]?.arrayValue ?? []
        switch json["redrivePermission"]?.stringValue {
        case "allowAll" where arns.isEmpty: return .all
        case "denyAll" where arns.isEmpty: return .none
        case "byQueue":
            let names = arns.compactMap { $0.stringValue.flatMap { endpoint.queueName(arn: $0) } }
            guard names.count == arns.count, (1...QueueLimits.redriveSources).contains(names.count)
            else {
                throw refused("sourceQueueArns must name 1 to 10 queues by their ARNs.")
            }
            return .queues(names)
        case "allowAll", "denyAll":
            throw refused("sourceQueueArns is allowed only with redrivePermission byQueue.")
        default:
            throw refused("redrivePermission must be allowAll, denyAll or byQueue.")
        }
    }

    static func text(_ policy: QueueSettings.RedrivePolicy, _ arn: (String) -> String) -> String {
        let json: JSONValue = [
            "deadLetterTargetArn": .string(arn(policy.deadLetterQueue)),
            "maxReceiveCount": .int(policy.maxReceiveCount),
        ]
        return json.serialized()
    }

    /// - Parameter isTold: whether somebody set what is so by default.
    /// - Returns: `nil` where nobody did.
    static func text(
        _ allow: QueueSettings.RedriveAllow, isTold: Bool, _ arn: (String) -> String
    ) -> String? {
        switch allow {
        case .all:
            return isTold
                ? JSONValue.object(["redrivePermission": "allowAll"]).serialized() : nil
        case .none: return JSONValue.object(["redrivePermission": "denyAll"]).serialized()
        case .queues(let names):
            let json: JSONValue = [
                "redrivePermission": "byQueue",
                "sourceQueueArns": .array(names.map { .string(arn($0)) }),
            ]
            return json.serialized()
        }
    }
}

extension SQSEndpoint {
    /// The name in the ARN of a queue of this account and region, whether it exists or not.
    func queueName(arn text: String) -> String? {
        let prefix = arn("")
        guard text.hasPrefix(prefix) else { return nil }
        let name = String(text.dropFirst(prefix.count))
        let stem = name.hasSuffix(".fifo") ? String(name.dropLast(5)) : name
        return SQSInput.isPlainName(stem, upTo: QueueLimits.nameLength) ? name : nil
    }
}
