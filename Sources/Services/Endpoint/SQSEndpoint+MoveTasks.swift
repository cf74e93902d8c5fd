import Crypto
import JSON
import Posix
import QueueModel

/// Move tasks on the wire: a handle is Base64 of the task's id and its queue, as on AWS.
extension SQSEndpoint {
    func startMessageMoveTask(_ call: SQSRequest) throws -> JSONValue {
        let source = try moveSource(call)
        let target = try call.text("DestinationArn").map { arn in
            try queueName(arn: arn, "DestinationArn")
        }
        let rate = try call.integer(
            "MaxNumberOfMessagesPerSecond", in: QueueLimits.moveRate,
            reason: "Must be >= 1 and <= 500, if provided.")
        guard try !queues.sources(of: source).isEmpty else {
            throw SQSError.invalidParameter(
                "Source queue must be configured as a Dead Letter Queue.")
        }
        let task = try queues.startMoveTask(from: source, to: target, rate: rate)
        // It runs on when the call is answered. Should this process end first, whoever runs the
        // queue's tasks next goes on with it.
        let queues = queues
        _ = try Thread(name: "move") {
            _ = try? queues.runMoveTask(
                of: source, isCancelled: { Signals.termination != nil }, progress: { _ in })
        }
        return ["TaskHandle": .string(handle(task, source))]
    }

    func listMessageMoveTasks(_ call: SQSRequest) throws -> JSONValue {
        let source = try moveSource(call)
        let limit = try call.integer(
            "MaxResults", in: 1...Int64(QueueLimits.moveTasks),
            reason: "Must be >= 1 and <= 10, if provided.")
        let tasks = try queues.moveTasks(of: source).prefix(Int(limit ?? 1))
        return ["Results": .array(tasks.map { .object(entry($0.task, source)) })]
    }

    func cancelMessageMoveTask(_ call: SQSRequest) throws -> JSONValue {
        let text = try call.required("TaskHandle")
        guard let json = Base64.decode(text).flatMap({ try? JSONValue.parse($0) }),
            let id = json["taskId"]?.stringValue, let arn = json["sourceArn"]?.stringValue
        else {
            throw SQSError.invalidValue(text, of: "TaskHandle", reason: "It is not a task handle.")
        }
        let source = try queueName(arn: arn, "SourceArn")
        do {
            let task = try queues.cancelMoveTask(of: source, id: id)
            return ["ApproximateNumberOfMessagesMoved": .int(Int64(clamping: task.moved))]
        } catch QueueError.noMoveTask {
            throw SQSError.resourceNotFound("Task does not exist.")
        }
    }

    private func moveSource(_ call: SQSRequest) throws -> String {
        try queueName(arn: try call.required("SourceArn"), "SourceArn")
    }

    private func queueName(arn text: String, _ parameter: String) throws -> String {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[2] == "sqs" else {
            throw SQSError.invalidParameter(
                "You must use this format to specify the \(parameter): "
                    + "arn:<partition>:<service>:<region>:<account-id>:<resource-id>")
        }
        let name = String(parts[5])
        guard text == arn(name), try queues.names().contains(name) else {
            throw SQSError.resourceNotFound(
                "The resource that you specified for the \(parameter) parameter doesn't exist.")
        }
        return name
    }

    private func handle(_ task: MoveTask, _ source: String) -> String {
        let json: JSONValue = ["taskId": .string(task.id), "sourceArn": .string(arn(source))]
        return Base64.encode(Array(json.serialized().utf8))
    }

    private func entry(_ task: MoveTask, _ source: String) -> JSONObject {
        var json: JSONObject = [
            "Status": .string(task.status.rawValue), "SourceArn": .string(arn(source)),
            "ApproximateNumberOfMessagesMoved": .int(Int64(clamping: task.moved)),
            "ApproximateNumberOfMessagesToMove": .int(Int64(clamping: task.toMove)),
            "StartedTimestamp": .int(task.started.milliseconds),
        ]
        // Only what runs can be cancelled.
        if task.status == .running { json["TaskHandle"] = .string(handle(task, source)) }
        if let target = task.target { json["DestinationArn"] = .string(arn(target)) }
        if let rate = task.rate { json["MaxNumberOfMessagesPerSecond"] = .int(rate) }
        if let failure = task.failure { json["FailureReason"] = .string(failure) }
        return json
    }
}

extension SQSError {
    static func resourceNotFound(_ message: String) -> SQSError {
        SQSError(
            shape: "ResourceNotFoundException", queryCode: "ResourceNotFoundException",
            status: 404, message: message)
    }
}
