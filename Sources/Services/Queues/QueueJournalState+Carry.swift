import JSON
import Journal
import QueueModel

/// How a queue lets go of old segments: the few messages that lie there are appended again.
extension QueueJournalState {
    package var backlogSegment: UInt64? { queue.backlogSegment }
    package var isEmpty: Bool { queue.isEmpty }

    package func straggling(before segment: UInt64) -> [UInt64: UInt64] {
        queue.straggling(before: segment)
    }

    package func carry(
        before segment: UInt64, upToBytes bytes: Int, _ read: (RecordLocation) throws -> [UInt8]
    ) throws -> [UInt8]? {
        let entries = queue.stragglers(before: segment, upToBytes: bytes)
        guard !entries.isEmpty else { return nil }
        var messages = try QueueRecord.bodies(of: entries, read)
        for index in messages.indices { messages[index].place = entries[index].place }
        return QueueRecord.carry(messages).members
    }
}

extension QueueRecord {
    /// What each entry's record says of it; each record is read once.
    static func bodies(
        of entries: some Collection<StreamEntry>,
        known: [(record: RecordPlace, messages: [NewMessage])] = [],
        _ read: (RecordLocation) throws -> [UInt8]
    ) throws -> [NewMessage] {
        var records = known
        return try entries.map { entry in
            let messages: [NewMessage]
            if let found = records.last(where: { $0.record == entry.record }) {
                messages = found.messages
            } else {
                let line = try read(RecordLocation(entry.record))
                messages = try line.withUnsafeBytes { try stored(in: $0) }
                records.append((entry.record, messages))
            }
            if messages.first?.place != nil {
                guard let carried = messages.first(where: { $0.place == entry.place }) else {
                    throw QueueRecordError.missingMessage
                }
                return carried
            }
            guard Int(entry.place.index) < messages.count else {
                throw QueueRecordError.missingMessage
            }
            return messages[Int(entry.place.index)]
        }
    }

    /// The messages that lie in a record, whether it brought them or carries them on.
    static func stored(in line: UnsafeRawBufferPointer) throws -> [NewMessage] {
        switch try QueueRecord(line: line) {
        case .send(let messages), .take(_, _, let messages), .requeue(let messages),
            .carry(let messages):
            messages
        default: []
        }
    }
}
