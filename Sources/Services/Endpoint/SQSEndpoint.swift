import Crypto
import HTTP
import JSON
import Journal
import Posix
import QueueModel
import Synchronization

/// SQS's JSON 1.0 protocol on the stack's queues (botocore `sqs/2012-11-05`).
package final class SQSEndpoint: Sendable {
    static let senderID = "AIDAMSORCHDEVELOPER00"
    private static let target = "AmazonSQS."
    private static let contentType = "application/x-amz-json-1.0"

    let queues: QueueDirectory
    let region: String
    let accountID: String
    private let authorizer: Authorizer?

    /// - Parameter authorizer: `nil` takes everybody for the developer.
    package init(
        queues: QueueDirectory, region: String, accountID: String, authorizer: Authorizer? = nil
    ) {
        self.authorizer = authorizer
        self.queues = queues
        self.region = region
        self.accountID = accountID
    }

    /// What a call is answered with; may wait as long as a long poll does.
    package func respond(
        to request: HTTPRequest, isCancelled: @escaping () -> Bool = { false }
    ) -> HTTPResponse {
        let id = RandomBytes.uuid()
        do {
            let result = try perform(request, isCancelled)
            return response(200, result, id)
        } catch {
            return refusal(error, id)
        }
    }

    private func refusal(_ error: any Error, _ id: String) -> HTTPResponse {
        switch error {
        case let error as SQSError:
            var response = response(
                error.status,
                [
                    "__type": .string("\(error.namespace)#\(error.shape)"),
                    "message": .string(error.message),
                ], id)
            response.headers["x-amzn-query-error"] = "\(error.queryCode);Sender"
            return response
        case JournalError.removed: return refusal(SQSError.queueDoesNotExist, id)
        default:
            return response(
                500,
                [
                    "__type": "com.amazonaws.sqs#InternalFailure",
                    "message": .string("\(error)"),
                ], id)
        }
    }

    private func response(_ status: Int, _ json: JSONValue, _ id: String) -> HTTPResponse {
        let headers: HTTPHeaders = ["x-amzn-RequestId": id, "Content-Type": Self.contentType]
        return HTTPResponse(status, headers: headers, body: Array(json.serialized().utf8))
    }

    private func perform(_ request: HTTPRequest, _ isCancelled: () -> Bool) throws -> JSONValue {
        let target = request.headers["X-Amz-Target"] ?? ""
        guard request.method == "POST", target.hasPrefix(Self.target) else {
            throw SQSError.unknownOperation
        }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue.parse(request.body)
        } catch {
            throw SQSError.malformed
        }
        guard json.objectValue != nil else { throw SQSError.malformed }
        let call = SQSRequest(
            json: json, hasLoneSurrogate: JSONText.hasLoneSurrogate(request.body))
        let host = request.headers["Host"] ?? "localhost"
        let operation = target.dropFirst(Self.target.count)
        try authorizer?.authorize(request, Self.action(operation), on: resource(call))
        switch operation {
        case "SendMessage": return try sendMessage(call)
        case "SendMessageBatch": return try sendMessageBatch(call)
        case "ReceiveMessage": return try receiveMessage(call, isCancelled)
        case "DeleteMessage": return try deleteMessage(call)
        case "DeleteMessageBatch": return try deleteMessageBatch(call)
        case "ChangeMessageVisibility": return try changeMessageVisibility(call)
        case "ChangeMessageVisibilityBatch": return try changeMessageVisibilityBatch(call)
        case "GetQueueUrl": return try getQueueURL(call, host)
        case "GetQueueAttributes": return try getQueueAttributes(call)
        case "ListQueues": return try listQueues(call, host)
        case "StartMessageMoveTask": return try startMessageMoveTask(call)
        case "ListMessageMoveTasks": return try listMessageMoveTasks(call)
        case "CancelMessageMoveTask": return try cancelMessageMoveTask(call)
        case "PurgeQueue":
            try queue(call).purge()
            return [:]
        default: throw SQSError.unknownOperation
        }
    }

    /// A batch needs the permission of the single operation (SQS guide, *API permissions*).
    private static func action(_ operation: Substring) -> String {
        "sqs:\(operation.hasSuffix("Batch") ? operation.dropLast("Batch".count) : operation)"
    }

    /// The ARN of the queue that a call is about; of all queues if it names none.
    private func resource(_ call: SQSRequest) -> String {
        let name = call.json["QueueUrl"]?.stringValue?.split(separator: "/").last.map(String.init)
        if let source = call.json["SourceArn"]?.stringValue { return source }
        return arn(name ?? call.json["QueueName"]?.stringValue ?? "*")
    }

    /// The queue that a QueueUrl names: its host does not matter, account and name do.
    func queue(_ call: SQSRequest) throws -> Queue {
        let url = try call.required("QueueUrl")
        let words = url.split(separator: "/")
        guard words.count >= 2, words[words.count - 2] == accountID else {
            throw SQSError.queueDoesNotExist
        }
        return try queue(named: String(words[words.count - 1]))
    }

    func queue(named name: String) throws -> Queue {
        do {
            return try queues.queue(name)
        } catch QueueError.noSuchQueue {
            throw SQSError.queueDoesNotExist
        }
    }

    func url(_ queue: String, _ host: String) -> String { "http://\(host)/\(accountID)/\(queue)" }
    func arn(_ queue: String) -> String { "arn:aws:sqs:\(region):\(accountID):\(queue)" }
}

extension SQSError {
    static let unknownOperation = SQSError(
        shape: "UnknownOperationException", queryCode: "InvalidAction",
        message: "The action or operation requested is invalid.")
    static let malformed = SQSError(
        shape: "SerializationException", queryCode: "MalformedInput",
        message: "The request is not a JSON object.")

    /// Errors of the protocol itself come from a namespace of their own.
    var namespace: String {
        ["UnknownOperationException", "SerializationException"].contains(shape)
            ? "com.amazon.coral.service" : "com.amazonaws.sqs"
    }
}
