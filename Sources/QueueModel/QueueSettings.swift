import JSON

/// What a queue was told to be: SQS's attributes, and msorch's durability.
package struct QueueSettings: Equatable, Sendable {
    package enum Durability: String, Sendable {
        /// On the disk before the reply.
        case fsync
        /// Survives the process, not the power.
        case os
    }

    package struct RedrivePolicy: Equatable, Sendable {
        /// The dead-letter queue's name, in the same stack.
        package var deadLetterQueue: String
        /// 1 to 1000.
        package var maxReceiveCount: Int64

        package init(deadLetterQueue: String, maxReceiveCount: Int64) {
            self.deadLetterQueue = deadLetterQueue
            self.maxReceiveCount = maxReceiveCount
        }
    }

    /// Which queues may send their dead letters here (SQS's RedriveAllowPolicy).
    package enum RedriveAllow: Equatable, Sendable {
        case all
        case none
        /// Up to 10 names.
        case queues([String])

        package func allows(_ source: String) -> Bool {
            switch self {
            case .all: true
            case .none: false
            case .queues(let names): names.contains(source)
            }
        }
    }

    package var isFIFO = false
    package var visibilityTimeoutSeconds: Int64 = 30
    package var delaySeconds: Int64 = 0
    package var retentionSeconds: Int64 = 345_600
    package var receiveWaitTimeSeconds: Int64 = 0
    /// Bytes.
    package var maximumMessageSize: Int64 = 1_048_576
    package var redrivePolicy: RedrivePolicy?
    package var redriveAllow = RedriveAllow.all
    /// SQS's attributes that are kept and told, and change nothing here: `Policy`,
    /// `KmsMasterKeyId`, `KmsDataKeyReusePeriodSeconds`, `SqsManagedSseEnabled`.
    package var keptAttributes: [String: String] = [:]
    package var isContentBasedDeduplication = false
    /// Whether deduplication looks at each message group by itself.
    package var deduplicatesByGroup = false
    package var hasPerGroupThroughput = false
    package var durability = Durability.fsync
    /// Bodies of so many bytes and more are compressed in the journal; `nil` is none.
    package var compressionBytes: Int64?
    /// Segments that hold nothing to be read any more are kept up to so many bytes; `nil` is the
    /// journal's default, 64 MiB.
    package var historyBytes: Int64?
    package var tags: [ExactText: String] = [:]

    package init() {}

    /// Whether the journal would keep the same, to the byte.
    package static func == (lhs: Self, rhs: Self) -> Bool { lhs.json == rhs.json }

    /// How the journal keeps them: only what differs from the default.
    package var json: JSONValue {
        let plain = QueueSettings()
        var object = JSONObject()
        func keep<T: Equatable>(
            _ key: String, _ path: KeyPath<QueueSettings, T>, _ value: JSONValue
        ) {
            if self[keyPath: path] != plain[keyPath: path] { object[key] = value }
        }
        keep("fifo", \.isFIFO, .bool(isFIFO))
        keep("visibilityTimeout", \.visibilityTimeoutSeconds, .int(visibilityTimeoutSeconds))
        keep("delay", \.delaySeconds, .int(delaySeconds))
        keep("retention", \.retentionSeconds, .int(retentionSeconds))
        keep("receiveWaitTime", \.receiveWaitTimeSeconds, .int(receiveWaitTimeSeconds))
        keep("maximumMessageSize", \.maximumMessageSize, .int(maximumMessageSize))
        if let redrivePolicy {
            object["redrive"] = [
                "deadLetterQueue": .string(redrivePolicy.deadLetterQueue),
                "maxReceiveCount": .int(redrivePolicy.maxReceiveCount),
            ]
        }
        switch redriveAllow {
        case .all: break
        case .none: object["redriveAllow"] = .array([])
        case .queues(let names): object["redriveAllow"] = .array(names.map { .string($0) })
        }
        if !keptAttributes.isEmpty {
            let members = keptAttributes.sorted { $0.key < $1.key }
            object["keptAttributes"] = .object(
                JSONObject(members.map { ($0.key, .string($0.value)) }))
        }
        keep(
            "contentBasedDeduplication", \.isContentBasedDeduplication,
            .bool(isContentBasedDeduplication))
        keep("deduplicationScope", \.deduplicatesByGroup, "messageGroup")
        keep("throughputLimit", \.hasPerGroupThroughput, "perMessageGroupId")
        keep("durability", \.durability, .string(durability.rawValue))
        if let compressionBytes { object["compression"] = .int(compressionBytes) }
        if let historyBytes { object["history"] = .int(historyBytes) }
        keep(
            "tags", \.tags,
            .object(
                JSONObject(
                    tags.sorted { $0.key < $1.key }.map { ($0.key.text, .string($0.value)) })))
        return .object(object)
    }

    /// Reads what `json` wrote; what is missing is the default.
    package init(json: JSONValue) {
        isFIFO = json["fifo"]?.boolValue ?? isFIFO
        visibilityTimeoutSeconds =
            json["visibilityTimeout"]?.intValue ?? visibilityTimeoutSeconds
        delaySeconds = json["delay"]?.intValue ?? delaySeconds
        retentionSeconds = json["retention"]?.intValue ?? retentionSeconds
        receiveWaitTimeSeconds = json["receiveWaitTime"]?.intValue ?? receiveWaitTimeSeconds
        maximumMessageSize = json["maximumMessageSize"]?.intValue ?? maximumMessageSize
        if let redrive = json["redrive"], let queue = redrive["deadLetterQueue"]?.stringValue,
            let count = redrive["maxReceiveCount"]?.intValue
        {
            redrivePolicy = RedrivePolicy(deadLetterQueue: queue, maxReceiveCount: count)
        }
        if let names = json["redriveAllow"]?.arrayValue?.compactMap(\.stringValue) {
            redriveAllow = names.isEmpty ? .none : .queues(names)
        }
        for (name, value) in json["keptAttributes"]?.objectValue?.members ?? [] {
            keptAttributes[name] = value.stringValue
        }
        isContentBasedDeduplication = json["contentBasedDeduplication"]?.boolValue ?? false
        deduplicatesByGroup = json["deduplicationScope"]?.stringValue == "messageGroup"
        hasPerGroupThroughput = json["throughputLimit"]?.stringValue == "perMessageGroupId"
        durability = json["durability"]?.stringValue.flatMap(Durability.init) ?? durability
        compressionBytes = json["compression"]?.intValue
        historyBytes = json["history"]?.intValue
        tags = Dictionary(
            (json["tags"]?.objectValue?.members ?? []).map {
                (ExactText($0.key), $0.value.stringValue ?? "")
            },
            uniquingKeysWith: { $1 })
    }
}
