import JSON

/// The newest deduplication ids. What the state forgets, an index beside the journal still knows:
/// it follows from the records.
extension QueueState {
    /// What a message's id counts as; `nil` if it has none, or in a standard queue.
    package func deduplicationKey(of message: QueueRecord.NewMessage) -> String? {
        guard settings.isFIFO, let id = message.deduplicationID else { return nil }
        return deduplicationKey(id, group: message.group)
    }

    func deduplicationKey(_ id: String, group: String?) -> String {
        settings.deduplicatesByGroup ? "\(group ?? "")\u{0}\(id)" : id
    }

    /// Whether an id may still count that the state does not hold any more.
    package func mayHaveForgotten(at now: Timestamp) -> Bool {
        forgotten.map { now - $0 < QueueLimits.deduplicationInterval } ?? false
    }

    func recent(_ key: String, at now: Timestamp) -> SentMessage? {
        guard let found = deduplications[key],
            now - found.time < QueueLimits.deduplicationInterval
        else { return nil }
        return SentMessage(id: found.messageID, sequenceNumber: found.place.sequenceNumber)
    }

    // MARK: changes, used by `apply` alone

    mutating func remember(
        _ key: String, _ messageID: MessageID, _ place: Place, at time: Timestamp
    ) {
        let known = Deduplication(messageID: messageID, place: place, time: time)
        if deduplications.updateValue(known, forKey: key) != nil {
            deduplicationOrder.removeFirst(deduplicationStart)
            deduplicationStart = 0
            deduplicationOrder.removeAll { $0 == key }
        }
        deduplicationOrder.append(key)
        forget(before: time - QueueLimits.deduplicationInterval)
    }

    /// A queue that was purged takes each id anew, as AWS was seen to do.
    mutating func forgetDeduplication(at n: UInt64) {
        deduplications = [:]
        deduplicationOrder = []
        deduplicationStart = 0
        forgotten = nil
        purgeRecord = n
    }

    private mutating func forget(before time: Timestamp) {
        while deduplicationStart < deduplicationOrder.count,
            let entry = deduplications[deduplicationOrder[deduplicationStart]]
        {
            let isSurplus =
                deduplicationOrder.count - deduplicationStart > QueueLimits.rememberedIDs
            guard isSurplus || entry.time < time else { break }
            if entry.time >= time { forgotten = entry.time }
            deduplications[deduplicationOrder[deduplicationStart]] = nil
            deduplicationStart += 1
        }
        guard deduplicationStart >= QueueLimits.rememberedIDs else { return }
        deduplicationOrder.removeFirst(deduplicationStart)
        deduplicationStart = 0
    }
}
