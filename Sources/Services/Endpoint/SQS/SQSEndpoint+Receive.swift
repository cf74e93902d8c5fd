import Crypto
import JSON
import QueueModel

extension SQSEndpoint {
    func receiveMessage(_ exchange: SQSExchange, _ queue: Queue) throws(SQSError) {
        let call = exchange.call
        try SQSInput.check(
            call.input.maxMessages, of: "MaxNumberOfMessages", in: QueueLimits.receivedMessages,
            reason: "Must be between 1 and 10, if provided.")
        try SQSInput.check(
            call.input.entry.visibilityTimeout, of: "VisibilityTimeout",
            in: QueueLimits.visibilitySeconds, reason: "Must be >= 0 and <= 43200, if provided.")
        try SQSInput.check(
            call.input.waitSeconds, of: "WaitTimeSeconds", in: QueueLimits.waitSeconds,
            reason: "Must be >= 0 and <= 20, if provided.")
        if let attempt = call.input.attemptID {
            try QueueState.check(identifier: attempt, "ReceiveRequestAttemptId")
        }
        let wish = LongPolls.Wish(
            limit: Int(call.input.maxMessages ?? 1),
            timeoutSeconds: call.input.entry.visibilityTimeout, attempt: call.input.attemptID,
            wait: call.input.waitSeconds.map { .seconds($0) })
        polls.receive(from: queue, wish) { [self] ticket in
            exchange.client.onDisconnect { self.polls.cancel(ticket) }
        } completion: { [self] result in
            let bodies = (try? result.get()) ?? []
            let bytes = bodies.reduce(0) { $0 + $1.message.escapedBody.count }
            finish(exchange, queue, result, bytes: bytes) { [self] deliveries in
                .messages(try deliveries.map { try reply($0, call.input) })
            }
        }
    }

    private func reply(
        _ delivery: Queue.Delivery, _ input: borrowing SQSInput
    ) throws -> ReceivedReply {
        let names = input.systemAttributeNames + input.attributeNames
        var system: [SQSReply.Pair] = []
        if !names.isEmpty {
            let attributes = delivery.systemAttributes(source: delivery.message.source.map(arn))
            let isAll = names.contains("All")
            system = attributes.members.compactMap { name, value in
                guard isAll || names.contains(name), let text = value.stringValue else {
                    return nil
                }
                return (name, text)
            }
        }
        let wanted = input.messageAttributeNames
        let own =
            wanted.isEmpty || delivery.message.attributes == nil
            ? nil : try delivery.attributes.selected(by: wanted)
        return ReceivedReply(delivery: delivery, system: system, own: own)
    }

    func deleteMessages(_ exchange: SQSExchange, _ queue: Queue) throws(SQSError) {
        let call = exchange.call
        guard call.operation == .deleteMessageBatch else {
            let text = try SQSInput.required(call.input.entry.receiptHandle, "ReceiptHandle")
            return queue.submitDelete([try Queue.handle(text)]) { [self] result in
                finish(exchange, queue, result) { outcomes in
                    try outcomes[0].get()
                    return .nothing
                }
            }
        }
        let batch = try call.input.batch(call.operation)
        var handles: [String] = []
        for (_, entry) in batch {
            handles.append(try SQSInput.required(entry.receiptHandle, "ReceiptHandle"))
        }
        queue.submitDelete(handles) { [self] result in
            finish(exchange, queue, result) { Self.reply(call.operation, batch.map(\.id), $0) }
        }
    }

    func changeVisibility(_ exchange: SQSExchange, _ queue: Queue) throws(SQSError) {
        let call = exchange.call
        guard call.operation == .changeMessageVisibilityBatch else {
            let change = try Self.change(call.input.entry)
            return queue.submitVisibility([change]) { [self] result in
                finish(exchange, queue, result) { outcomes in
                    try outcomes[0].get()
                    return .nothing
                }
            }
        }
        let batch = try call.input.batch(call.operation)
        var changes: [(id: String, change: Outcome<(handle: String, seconds: Int64)>)] = []
        for (id, entry) in batch {
            do throws(SQSError) {
                changes.append((id, .success(try Self.change(entry))))
            } catch {
                changes.append((id, .failure(error)))
            }
        }
        queue.submitVisibility(changes.compactMap { try? $0.change.get() }) {
            [self, changes] result in
            finish(exchange, queue, result) { outcomes in
                var rest = outcomes[...]
                let all = changes.map { entry in
                    entry.change.flatMap { _ in rest.popFirst() ?? .success(()) }
                }
                return Self.reply(call.operation, changes.map(\.id), all)
            }
        }
    }

    private static func change(
        _ entry: SQSInput.Entry
    ) throws(SQSError) -> (handle: String, seconds: Int64) {
        let handle = try SQSInput.required(entry.receiptHandle, "ReceiptHandle")
        guard let seconds = entry.visibilityTimeout else {
            throw .missingParameter("VisibilityTimeout")
        }
        try SQSInput.check(
            seconds, of: "VisibilityTimeout", in: QueueLimits.visibilitySeconds,
            reason: "VisibilityTimeout must be an integer between 0 and 43200")
        return (handle, seconds)
    }

    private static func reply(
        _ operation: SQSOperation, _ ids: [String], _ outcomes: [Outcome<Void>]
    ) -> SQSReply {
        var reply = BatchReply(operation)
        for (id, outcome) in zip(ids, outcomes) { reply.entries.append((id, outcome.map { nil })) }
        return .batch(reply)
    }
}

extension Queue.Delivery {
    /// Every system attribute, each a string.
    ///
    /// - Parameter source: the ARN of the queue whose dead letter it is; `nil` leaves it out.
    package func systemAttributes(source: String?) -> JSONObject {
        var json: JSONObject = [
            "SenderId": .string(message.sender ?? Principal.developerID),
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
        json["DeadLetterQueueSourceArn"] = source.map { .string($0) }
        return json
    }

    package var attributes: MessageAttributes {
        get throws {
            try MessageAttributes(try message.attributes.map { try JSONValue.parse($0) })
        }
    }
}
