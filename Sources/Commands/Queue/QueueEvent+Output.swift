import JSON
import QueueModel
import Services

extension QueueEvent {
    /// Characters of a body that a line of text shows.
    private static let shownCharacters = 60

    /// `queue`, `count` and `Body` where they are known; the rest by what happened.
    func json(queue: String? = nil) -> JSONValue {
        var json: JSONObject = ["time": .string(time.iso8601)]
        json["queue"] = queue.map { .string($0) }
        json["n"] = n.map { .int(Int64(clamping: $0)) }
        json["event"] = .string(name)
        json["MessageId"] = messageID.map { .string($0) }
        json["MessageGroupId"] = group.map { .string($0) }
        json["receiveCount"] = receiveCount.map { .int($0) }
        switch kind {
        case .sent(let seconds): if seconds > 0 { json["delaySeconds"] = .int(seconds) }
        case .arrived(let giver): json["from"] = .string(giver)
        case .received(let until), .visibility(let until): json["until"] = .string(until.iso8601)
        case .deadLettered(let target), .redriven(let target): json["to"] = .string(target)
        case .expired(let count): json["messages"] = .int(Int64(clamping: count))
        case .notRetained(let records): json["records"] = .int(Int64(clamping: records))
        case .returned, .requeued, .deleted, .purged, .settings: break
        }
        json["Body"] = body.map { .string(String(decoding: $0, as: UTF8.self)) }
        return .object(json)
    }

    /// What happened, in words that say what the name leaves open.
    var words: String {
        switch kind {
        case .sent(let seconds): seconds > 0 ? "sent, hidden for \(seconds) s" : "sent"
        case .arrived(let giver): "arrived from \(giver)"
        case .received(let until):
            "received" + (receiveCount.map { " (\($0))" } ?? "") + ", hidden until \(clock(until))"
        case .visibility(let until):
            until <= time ? "made visible" : "hidden until \(clock(until))"
        case .returned: "returned"
        case .requeued: "put to the back"
        case .deleted: "deleted"
        case .expired(let count): place == nil ? "expired: \(count)" : "expired"
        case .purged: "purged"
        case .deadLettered(let target): "moved to the dead-letter queue \(target)"
        case .redriven(let target): "moved back to \(target)"
        case .settings: "settings changed"
        case .notRetained(let records): "\(records) records are not retained"
        }
    }

    /// One line: when, what, which message, the start of its body.
    var text: String {
        var parts = [time.iso8601, words]
        if let messageID { parts.append(messageID) }
        if let group { parts.append("group \(group)") }
        if let body { parts.append(Self.start(of: body)) }
        return parts.joined(separator: "  ")
    }

    /// The date is left out where it is the event's own.
    private func clock(_ moment: Timestamp) -> String {
        moment.date == time.date ? String(moment.iso8601.dropFirst(11)) : moment.iso8601
    }

    /// A body's start on one line.
    static func start(of body: [UInt8]) -> String {
        // A character has up to four bytes; a few more tell whether anything follows.
        let head = String(decoding: body.prefix(4 * shownCharacters + 4), as: UTF8.self)
        let line = String(head.map { $0.isNewline || $0 == "\t" ? " " : $0 })
        return line.count > shownCharacters ? line.prefix(shownCharacters - 1) + "…" : line
    }
}
