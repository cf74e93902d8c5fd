import JSON
import QueueModel

/// SQS as an array and a loop.
struct NaiveQueue {
    typealias Message = QueueView.Message

    struct Deduplication {
        var id: String
        var token: String
        var time: Timestamp
    }

    let name: String
    /// Whether it was made, and not removed since. Its books go on in the next of its name.
    var isThere = true
    var settings: QueueSettings
    /// In the order in which they arrived.
    var messages: [Message] = []
    var lastTime = Timestamp(milliseconds: 0)
    var lastPurge: Timestamp?
    var deduplications: [Deduplication] = []
    /// How often each message has left for the peer, or come from there.
    var departed: [String: Int] = [:]
    var arrived: [String: Int] = [:]
    /// The highest number of a transfer that it took from each giver.
    var taken: [String: UInt64] = [:]
    /// Left, but not taken by the peer when last seen.
    var underWay: Set<String> = []
    /// Whether it holds what has left and the peer has not confirmed: that keeps it from being
    /// removed.
    var isGiving = false
    /// Its removal came between: they may or may not arrive.
    var cancelled: Set<String> = []

    init(name: String, settings: QueueSettings) {
        self.name = name
        self.settings = settings
    }

    func isHidden(_ message: Message, at time: Timestamp) -> Bool {
        (message.visibleAt ?? time) > time
    }

    func isExpired(_ message: Message, at time: Timestamp) -> Bool {
        time - message.sent >= .seconds(settings.retentionSeconds)
    }

    /// Whether its next receive is its move to the dead-letter queue. One that was put back into the
    /// stream before the maximum was lowered is received once more.
    func mustMove(_ message: Message, at time: Timestamp) -> Bool {
        guard let policy = settings.redrivePolicy, message.handle != nil, message.visibleAt != nil
        else { return false }
        return message.receiveCount >= policy.maxReceiveCount && !isHidden(message, at: time)
    }

    /// What a receive may hand out, in order.
    func deliverable(at time: Timestamp) -> [Message] {
        var result: [Message] = []
        var halted: Set<String> = []
        let live = messages.filter { !isExpired($0, at: time) }
        for message in live where !mustMove(message, at: time) {
            if isHidden(message, at: time) {
                if settings.isFIFO { halted.insert(message.group ?? "") }
            } else if !halted.contains(message.group ?? "-") {
                result.append(message)
            }
        }
        return result
    }

    /// FIFO: the groups that have something to give, in the order in which they do: each stands
    /// where its first message came, or came back.
    func groupsInTurn(at time: Timestamp) -> [String] {
        var seen: Set<String> = []
        let firsts = deliverable(at: time).filter { seen.insert($0.group ?? "").inserted }
        return firsts.enumerated().sorted { left, right in
            func since(_ message: Message) -> Timestamp {
                message.handle == nil ? message.sent : message.visibleAt ?? message.sent
            }
            return (since(left.element), left.offset) < (since(right.element), right.offset)
        }.map { $0.element.group ?? "" }
    }

    /// Which entries of a send are not duplicates.
    func fresh(_ entries: [Operation.Entry], at time: Timestamp) -> [Operation.Entry] {
        guard settings.isFIFO else { return entries }
        var known = Set(
            deduplications.filter { time - $0.time < QueueLimits.deduplicationInterval }.map(\.id))
        return entries.filter {
            known.insert(deduplicationKey($0.deduplicationID ?? "", $0.group)).inserted
        }
    }

    func deduplicationKey(_ id: String, _ group: String?) -> String {
        settings.deduplicatesByGroup ? "\(group ?? "") \(id)" : id
    }

    /// Whether a handle deletes its message, and which.
    func deletes(_ handle: String, at time: Timestamp) -> Message? {
        guard let message = messages.first(where: { $0.handle == handle }),
            !isExpired(message, at: time)
        else { return nil }
        return !settings.isFIFO || isHidden(message, at: time) ? message : nil
    }

    func refusesPurge(at time: Timestamp) -> Bool {
        lastPurge.map { time - $0 < .seconds(60) } ?? false
    }
}
