import JSON
import Journal
import QueueModel

/// The queue model as a journal's fold.
package struct QueueJournalState: JournaledState, Equatable {
    package var queue = QueueState()

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

    package var historyBytes: UInt64? {
        queue.settings.historyBytes.map { UInt64(clamping: $0) }
    }

    package func encodeBase(to bytes: inout [UInt8]) {
        QueueRecord.base(queue.json).append(to: &bytes)
    }
}

extension JournalSession where State == QueueJournalState {
    /// Appends what was decided, and applies it as it stands: its line, read back, says the same.
    mutating func append(_ record: QueueRecord) throws(JournalError) {
        let location = try append(
            usesReserve: record.letsWorkGoOn, unapplied: { record.append(to: &$0) })
        state.queue.apply(record, n: lastN, time: now, at: RecordPlace(location))
    }
}

extension QueueRecord {
    /// Whether it takes messages out or on, and so is written also when the disk is full.
    fileprivate var letsWorkGoOn: Bool {
        switch self {
        case .receive, .delete, .visibility, .purge, .transfer, .transferred, .carry: true
        case .base, .send, .take, .requeue, .set: false
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
