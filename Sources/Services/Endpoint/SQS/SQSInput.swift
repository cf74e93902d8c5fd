import JSON
import QueueModel

/// The parameters of one call, whatever protocol it came by. What is absent, or null, is `nil`.
///
/// It has so many parts that a copy would cost as much as reading it.
struct SQSInput: ~Copyable, Sendable {
    /// What a call does to one message: the call itself, or an entry of its batch.
    struct Entry: Sendable {
        var id: String?
        var body: EscapedText?
        var delaySeconds: Int64?
        var attributes: JSONValue?
        var systemAttributes: JSONValue?
        var group: String?
        var deduplicationID: String?
        var receiptHandle: String?
        var visibilityTimeout: Int64?
    }

    typealias Pair = (name: String, value: String)

    var entry = Entry()
    var entries: [Entry]?

    var queueURL: String?
    var queueName: String?
    var ownerAccount: String?
    var namePrefix: String?
    var nextToken: String?
    var label: String?
    var sourceARN: String?
    var destinationARN: String?
    var taskHandle: String?
    var attemptID: String?

    var maxMessages: Int64?
    var waitSeconds: Int64?
    var maxResults: Int64?
    var maxPerSecond: Int64?

    var attributeNames: [String] = []
    var systemAttributeNames: [String] = []
    var messageAttributeNames: [String] = []
    var accountIDs: [String] = []
    var actions: [String] = []
    var tagKeys: [String] = []

    var attributes: [Pair]?
    var tags: [Pair]?
}

extension SQSInput {
    /// The value, which the call cannot do without.
    static func required(_ value: String?, _ name: String) throws(SQSError) -> String {
        guard let value, !value.isEmpty else { throw .missingParameter(name) }
        return value
    }

    static func check(
        _ value: Int64?, of name: String, in range: ClosedRange<Int64>, reason: String
    ) throws(SQSError) {
        guard let value, !range.contains(value) else { return }
        throw .invalidValue(String(value), of: name, reason: reason)
    }

    /// The entries of a batch, 1 to 10 with distinct ids.
    func batch(_ operation: SQSOperation) throws(SQSError) -> [(id: String, entry: Entry)] {
        let list = entries ?? []
        guard !list.isEmpty else { throw .emptyBatch(operation.entryShape) }
        guard list.count <= QueueLimits.batchEntries else { throw .tooManyEntries(list.count) }
        var batch: [(id: String, entry: Entry)] = []
        for entry in list {
            let id = entry.id ?? ""
            guard Self.isPlainName(id, upTo: QueueLimits.batchIDLength) else {
                throw .invalidBatchID
            }
            guard !batch.contains(where: { $0.id == id }) else { throw .batchIDsNotDistinct(id) }
            batch.append((id, entry))
        }
        return batch
    }

    /// 1 to `limit` letters, digits, `-` and `_`.
    static func isPlainName(_ text: String, upTo limit: Int) -> Bool {
        (1...limit).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 48...57, 65...90, 97...122, 0x2D, 0x5F: true
                default: false
                }
            }
    }
}
