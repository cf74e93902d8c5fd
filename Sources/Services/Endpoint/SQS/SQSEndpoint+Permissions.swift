import Access
import JSON
import QueueModel

/// AddPermission and RemovePermission: shorthand for statements of the queue's `Policy`.
extension SQSEndpoint {
    private static let attribute = "Policy"
    /// What another account may be given this way (AddPermission, API Reference).
    private static let sharable: Set<String> = [
        "*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
        "GetQueueAttributes", "GetQueueUrl",
    ]

    func addPermission(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        let label = try SQSInput.required(call.input.label, "Label")
        guard SQSInput.isPlainName(label, upTo: QueueLimits.nameLength) else {
            throw SQSError.invalidValue(
                label, of: "Label",
                reason: "Can only include alphanumeric characters, hyphens, or underscores. 1 to "
                    + "80 in length.")
        }
        let statement = try statement(label, call.input, queue.name)
        try queue.change { settings in
            var policy = try Self.policy(settings, arn(queue.name))
            var statements = Self.statements(policy)
            guard !statements.contains(where: { $0["Sid"] == .string(label) }) else {
                throw SQSError.invalidValue(label, of: "Label", reason: "Already exists.")
            }
            guard statements.count < QueueLimits.policyStatements else {
                throw SQSError(
                    shape: "OverLimit", queryCode: "OverLimit", status: 403,
                    message: "\(statements.count + 1) statements were found, maximum allowed is "
                        + "\(QueueLimits.policyStatements).")
            }
            statements.append(statement)
            policy["Statement"] = .array(statements)
            settings.keptAttributes[Self.attribute] = JSONValue.object(policy).serialized()
        }
        return .nothing
    }

    func removePermission(_ call: SQSCall) throws -> SQSReply {
        let queue = try queue(call)
        let label = try SQSInput.required(call.input.label, "Label")
        try queue.change { settings in
            var policy = try Self.policy(settings, arn(queue.name))
            let statements = Self.statements(policy)
            let rest = statements.filter { $0["Sid"] != .string(label) }
            guard rest.count < statements.count else {
                throw SQSError.invalidValue(label, of: "Label", reason: "can't find label.")
            }
            policy["Statement"] = .array(rest)
            settings.keptAttributes[Self.attribute] =
                rest.isEmpty ? nil : JSONValue.object(policy).serialized()
        }
        return .nothing
    }

    private func statement(
        _ label: String, _ input: borrowing SQSInput, _ queue: String
    ) throws(SQSError) -> JSONValue {
        guard !input.accountIDs.isEmpty else { throw .missingParameter("AWSAccountIds") }
        guard !input.actions.isEmpty else { throw .missingParameter("Actions") }
        for account in input.accountIDs {
            guard account.utf8.count == 12, account.utf8.allSatisfy({ (48...57).contains($0) })
            else {
                throw .invalidValue(
                    account, of: "PrincipalId", reason: "Unable to verify.")
            }
        }
        var actions: [String] = []
        for action in input.actions {
            guard Self.sharable.contains(action) else {
                throw .invalidValue(
                    "SQS:\(action)", of: "ActionName",
                    reason: "Only the queue owner is allowed to invoke this action.")
            }
            actions.append("SQS:\(action)")
        }
        return [
            "Sid": .string(label), "Effect": "Allow",
            "Principal": [
                "AWS": Self.oneOrMany(input.accountIDs.map { "arn:aws:iam::\($0):root" })
            ],
            "Action": Self.oneOrMany(actions), "Resource": .string(arn(queue)),
        ]
    }

    private static func oneOrMany(_ texts: [String]) -> JSONValue {
        texts.count == 1 ? .string(texts[0]) : .array(texts.map { .string($0) })
    }

    /// - Throws: if it cannot be read: what it denied must not be lost.
    private static func policy(
        _ settings: QueueSettings, _ arn: String
    ) throws(SQSError) -> JSONObject {
        guard let text = settings.keptAttributes[attribute] else {
            return ["Version": "2008-10-17", "Id": .string("\(arn)/SQSDefaultPolicy")]
        }
        guard (try? Policy(ofResource: text)) != nil,
            let policy = (try? JSONValue.parse(Array(text.utf8)))?.objectValue
        else { throw .invalidAttributeValue(attribute) }
        return policy
    }

    private static func statements(_ policy: JSONObject) -> [JSONValue] {
        policy["Statement"].map { $0.arrayValue ?? [$0] } ?? []
    }
}
