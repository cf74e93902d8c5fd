import QueueModel

/// A queue's URL: `http://host/account/name`, or with `queue/region` before the account.
///
/// Which host it names does not matter, unless it is AWS's own and of another region.
struct QueueAddress: Equatable, Sendable {
    var account: String
    var name: String
    /// As host or path name it: `sqs.REGION.amazonaws.com`, `REGION.queue.amazonaws.com`,
    /// `/queue/REGION/…`.
    var region: String?
}

extension QueueAddress {
    /// - Parameter text: a URL, or the path of one.
    init?(_ text: some StringProtocol) {
        var rest = Substring(text)
        var host: Substring?
        if let scheme = rest.firstRange(of: "://") {
            rest = rest[scheme.upperBound...]
            let end = rest.firstIndex(of: "/") ?? rest.endIndex
            host = rest[..<end]
            rest = rest[end...]
        }
        let words = rest.split(separator: "/").map(String.init)
        guard words.count >= 2 else { return nil }
        name = words[words.count - 1]
        account = words[words.count - 2]
        if words.count >= 4, words[words.count - 4] == "queue" {
            region = words[words.count - 3]
        } else if let host {
            region = Self.region(ofHost: host)
        }
    }

    private static func region(ofHost host: Substring) -> String? {
        let parts = host.prefix { $0 != ":" }.split(separator: ".")
        guard parts.count >= 4, parts.suffix(2).elementsEqual(["amazonaws", "com"]) else {
            return nil
        }
        if parts[0] == "sqs" { return String(parts[1]) }
        return parts[1] == "queue" ? String(parts[0]) : nil
    }
}

extension SQSEndpoint {
    /// The name of the queue that a URL means.
    func queueName(url text: String) throws(SQSError) -> String {
        guard let address = QueueAddress(text) else { throw .invalidAddress(text) }
        if let other = address.region, other != region { throw .invalidAddress(text) }
        guard address.account == accountID else { throw .queueDoesNotExist }
        return address.name
    }

    func url(_ queue: String, _ host: String) -> String { "http://\(host)/\(accountID)/\(queue)" }
    func arn(_ queue: String) -> String { "arn:aws:sqs:\(region):\(accountID):\(queue)" }
}
