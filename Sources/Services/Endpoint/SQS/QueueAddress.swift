import JSON
import QueueModel
import Synchronization

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
    /// - Parameter text: a URL, or the path of one. Read by bytes, since every call has one.
    init?(_ text: some StringProtocol) {
        var rest = Substring(text).utf8
        var host: Substring.UTF8View?
        if let colon = rest.firstIndex(of: UInt8(ascii: ":")),
            rest[colon...].starts(with: "://".utf8)
        {
            rest = rest[colon...].dropFirst(3)
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            host = rest[..<end]
            rest = rest[end...]
        }
        let words = rest.split(separator: UInt8(ascii: "/"))
        guard words.count >= 2 else { return nil }
        name = String(Substring(words[words.count - 1]))
        account = String(Substring(words[words.count - 2]))
        if words.count >= 4, words[words.count - 4].elementsEqual("queue".utf8) {
            region = String(Substring(words[words.count - 3]))
        } else if let host {
            region = Self.region(ofHost: host)
        }
    }

    private static func region(ofHost host: Substring.UTF8View) -> String? {
        let parts = host.prefix { $0 != UInt8(ascii: ":") }.split(separator: UInt8(ascii: "."))
            .map { Substring($0) }
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
        if let last = lastURL.withLock({ $0 }), last.url.isExactly(text) {
            return last.name
        }
        let name = try name(inURL: text)
        if text.utf8.count <= Self.keptURLLength, !text.utf8.contains(UInt8(ascii: "\\")) {
            lastURL.withLock { $0 = (text, name) }
        }
        return name
    }

    /// A longer one is read again each time.
    private static var keptURLLength: Int { 512 }

    private func name(inURL text: String) throws(SQSError) -> String {
        // A bare name is that of a queue of this account.
        guard text.utf8.contains(UInt8(ascii: "/")) else { return text }
        guard let address = QueueAddress(text) else { throw .queueDoesNotExist }
        if let other = address.region, other != region { throw .invalidAddress(text) }
        guard address.account == accountID else { throw .queueDoesNotExist }
        return address.name
    }

    func url(_ queue: String, _ host: String) -> String { "http://\(host)/\(accountID)/\(queue)" }
    func arn(_ queue: String) -> String { "arn:aws:sqs:\(region):\(accountID):\(queue)" }
}
