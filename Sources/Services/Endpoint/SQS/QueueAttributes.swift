import Access
import JSON
import QueueModel

/// Queue attributes as SQS's texts (SetQueueAttributes, API Reference), to and from settings.
struct QueueAttributes: Sendable {
    private static let counted: Set<String> = [
        "QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed", "CreatedTimestamp", "LastModifiedTimestamp",
    ]
    /// In the order in which they are told.
    static let settable = [
        "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "DelaySeconds",
        "ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled", "FifoQueue",
        "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
        "RedrivePolicy", "RedriveAllowPolicy", "Policy", "KmsMasterKeyId",
        "KmsDataKeyReusePeriodSeconds",
    ]
    /// AWS does not know them of a standard queue. What it says of FIFO's other two is not known.
    private static let knownToFIFO: Set<String> = ["FifoQueue", "ContentBasedDeduplication"]
    private static let kmsReuseSeconds: ClosedRange<Int64> = 60...86_400

    static func isKnown(_ name: String, isFIFO: Bool) -> Bool {
        if knownToFIFO.contains(name) { return isFIFO }
        return counted.contains(name) || settable.contains(name)
    }

    private let attributes: [SQSInput.Pair]
    private let endpoint: SQSEndpoint

    init(_ attributes: [SQSInput.Pair], endpoint: SQSEndpoint) {
        self.attributes = attributes
        self.endpoint = endpoint
    }

    /// - Parameter isChecked: they were applied before: no other queue is looked at.
    func apply(
        to settings: inout QueueSettings, of queue: String, isChecked: Bool = false
    ) throws {
        let given = Dictionary(attributes.map { ($0.name, $0.value) }) { $1 }
        if given["SqsManagedSseEnabled"]?.lowercased() == "true",
            given["KmsMasterKeyId"]?.isEmpty == false
        {
            throw SQSError(
                shape: "InvalidAttributeName", queryCode: "InvalidAttributeName",
                message: "You can use one type of server-side encryption (SSE) at one time. You "
                    + "can either enable KMS SSE or SQS SSE.")
        }
        for (name, value) in attributes {
            if name == "RedrivePolicy" {
                settings.redrivePolicy = try RedriveText.policy(
                    value, of: queue, endpoint, isChecked: isChecked)
            } else if name == "RedriveAllowPolicy" {
                settings.redriveAllow = try RedriveText.allow(value, endpoint)
                let isTold = !value.isEmpty && settings.redriveAllow == .all
                settings.keptAttributes[name] = isTold ? "allowAll" : nil
            } else {
                try Self.set(name, value, &settings)
            }
        }
        guard !settings.hasPerGroupThroughput || settings.deduplicatesByGroup else {
            throw SQSError.invalidAttributeValue(
                "FifoThroughputLimit",
                reason: "The value perMessageGroupId is allowed only when the value for "
                    + "DeduplicationScope is messageGroup.")
        }
    }

    private static func set(
        _ name: String, _ value: String, _ settings: inout QueueSettings
    ) throws(SQSError) {
        func number(_ range: ClosedRange<Int64>) throws(SQSError) -> Int64 {
            guard let number = Int64(value), range.contains(number) else {
                throw .invalidAttributeValue(name)
            }
            return number
        }
        func choice<T>(_ choices: [String: T]) throws(SQSError) -> T {
            guard let choice = choices[value] else { throw .invalidAttributeValue(name) }
            return choice
        }
        // As other languages write it: True.
        func flag() throws(SQSError) -> Bool {
            guard let flag = Bool(value.lowercased()) else { throw .invalidAttributeValue(name) }
            return flag
        }
        let size = QueueLimits.maximumMessageSize
        switch name {
        case "VisibilityTimeout":
            settings.visibilityTimeoutSeconds = try number(QueueLimits.visibilitySeconds)
        case "MaximumMessageSize":
            settings.maximumMessageSize = try number(
                Int64(size.lowerBound)...Int64(size.upperBound))
        case "MessageRetentionPeriod":
            settings.retentionSeconds = try number(QueueLimits.retentionSeconds)
        case "DelaySeconds": settings.delaySeconds = try number(QueueLimits.delaySeconds)
        case "ReceiveMessageWaitTimeSeconds":
            settings.receiveWaitTimeSeconds = try number(QueueLimits.waitSeconds)
        case "KmsDataKeyReusePeriodSeconds":
            settings.keptAttributes[name] = String(try number(kmsReuseSeconds))
        case "KmsMasterKeyId":
            let old = settings.keptAttributes.updateValue(value, forKey: name)
            if value.isEmpty { settings.keptAttributes[name] = nil }
            // Who takes KMS off again has no encryption until the other kind is asked for.
            if old != nil || !value.isEmpty {
                settings.keptAttributes["SqsManagedSseEnabled"] = "false"
            }
        case "SqsManagedSseEnabled":
            let isOn = try flag()
            settings.keptAttributes[name] = isOn ? nil : "false"
            if isOn { settings.keptAttributes["KmsMasterKeyId"] = nil }
        case "Policy":
            settings.keptAttributes[name] = value.isEmpty ? nil : value
            guard value.isEmpty || (try? Policy(ofResource: value)) != nil else {
                throw .invalidAttributeValue(name)
            }
        case "FifoQueue" where settings.isFIFO:
            guard try flag() else {
                throw .invalidAttributeValue(
                    name, reason: "Modifying queue type is not supported.")
            }
        case "ContentBasedDeduplication" where settings.isFIFO:
            settings.isContentBasedDeduplication = try flag()
        case "DeduplicationScope" where settings.isFIFO:
            settings.deduplicatesByGroup = try choice(["messageGroup": true, "queue": false])
        case "FifoThroughputLimit" where settings.isFIFO:
            settings.hasPerGroupThroughput = try choice([
                "perMessageGroupId": true, "perQueue": false,
            ])
        case "DeduplicationScope", "FifoThroughputLimit":
            throw SQSError(
                shape: "InvalidAttributeName", queryCode: "InvalidAttributeName",
                message: "You can specify the \(name) only when FifoQueue is set to true.")
        default: throw .unknownAttribute(name)
        }
    }

    /// An attribute's text; `nil` where the queue has none.
    static func value(
        _ name: String, _ settings: QueueSettings, arn: (String) -> String
    ) -> String? {
        func onFIFO(_ value: String) -> String? { settings.isFIFO ? value : nil }
        let kept = settings.keptAttributes
        return switch name {
        case "VisibilityTimeout": String(settings.visibilityTimeoutSeconds)
        case "MaximumMessageSize": String(settings.maximumMessageSize)
        case "MessageRetentionPeriod": String(settings.retentionSeconds)
        case "DelaySeconds": String(settings.delaySeconds)
        case "ReceiveMessageWaitTimeSeconds": String(settings.receiveWaitTimeSeconds)
        // SSE-SQS is on by default, and off where KMS has taken over.
        case "SqsManagedSseEnabled":
            kept[name] ?? (kept["KmsMasterKeyId"] == nil ? "true" : "false")
        case "FifoQueue": onFIFO("true")
        case "ContentBasedDeduplication": onFIFO(String(settings.isContentBasedDeduplication))
        case "DeduplicationScope":
            onFIFO(settings.deduplicatesByGroup ? "messageGroup" : "queue")
        case "FifoThroughputLimit":
            onFIFO(settings.hasPerGroupThroughput ? "perMessageGroupId" : "perQueue")
        case "RedrivePolicy": settings.redrivePolicy.map { RedriveText.text($0, arn) }
        case "RedriveAllowPolicy":
            RedriveText.text(settings.redriveAllow, isTold: kept[name] != nil, arn)
        case "KmsDataKeyReusePeriodSeconds": kept["KmsMasterKeyId"] == nil ? nil : kept[name]
        default: kept[name]
        }
    }

    /// Whether an attribute has another value in one than in the other.
    static func differ(_ name: String, _ one: QueueSettings, _ other: QueueSettings) -> Bool {
        func exact(_ settings: QueueSettings) -> ExactText? {
            value(name, settings) { $0 }.map { ExactText($0) }
        }
        return exact(one) != exact(other)
    }
}

extension SQSError {
    static func invalidAttributeValue(_ name: String, reason: String? = nil) -> SQSError {
        SQSError(
            shape: "InvalidAttributeValue", queryCode: "InvalidAttributeValue",
            message: "Invalid value for the parameter \(name)."
                + (reason.map { " Reason: \($0)" } ?? ""))
    }
}
