import JSON
import QueueModel

extension SQSEndpoint {
    /// ListQueues answers at most so many names at once.
    private static let pageLimit = 1000

    func getQueueURL(_ call: SQSRequest, _ host: String) throws -> JSONValue {
        let name = try call.required("QueueName")
        let owner = try call.text("QueueOwnerAWSAccountId")
        guard owner == nil || owner == accountID else { throw SQSError.queueDoesNotExist }
        return ["QueueUrl": .string(url(try queue(named: name).name, host))]
    }

    func listQueues(_ call: SQSRequest, _ host: String) throws -> JSONValue {
        let prefix = try call.text("QueueNamePrefix") ?? ""
        let limit = try call.integer(
            "MaxResults", in: 1...Int64(Self.pageLimit),
            reason: "Must be between 1 and 1000, if provided.")
        let after = try call.text("NextToken") ?? ""
        let names = try queues.names().filter { $0.hasPrefix(prefix) && $0 > after }
        let page = names.prefix(Int(limit ?? Int64(Self.pageLimit)))
        guard let last = page.last else { return [:] }
        var json: JSONObject = ["QueueUrls": .array(page.map { .string(url($0, host)) })]
        // AWS pages only where MaxResults asks for it.
        if limit != nil, page.count < names.count { json["NextToken"] = .string(last) }
        return .object(json)
    }

    func getQueueAttributes(_ call: SQSRequest) throws -> JSONValue {
        let queue = try queue(call)
        let names = try call.names("AttributeNames")
        let attributes = attributes(of: queue.name, try queue.statistics())
        if let unknown = names.first(where: { $0 != "All" && !Self.known.contains($0) }) {
            throw SQSError.unknownAttribute(unknown)
        }
        let isAll = names.contains("All")
        let chosen = attributes.members.filter { isAll || names.contains($0.key) }
        return chosen.isEmpty ? [:] : ["Attributes": .object(JSONObject(chosen))]
    }

    private static let known: Set<String> = [
        "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed", "CreatedTimestamp", "LastModifiedTimestamp",
        "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "DelaySeconds",
        "ReceiveMessageWaitTimeSeconds", "QueueArn", "SqsManagedSseEnabled", "FifoQueue",
        "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
        "RedrivePolicy", "RedriveAllowPolicy", "Policy", "KmsMasterKeyId",
        "KmsDataKeyReusePeriodSeconds",
    ]

    /// Every attribute is a string.
    private func attributes(of name: String, _ statistics: Queue.Statistics) -> JSONObject {
        let settings = statistics.settings
        let created = statistics.created?.seconds ?? 0
        let values: [(String, String?)] = [
            ("ApproximateNumberOfMessages", String(statistics.counts.visible)),
            ("ApproximateNumberOfMessagesNotVisible", String(statistics.counts.inFlight)),
            ("ApproximateNumberOfMessagesDelayed", String(statistics.counts.delayed)),
            ("CreatedTimestamp", String(created)),
            ("LastModifiedTimestamp", String(statistics.modified?.seconds ?? created)),
            ("VisibilityTimeout", String(settings.visibilityTimeoutSeconds)),
            ("MaximumMessageSize", String(settings.maximumMessageSize)),
            ("MessageRetentionPeriod", String(settings.retentionSeconds)),
            ("DelaySeconds", String(settings.delaySeconds)),
            ("ReceiveMessageWaitTimeSeconds", String(settings.receiveWaitTimeSeconds)),
            ("QueueArn", arn(name)), ("SqsManagedSseEnabled", settings.sseEnabled),
            ("FifoQueue", settings.isFIFO ? "true" : nil),
            (
                "ContentBasedDeduplication",
                settings.isFIFO ? String(settings.isContentBasedDeduplication) : nil
            ),
            (
                "DeduplicationScope",
                settings.isFIFO ? (settings.deduplicatesByGroup ? "messageGroup" : "queue") : nil
            ),
            (
                "FifoThroughputLimit",
                settings.isFIFO
                    ? (settings.hasPerGroupThroughput ? "perMessageGroupId" : "perQueue") : nil
            ),
            ("RedrivePolicy", settings.redrivePolicy.map(redrivePolicy)),
            ("RedriveAllowPolicy", redriveAllowPolicy(settings.redriveAllow)),
            ("Policy", settings.keptAttributes["Policy"]),
            ("KmsMasterKeyId", settings.keptAttributes["KmsMasterKeyId"]),
            (
                "KmsDataKeyReusePeriodSeconds",
                settings.keptAttributes["KmsDataKeyReusePeriodSeconds"]
            ),
        ]
        return JSONObject(
            values.compactMap { name, value in value.map { (key: name, value: .string($0)) } })
    }

    private func redriveAllowPolicy(_ allow: QueueSettings.RedriveAllow) -> String? {
        switch allow {
        case .all: return nil
        case .none: return JSONValue.object(["redrivePermission": "denyAll"]).serialized()
        case .queues(let names):
            let json: JSONValue = [
                "redrivePermission": "byQueue",
                "sourceQueueArns": .array(names.map { .string(arn($0)) }),
            ]
            return json.serialized()
        }
    }

    private func redrivePolicy(_ policy: QueueSettings.RedrivePolicy) -> String {
        let json: JSONValue = [
            "deadLetterTargetArn": .string(arn(policy.deadLetterQueue)),
            "maxReceiveCount": .int(policy.maxReceiveCount),
        ]
        return json.serialized()
    }
}

extension QueueSettings {
    /// SSE-SQS is on by default, and off where KMS has taken over.
    fileprivate var sseEnabled: String {
        keptAttributes["SqsManagedSseEnabled"]
            ?? (keptAttributes["KmsMasterKeyId"] == nil ? "true" : "false")
    }
}
