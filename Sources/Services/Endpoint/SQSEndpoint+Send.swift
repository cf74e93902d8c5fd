import Crypto
import JSON
import QueueModel

extension SQSEndpoint {
    /// A message as a call describes it, and what its answer says of it.
    private struct Draft {
        var entry: SendEntry
        var bodyMD5: String
        var attributesMD5: String?
        var systemAttributesMD5: String?

        func answer(_ sent: SentMessage) -> JSONObject {
            var json: JSONObject = [
                "MessageId": .string(sent.messageID), "MD5OfMessageBody": .string(bodyMD5),
            ]
            json["MD5OfMessageAttributes"] = attributesMD5.map { .string($0) }
            json["MD5OfMessageSystemAttributes"] = systemAttributesMD5.map { .string($0) }
            json["SequenceNumber"] = sent.sequenceNumber.map { .string($0) }
            return json
        }
    }

    func sendMessage(_ call: SQSRequest) throws -> JSONValue {
        let queue = try queue(call)
        let draft = try draft(call, queue)
        return .object(draft.answer(try queue.send([draft.entry])[0].get()))
    }

    func sendMessageBatch(_ call: SQSRequest) throws -> JSONValue {
        let queue = try queue(call)
        let entries = try call.entries(of: "SendMessageBatchRequestEntry")
        var failures: [String: SQSError] = [:]
        var drafts: [(id: String, draft: Draft)] = []
        for (id, request) in entries {
            do throws(SQSError) {
                drafts.append((id, try draft(request, queue)))
            } catch {
                failures[id] = error
            }
        }
        let bytes = drafts.reduce(0) { $0 + $1.draft.entry.size }
        guard bytes <= QueueLimits.messageBytes else { throw SQSError.batchTooLong(bytes) }
        let isFIFO = try queue.settings.isFIFO
        if isFIFO, drafts.contains(where: { $0.draft.entry.group == nil }) {
            throw SQSError.invalidParameter(
                "The request must contain the parameter MessageGroupId.")
        }
        var sent: [String: JSONObject] = [:]
        if !drafts.isEmpty {
            let outcomes = try queue.send(drafts.map(\.draft.entry))
            for ((id, draft), outcome) in zip(drafts, outcomes) {
                switch outcome {
                case .success(let message): sent[id] = draft.answer(message)
                case .failure(let error): failures[id] = error
                }
            }
        }
        return .batch(entries.map(\.id), sent, failures)
    }

    private func draft(_ call: SQSRequest, _ queue: Queue) throws(SQSError) -> Draft {
        let body = try call.required("MessageBody")
        let attributes = try MessageAttributes(call.json["MessageAttributes"])
        let system = try systemAttributes(call)
        var entry = SendEntry(
            body: Array(body.utf8), attributes: attributes,
            group: try call.text("MessageGroupId"),
            deduplicationID: try call.text("MessageDeduplicationId"))
        if call.hasLoneSurrogate, body.unicodeScalars.contains("\u{FFFD}") {
            entry.hasInvalidCharacters = true
        }
        entry.delaySeconds = try call.integer("DelaySeconds")
        entry.traceHeader = system?.attributes.first.map {
            String(decoding: $0.value, as: UTF8.self)
        }
        return Draft(
            entry: entry, bodyMD5: Digest.md5Hex(body.utf8), attributesMD5: attributes.md5,
            systemAttributesMD5: system?.md5)
    }

    /// AWSTraceHeader is the only one that a sender may set.
    private func systemAttributes(_ call: SQSRequest) throws(SQSError) -> MessageAttributes? {
        guard let json = call.json["MessageSystemAttributes"]?.objectValue, !json.isEmpty else {
            return nil
        }
        for (name, value) in json.members {
            guard name == "AWSTraceHeader", value["DataType"]?.stringValue == "String" else {
                throw .invalidParameter(
                    "Message system attribute name '\(name)' is invalid.")
            }
        }
        // Its name would be refused in a user's attribute, and its digest is made the same way.
        return try MessageAttributes(.object(json))
    }
}

extension JSONValue {
    /// A batch's answer: what went well and what did not, in the order of the request.
    static func batch(
        _ ids: [String], _ successes: [String: JSONObject], _ failures: [String: SQSError]
    ) -> JSONValue {
        var successful: [JSONValue] = []
        var failed: [JSONValue] = []
        for id in ids {
            if var success = successes[id] {
                success["Id"] = .string(id)
                successful.append(.object(success))
            } else if let error = failures[id] {
                failed.append([
                    "Id": .string(id), "SenderFault": true, "Code": .string(error.queryCode),
                    "Message": .string(error.message),
                ])
            }
        }
        var json: JSONObject = ["Successful": .array(successful)]
        if !failed.isEmpty { json["Failed"] = .array(failed) }
        return .object(json)
    }
}
