import Crypto
import JSON
import QueueModel

/// What an operation answers, whatever protocol it was asked by.
enum SQSReply: Sendable {
    typealias Pair = (name: String, value: String)

    case nothing
    case queueURL(String)
    case queueURLs([String], next: String?)
    case deadLetterSources([String], next: String?)
    case attributes([Pair])
    case tags([Pair])
    case sent(SentReply)
    case batch(BatchReply)
    case messages([ReceivedReply])
    case taskHandle(String)
    case moveTasks([MoveTaskReply])
    case messagesMoved(UInt64)

    func write(to writer: inout SQSWriter) {
        switch self {
        case .nothing: break
        case .queueURL(let url): writer.text("QueueUrl", url)
        case .queueURLs(let urls, let next):
            if !urls.isEmpty { writer.texts("QueueUrls", element: "QueueUrl", urls) }
            writer.text("NextToken", next)
        case .deadLetterSources(let urls, let next):
            writer.texts("queueUrls", element: "QueueUrl", urls)
            writer.text("NextToken", next)
        case .attributes(let pairs):
            if !pairs.isEmpty { writer.texts("Attributes", element: "Attribute", pairs: pairs) }
        case .tags(let pairs):
            if !pairs.isEmpty { writer.texts("Tags", element: "Tag", key: "Key", pairs: pairs) }
        case .sent(let reply): reply.write(to: &writer)
        case .batch(let reply): reply.write(to: &writer)
        case .messages(let messages):
            guard !messages.isEmpty else { return }
            writer.structures("Messages", element: "Message", messages) { $0.write(to: &$1) }
        case .taskHandle(let handle): writer.text("TaskHandle", handle)
        case .moveTasks(let tasks):
            writer.structures("Results", element: "ListMessageMoveTasksResultEntry", tasks) {
                $0.write(to: &$1)
            }
        case .messagesMoved(let count):
            writer.integer("ApproximateNumberOfMessagesMoved", Int64(clamping: count))
        }
    }
}

struct SentReply: Sendable {
    var messageID: MessageID
    var bodyMD5: (high: UInt64, low: UInt64)
    var attributesMD5: String?
    var systemAttributesMD5: String?
    var sequenceNumber: String?

    func write(to writer: inout SQSWriter) {
        if let (high, low) = messageID.uuid {
            writer.plainText("MessageId", upTo: 36) { $0.appendUUID(high, low) }
        } else {
            writer.text("MessageId", messageID.text)
        }
        writer.digest("MD5OfMessageBody", bodyMD5)
        writer.text("MD5OfMessageAttributes", attributesMD5)
        writer.text("MD5OfMessageSystemAttributes", systemAttributesMD5)
        writer.text("SequenceNumber", sequenceNumber)
    }
}

/// A batch's answer: what went well and what did not, in the order of the request.
struct BatchReply: Sendable {
    /// The element of the XML that tells of one success.
    let element: StaticString
    var entries: [(id: String, outcome: Outcome<SentReply?>)] = []

    init(_ operation: SQSOperation) {
        element =
            switch operation {
            case .sendMessageBatch: "SendMessageBatchResultEntry"
            case .deleteMessageBatch: "DeleteMessageBatchResultEntry"
            default: "ChangeMessageVisibilityBatchResultEntry"
            }
    }

    func write(to writer: inout SQSWriter) {
        let successes = entries.compactMap { entry -> (id: String, sent: SentReply?)? in
            if case .success(let sent) = entry.outcome { (entry.id, sent) } else { nil }
        }
        writer.structures("Successful", element: element, successes) { success, writer in
            writer.text("Id", success.id)
            success.sent?.write(to: &writer)
        }
        let failures = entries.compactMap { entry -> (id: String, error: SQSError)? in
            if case .failure(let error) = entry.outcome { (entry.id, error) } else { nil }
        }
        writer.structures("Failed", element: "BatchResultErrorEntry", failures) { failure, writer in
            writer.text("Id", failure.id)
            writer.flag("SenderFault", true)
            writer.text("Code", failure.error.queryCode)
            writer.text("Message", failure.error.message)
        }
    }
}

struct ReceivedReply: Sendable {
    var delivery: Queue.Delivery
    /// The system attributes that were asked for.
    var system: [SQSReply.Pair]
    /// The sender's attributes that were asked for.
    var own: MessageAttributes?

    func write(to writer: inout SQSWriter) {
        writer.text("MessageId", delivery.received.entry.messageID)
        writer.text("ReceiptHandle", delivery.receiptHandle)
        writer.digest("MD5OfBody", Digest.md5Bits(delivery.body))
        writer.escapedText("Body", delivery.message.escapedBody)
        if !system.isEmpty { writer.texts("Attributes", element: "Attribute", pairs: system) }
        guard let own, !own.attributes.isEmpty else { return }
        writer.text("MD5OfMessageAttributes", own.md5)
        let pairs = own.attributes.map { (name: $0.name, value: $0) }
        writer.map("MessageAttributes", element: "MessageAttribute", pairs) { attribute, writer in
            writer.structure { writer in
                if attribute.isBinary {
                    writer.text("BinaryValue", Base64.encode(attribute.value))
                } else {
                    let text = String(decoding: attribute.value, as: UTF8.self)
                    writer.text("StringValue", text)
                }
                writer.text("DataType", attribute.type)
            }
        }
    }
}

struct MoveTaskReply: Sendable {
    var task: MoveTask
    var handle: String
    var sourceARN: String
    var destinationARN: String?

    func write(to writer: inout SQSWriter) {
        // Only what runs can be cancelled.
        if task.status == .running { writer.text("TaskHandle", handle) }
        writer.text("Status", task.status.rawValue)
        writer.text("SourceArn", sourceARN)
        writer.text("DestinationArn", destinationARN)
        if let rate = task.rate { writer.integer("MaxNumberOfMessagesPerSecond", rate) }
        writer.integer("ApproximateNumberOfMessagesMoved", Int64(clamping: task.moved))
        writer.integer("ApproximateNumberOfMessagesToMove", Int64(clamping: task.toMove))
        writer.text("FailureReason", task.failure)
        writer.integer("StartedTimestamp", task.started.milliseconds)
    }
}
