import JSON
import Journal
import QueueModel

/// The queue model as a journal's fold.
package struct QueueJournalState: JournaledState, Equatable {
    package internal(set) var queue = QueueState()

    package init() {}

    package mutating func apply(
        _ line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at location: RecordLocation
    ) throws(StateError) {
        do throws(QueueRecordError) {
            try queue.apply(line: line, n: n, time: time, at: RecordPlace(location))
        } catch {
            throw StateError(error.message)
        }
    }

    package var oldestSegment: UInt64? { queue.oldestSegment }

    package func encodeBase(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: QueueRecord.base(queue.json).members)
    }
}

extension JournalSession where State == QueueJournalState {
    /// Appends what was decided, and applies it as it stands: its line, read back, says the same.
    mutating func append(_ record: QueueRecord) throws(JournalError) {
        try append(record.members, usesReserve: record.letsWorkGoOn) { state, n, time, location in
            state.queue.apply(record, n: n, time: time, at: RecordPlace(location))
        }
    }
}

extension QueueRecord {
    /// Whether it takes messages out or on, and so is written also when the disk is full.
    fileprivate var letsWorkGoOn: Bool {
        switch self {
        case .receive, .delete, .visibility, .purge, .transfer, .transferred: true
        case .base, .send, .take, .set: false
        }
    }
}

extension RecordPlace {
    init(_ location: RecordLocation) {
        self.init(
            segment: location.segment, offset: location.offset, length: location.length)
    }
}

extension RecordLocation {
    init(_ place: RecordPlace) {
        self.init(segment: place.segment, offset: place.offset, length: place.length)
    }
}

/// The never-received messages, read from the journal as far as they are asked for.
struct JournalStream: MessageStream {
    let end: Head
    private var cursor: RecordCursor
    private var record: RecordLine?
    private var messages: [QueueRecord.NewMessage] = []
    private var index: UInt8
    /// The messages of the first records that were read, so that who takes them need not read
    /// again.
    private(set) var seen: [RecordPlace: [QueueRecord.NewMessage]] = [:]
    private static let seenLimit = 10

    init(_ session: JournalSession<QueueJournalState>) {
        let last = session.endLocation
        end = Head(segment: last.segment, offset: last.offset, index: 0)
        // Where nothing waits, the head may stand in a segment that is gone.
        let head = session.state.queue.streamed > 0 ? session.state.queue.head : end
        cursor = session.records(
            from: RecordLocation(segment: head.segment, offset: head.offset, length: 0))
        index = head.index
    }

    /// What `next` gave last, with its body.
    var message: QueueRecord.NewMessage { messages[Int(index) - 1] }

    mutating func next() throws -> (entry: StreamEntry, after: Head)? {
        while true {
            if let record, index < messages.count {
                let place = Place(n: record.n, index: index)
                let entry = StreamEntry(
                    messages[Int(index)], place: place, time: record.time,
                    record: RecordPlace(record.location))
                index += 1
                let after = Head(
                    segment: record.location.segment, offset: record.location.offset, index: index)
                return (entry, after)
            }
            let isFirst = record == nil
            guard let line = try cursor.next() else { return nil }
            record = line
            if !isFirst { index = 0 }
            messages = try line.bytes.withUnsafeBytes { try QueueRecord.messages(in: $0) }
            if !messages.isEmpty, seen.count < Self.seenLimit {
                seen[RecordPlace(line.location)] = messages
            }
        }
    }
}

extension QueueRecord {
    /// The messages that a record brings; none if it is of another kind.
    static func messages(in line: UnsafeRawBufferPointer) throws -> [NewMessage] {
        switch try QueueRecord(line: line) {
        case .send(let messages), .take(_, _, let messages): messages
        default: []
        }
    }
}
