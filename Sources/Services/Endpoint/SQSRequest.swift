import JSON
import QueueModel

/// The parameters of one call, read strictly: a value of a wrong kind is refused.
struct SQSRequest {
    let json: JSONValue
    /// Half a surrogate pair somewhere in it: what a text shows as U+FFFD may be invalid.
    let hasLoneSurrogate: Bool

    subscript(entry json: JSONValue) -> SQSRequest {
        SQSRequest(json: json, hasLoneSurrogate: hasLoneSurrogate)
    }

    func text(_ name: String) throws(SQSError) -> String? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw .serialization(name, "a string") }
        return text
    }

    func required(_ name: String) throws(SQSError) -> String {
        guard let text = try text(name), !text.isEmpty else { throw .missingParameter(name) }
        return text
    }

    func integer(_ name: String) throws(SQSError) -> Int64? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let number = value.intValue else { throw .serialization(name, "an integer") }
        return number
    }

    func integer(
        _ name: String, in range: ClosedRange<Int64>, reason: String
    ) throws(SQSError) -> Int64? {
        guard let number = try integer(name) else { return nil }
        guard range.contains(number) else {
            throw .invalidValue(String(number), of: name, reason: reason)
        }
        return number
    }

    func names(_ name: String) throws(SQSError) -> [String] {
        guard let value = json[name], !value.isNull else { return [] }
        guard let list = value.arrayValue else { throw .serialization(name, "a list") }
        var names: [String] = []
        for item in list {
            guard let text = item.stringValue else { throw .serialization(name, "strings") }
            names.append(text)
        }
        return names
    }

    /// The entries of a batch, 1 to 10 with distinct ids.
    func entries(of shape: String) throws(SQSError) -> [(id: String, request: SQSRequest)] {
        let list = json["Entries"]?.arrayValue ?? []
        guard !list.isEmpty else { throw .emptyBatch(shape) }
        guard list.count <= QueueLimits.batchEntries else { throw .tooManyEntries(list.count) }
        var entries: [(id: String, request: SQSRequest)] = []
        for item in list {
            let request = self[entry: item]
            let id = try request.text("Id") ?? ""
            let isValid = id.utf8.allSatisfy { byte in
                switch byte {
                case 48...57, 65...90, 97...122, 0x2D, 0x5F: true
                default: false
                }
            }
            guard isValid, (1...QueueLimits.batchIDLength).contains(id.utf8.count) else {
                throw .invalidBatchID
            }
            guard !entries.contains(where: { $0.id == id }) else { throw .batchIDsNotDistinct(id) }
            entries.append((id, request))
        }
        return entries
    }
}

extension SQSError {
    static func serialization(_ name: String, _ kind: String) -> SQSError {
        SQSError(
            shape: "SerializationException", queryCode: "MalformedInput",
            message: "\(name) must be \(kind).")
    }
}
