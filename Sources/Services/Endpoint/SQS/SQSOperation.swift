/// SQS's operations (botocore `sqs/2012-11-05`).
enum SQSOperation: String, CaseIterable, Sendable {
    case addPermission = "AddPermission"
    case cancelMessageMoveTask = "CancelMessageMoveTask"
    case changeMessageVisibility = "ChangeMessageVisibility"
    case changeMessageVisibilityBatch = "ChangeMessageVisibilityBatch"
    case createQueue = "CreateQueue"
    case deleteMessage = "DeleteMessage"
    case deleteMessageBatch = "DeleteMessageBatch"
    case deleteQueue = "DeleteQueue"
    case getQueueAttributes = "GetQueueAttributes"
    case getQueueURL = "GetQueueUrl"
    case listDeadLetterSourceQueues = "ListDeadLetterSourceQueues"
    case listMessageMoveTasks = "ListMessageMoveTasks"
    case listQueueTags = "ListQueueTags"
    case listQueues = "ListQueues"
    case purgeQueue = "PurgeQueue"
    case receiveMessage = "ReceiveMessage"
    case removePermission = "RemovePermission"
    case sendMessage = "SendMessage"
    case sendMessageBatch = "SendMessageBatch"
    case setQueueAttributes = "SetQueueAttributes"
    case startMessageMoveTask = "StartMessageMoveTask"
    case tagQueue = "TagQueue"
    case untagQueue = "UntagQueue"

    /// What policies call it. A batch needs the permission of the single operation (SQS guide,
    /// *API permissions*).
    var action: String {
        switch self {
        case .sendMessageBatch: "sqs:SendMessage"
        case .deleteMessageBatch: "sqs:DeleteMessage"
        case .changeMessageVisibilityBatch: "sqs:ChangeMessageVisibility"
        default: "sqs:\(rawValue)"
        }
    }

    /// Whether it works on the messages of one queue: such calls complete without a thread of
    /// their own.
    var isAboutMessages: Bool {
        switch self {
        case .sendMessage, .sendMessageBatch, .receiveMessage, .deleteMessage,
            .deleteMessageBatch, .changeMessageVisibility, .changeMessageVisibilityBatch:
            true
        default: false
        }
    }

    /// Whether `QueueUrl` names the queue that it is about.
    var hasQueueURL: Bool {
        switch self {
        case .createQueue, .getQueueURL, .listQueues, .startMessageMoveTask,
            .listMessageMoveTasks, .cancelMessageMoveTask:
            false
        default: true
        }
    }

    /// Whether a queue's own address takes it (the Query protocol's paths); GetQueueUrl is taken
    /// there as well, and any name may be asked for.
    var isValidOnQueuePath: Bool { hasQueueURL || self == .getQueueURL }

    /// The entries' shape, as an empty batch is told.
    var entryShape: String { "\(rawValue)RequestEntry" }
}
