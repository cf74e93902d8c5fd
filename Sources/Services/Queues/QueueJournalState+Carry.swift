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
        var records = StoredRecords()
        let messages = try entries.map { entry in
            var message = try records.message(of: entry, read)
            message.place = entry.place
            return message
        }
        return QueueRecord.carry(messages).members
    }
}

/// What records say of their messages; each record is read once.
struct StoredRecords {
    private struct Record {
        let place: RecordPlace
        let messages: [QueueRecord.NewMessage]
    }

    private var records: [Record] = []

    /// - Parameter read: gives a record's line.
    mutating func message(
        of entry: StreamEntry, _ read: (RecordLocation) throws -> [UInt8]
    ) throws -> QueueRecord.NewMessage {
        let messages = try self.messages(in: entry.record, read)
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

    private mutating func messages(
        in place: RecordPlace, _ read: (RecordLocation) throws -> [UInt8]
    ) throws -> [QueueRecord.NewMessage] {
        if let known = records.last(where: { $0.place == place }) { return known.messages }
        let line = try read(RecordLocation(place))
        let messages = try line.withUnsafeBytes { try QueueRecord.stored(in: $0) }
        records.append(Record(place: place, messages: messages))
        return messages
    }
}

extension QueueRecord {
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
