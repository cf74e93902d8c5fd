import JSON
import Journal
import QueueModel

/// The queue model as a journal's fold.
package struct QueueJournalState: JournaledState, Equatable {
    package var queue = QueueState()
    /// Follows from the records, like everything beside the queue itself.
    var ids = DeduplicationIndex()
    /// Another one whenever the settings may have changed.
    private(set) var settingsVersion = SettingsVersion()

    package init() {}

    package mutating func apply(
        _ line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at location: RecordLocation
    ) throws(StateError) {
        let record = try Self.reading { () throws(QueueRecordError) in try QueueRecord(line: line) }
        apply(record, n: n, time: time, at: location)
    }

    private static func reading<R>(
        _ body: () throws(QueueRecordError) -> R
    ) throws(StateError) -> R {
        do throws(QueueRecordError) {
            return try body()
        } catch {
            throw StateError(error.message, isNewer: error.isNewer)
        }
    }

    package mutating func restore(
        _ line: LongLine, at location: RecordLocation
    ) throws(StateError) {
        var reader = BaseReader(length: line.length)
        try line.read { piece, isLast throws(StateError) in
            try Self.reading { () throws(QueueRecordError) in
                try reader.read(piece, isLast: isLast)
            }
        }
        try Self.reading { () throws(QueueRecordError) in
            try queue.apply(&reader, time: line.start.time)
        }
        begin(after: line.start.n, at: location)
    }

    /// A checkpoint stands behind its record, a base record is one.
    private mutating func begin(after n: UInt64, at location: RecordLocation) {
        ids = DeduplicationIndex(from: location.length == 0 ? n + 1 : n)
        settingsVersion = SettingsVersion()
    }

    mutating func apply(
        _ record: QueueRecord, n: UInt64, time: Timestamp, at location: RecordLocation
    ) {
        queue.apply(record, n: n, time: time, at: RecordPlace(location))
        switch record {
        case .base: begin(after: n, at: location)
        case .set: settingsVersion = SettingsVersion()
        case .send(let messages), .take(_, _, let messages): note(messages, n, at: location)
        default: break
        }
    }

    /// As above, of a send's messages.
    mutating func apply(
        send messages: [QueueRecord.NewMessage], n: UInt64, time: Timestamp,
        at location: RecordLocation
    ) {
        queue.apply(send: messages, n: n, time: time, at: RecordPlace(location))
        note(messages, n, at: location)
    }

    private mutating func note(
        _ messages: [QueueRecord.NewMessage], _ n: UInt64, at location: RecordLocation
    ) {
        guard queue.settings.isFIFO else { return }
        for (index, message) in messages.enumerated() {
            guard let key = queue.deduplicationKey(of: message) else { continue }
            ids.note(key, n: n, at: location, index: UInt8(index))
        }
    }

    package static func == (lhs: QueueJournalState, rhs: QueueJournalState) -> Bool {
        lhs.queue == rhs.queue
    }

    package var oldestSegment: UInt64? { queue.oldestSegment }

    /// A message that is received and deleted leaves about 230 bytes.
    package var bytesToEmpty: Int { Int(min(queue.messageCount, 1 << 20)) * 256 }

    package var historyBytes: UInt64? {
        queue.settings.historyBytes.map { UInt64(clamping: $0) }
    }

    package func encodeBase<Failure: Error>(
        to bytes: inout [UInt8], spill: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        try queue.appendBase(to: &bytes, spill: spill)
    }
}

/// Tells settings from others without looking into them.
final class SettingsVersion: Sendable {}

extension JournalSession where State == QueueJournalState {
    /// Appends what was decided, and applies it as it stands: its line, read back, says the same.
    mutating func append(_ record: QueueRecord) throws(JournalError) {
        let location = try append(
            usesReserve: record.letsWorkGoOn, unapplied: { record.append(to: &$0) })
        if record.isNews(to: state.queue) { news += 1 }
        state.apply(record, n: lastN, time: now, at: location)
    }

    // The same for the most frequent ones, without a record's copies.

    mutating func append(send messages: [QueueRecord.NewMessage]) throws(JournalError) {
        let location = try append(
            usesReserve: false, unapplied: { QueueRecord.append(send: messages, to: &$0) })
        news += 1
        state.apply(send: messages, n: lastN, time: now, at: location)
    }

    mutating func append(_ receive: QueueRecord.Receive) throws(JournalError) {
        _ = try append(usesReserve: true, unapplied: { receive.append(to: &$0) })
        state.queue.apply(receive, time: now)
    }

    mutating func append(delete places: [Place]) throws(JournalError) {
        _ = try append(
            usesReserve: true, unapplied: { QueueRecord.append(delete: places, to: &$0) })
        if state.queue.isDeleteNews { news += 1 }
        state.queue.apply(delete: places, time: now)
    }
}

extension QueueRecord {
    /// Whether messages may be there for receivers that were not before.
    fileprivate func isNews(to queue: QueueState) -> Bool {
        switch self {
        case .receive, .retry: false
        case .delete: queue.isDeleteNews
        default: true
        }
    }

    /// Whether it takes messages out or on, and so is written also when the disk is full.
    fileprivate var letsWorkGoOn: Bool {
        switch self {
        case .receive, .retry, .delete, .visibility, .purge, .transfer, .transferred, .carry,
            .moveTask, .moveTaskStatus:
            true
        case .base, .send, .take, .requeue, .set: false
        }
    }
}

extension QueueState {
    /// A message that is gone may have been in its group's way, or one too many in flight.
    fileprivate var isDeleteNews: Bool { settings.isFIFO || mayBeFull }
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
