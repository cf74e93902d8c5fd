import JSON

/// Which messages of a batch a function has dealt with (Lambda guide,
/// *services-sqs-errorhandling*).
package enum BatchResponse: Equatable, Sendable {
    case succeeded
    /// These messages come back; the others are done.
    case failed(Set<String>)
    /// The answer says nothing that can be relied upon: the whole batch comes back.
    case unusable(String)

    /// Reads an answer of a function that reports batch item failures.
    package init(_ response: [UInt8], messageIDs: [String]) {
        guard let value = try? JSONValue.parse(response) else {
            self = .unusable("the response is not JSON")
            return
        }
        let list = value["batchItemFailures"]
        guard !value.isNull, let list, !list.isNull else {
            self = .succeeded
            return
        }
        guard let entries = list.arrayValue else {
            self = .unusable("batchItemFailures is not a list")
            return
        }
        var failed: Set<String> = []
        for entry in entries {
            guard let id = entry["itemIdentifier"]?.stringValue, !id.isEmpty else {
                self = .unusable("a batch item failure has no itemIdentifier")
                return
            }
            guard messageIDs.contains(id) else {
                self = .unusable("'\(id)' is not in the batch")
                return
            }
            failed.insert(id)
        }
        self = failed.isEmpty ? .succeeded : .failed(failed)
    }
}
