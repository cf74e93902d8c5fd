import Crypto
import JSON
import QueueModel

/// Move tasks on the wire: a handle is Base64 of the task's id and its queue, as on AWS.
extension SQSEndpoint {
    func startMessageMoveTask(_ call: SQSCall) throws -> SQSReply {
        let source = try moveSource(call)
        let target = try call.input.destinationARN.map { arn in
            try queueName(arn: arn, "DestinationArn")
        }
        let rate = call.input.maxPerSecond
        try SQSInput.check(
            rate, of: "MaxNumberOfMessagesPerSecond", in: QueueLimits.moveRate,
            reason: "Must be >= 1 and <= 500, if provided.")
        guard try !queues.sources(of: source).isKnownEmpty else {
            throw SQSError.invalidParameter(
                "Source queue must be configured as a Dead Letter Queue.")
        }
        let task = try queues.startMoveTask(from: source, to: target, rate: rate)
        // It runs on when the call is answered.
        moveTasks.run(source)
        return .taskHandle(handle(task, source))
    }

    func listMessageMoveTasks(_ call: SQSCall) throws -> SQSReply {
        let source = try moveSource(call)
        let limit = call.input.maxResults
        try SQSInput.check(
            limit, of: "MaxResults", in: 1...Int64(QueueLimits.moveTasks),
            reason: "Must be >= 1 and <= 10, if provided.")
        let tasks = try queues.moveTasks(of: source).prefix(Int(limit ?? 1))
        return .moveTasks(
            tasks.map { listed in
                MoveTaskReply(
                    task: listed.task, handle: handle(listed.task, source),
                    sourceARN: arn(source), destinationARN: listed.task.target.map(arn))
            })
    }

    func cancelMessageMoveTask(_ call: SQSCall) throws -> SQSReply {
        let (source, id) = try Self.task(
            of: try SQSInput.required(call.input.taskHandle, "TaskHandle"))
        do {
            let name = try queueName(arn: source, "SourceArn")
            return .messagesMoved(try queues.cancelMoveTask(of: name, id: id).moved)
        } catch QueueError.noMoveTask {
            throw SQSError.resourceNotFound("Task does not exist.")
        }
    }

    /// The queue of the task that a call names, as an ARN; `nil` if it names none.
    static func taskSource(of input: borrowing SQSInput) -> String? {
        (try? task(of: input.taskHandle ?? ""))?.source
    }

    private static func task(of handle: String) throws(SQSError) -> (source: String, id: String) {
        guard let json = Base64.decode(handle).flatMap({ try? JSONValue.parse($0) }),
            let id = json["taskId"]?.stringValue, let arn = json["sourceArn"]?.stringValue
        else { throw .invalidParameter("Value for parameter TaskHandle is invalid.") }
        return (arn, id)
    }

    private func moveSource(_ call: SQSCall) throws -> String {
        try queueName(arn: try SQSInput.required(call.input.sourceARN, "SourceArn"), "SourceArn")
    }

    private func queueName(arn text: String, _ parameter: String) throws -> String {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[2] == "sqs" else {
            throw SQSError.invalidParameter(
                "You must use this format to specify the \(parameter): "
                    + "arn:<partition>:<service>:<region>:<account-id>:<resource-id>")
        }
        guard let name = queueName(arn: text), try queues.names().contains(name) else {
            throw SQSError.resourceNotFound(
                "The resource that you specified for the \(parameter) parameter doesn't exist.")
        }
        return name
    }

    private func handle(_ task: MoveTask, _ source: String) -> String {
        let json: JSONValue = ["taskId": .string(task.id), "sourceArn": .string(arn(source))]
        return Base64.encode(Array(json.serialized().utf8))
    }
}
