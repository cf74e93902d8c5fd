import Crypto
import JSON
import QueueModel

extension SQSEndpoint {
    func receiveMessage(_ call: SQSRequest, _ isCancelled: () -> Bool) throws -> JSONValue {
        let queue = try queue(call)
        let limit = try call.integer(
            "MaxNumberOfMessages", in: QueueLimits.receivedMessages,
            reason: "Must be between 1 and 10, if provided.")
        let timeout = try call.integer(
            "VisibilityTimeout", in: QueueLimits.visibilitySeconds,
            reason: "Must be >= 0 and <= 43200, if provided.")
        let wait = try call.integer(
            "WaitTimeSeconds", in: QueueLimits.waitSeconds,
            reason: "Must be >= 0 and <= 20, if provided.")
        let systemNames =
            try call.names("MessageSystemAttributeNames") + call.names("AttributeNames")
        let names = try call.names("MessageAttributeNames")
        let attempt = try call.text("ReceiveRequestAttemptId")
        if let attempt {
            try QueueState.check(identifier: attempt, "ReceiveRequestAttemptId")
        }
        let deliveries = try queue.receive(
            upTo: Int(limit ?? 1), timeoutSeconds: timeout, wait: wait.map { .seconds($0) },
            attempt: attempt, movingTo: queues, isCancelled: isCancelled)
        guard !deliveries.isEmpty else { return [:] }
        return [
            "Messages": .array(
                try deliveries.map { try message($0, systemNames: systemNames, names: names) })
        ]
    }

    private func message(
        _ delivery: Queue.Delivery, systemNames: [String], names: [String]
    ) throws -> JSONValue {
        var json: JSONObject = [
            "MessageId": .string(delivery.received.entry.messageID),
            "ReceiptHandle": .string(delivery.received.handle.text),
            "MD5OfBody": .string(Digest.md5Hex(delivery.body)),
            "Body": .string(String(decoding: delivery.body, as: UTF8.self)),
        ]
        let isAll = systemNames.contains("All")
        var attributes = delivery.systemAttributes
        if let source = delivery.message.source {
            attributes["DeadLetterQueueSourceArn"] = .string(arn(source))
        }
        let system = attributes.members.filter {
            isAll || systemNames.contains($0.key)
        }
        if !system.isEmpty { json["Attributes"] = .object(JSONObject(system)) }
        let own = try delivery.attributes.selected(by: names)
        if !own.json.isEmpty {
            json["MessageAttributes"] = .object(own.json)
            json["MD5OfMessageAttributes"] = own.md5.map { .string($0) }
        }
        return .object(json)
    }

    func deleteMessage(_ call: SQSRequest) throws -> JSONValue {
        let queue = try queue(call)
        try queue.delete([try call.required("ReceiptHandle")])[0].get()
        return [:]
    }

    func deleteMessageBatch(_ call: SQSRequest) throws -> JSONValue {
        let queue = try queue(call)
        let entries = try call.entries(of: "DeleteMessageBatchRequestEntry")
        let handles = try entries.map { try $0.request.required("ReceiptHandle") }
        return Self.answer(entries.map(\.id), try queue.delete(handles))
    }

    func changeMessageVisibility(_ call: SQSRequest) throws -> JSONValue {
        let queue = try queue(call)
        try change(call, queue)
        return [:]
    }

    func changeMessageVisibilityBatch(_ call: SQSRequest) throws -> JSONValue {
        let queue = try queue(call)
        let entries = try call.entries(of: "ChangeMessageVisibilityBatchRequestEntry")
        let outcomes = try entries.map { entry -> Result<Void, SQSError> in
            do {
                return .success(try change(entry.request, queue))
            } catch let error as SQSError {
                return .failure(error)
            }
        }
        return Self.answer(entries.map(\.id), outcomes)
    }

    private func change(_ call: SQSRequest, _ queue: Queue) throws {
        let handle = try call.required("ReceiptHandle")
        let seconds = try call.integer(
            "VisibilityTimeout", in: QueueLimits.visibilitySeconds,
            reason: "VisibilityTimeout must be an integer between 0 and 43200")
        guard let seconds else { throw SQSError.missingParameter("VisibilityTimeout") }
        try queue.changeVisibility(of: handle, toSeconds: seconds)
    }

    private static func answer(_ ids: [String], _ outcomes: [Result<Void, SQSError>]) -> JSONValue {
        var successes: [String: JSONObject] = [:]
        var failures: [String: SQSError] = [:]
        for (id, outcome) in zip(ids, outcomes) {
            switch outcome {
            case .success: successes[id] = JSONObject()
            case .failure(let error): failures[id] = error
            }
        }
        return .batch(ids, successes, failures)
    }
}

extension Queue.Delivery {
    /// Every system attribute, each a string.
    package var systemAttributes: JSONObject {
        var json: JSONObject = [
            "SenderId": .string(SQSEndpoint.senderID),
            "ApproximateReceiveCount": .string(String(received.receiveCount)),
            "ApproximateFirstReceiveTimestamp": .string(
                String(received.firstReceived.milliseconds)),
            "SentTimestamp": .string(String(received.entry.sent.milliseconds)),
        ]
        if let group = message.group { json["MessageGroupId"] = .string(group) }
        if let id = message.deduplicationID {
            json["MessageDeduplicationId"] = .string(id)
            json["SequenceNumber"] = .string(received.entry.place.sequenceNumber)
        }
        json["AWSTraceHeader"] = message.traceHeader.map { .string($0) }
        return json
    }

    package var attributes: MessageAttributes {
        get throws {
            try MessageAttributes(try message.attributes.map { try JSONValue.parse($0) })
        }
    }
}
