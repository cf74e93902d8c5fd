import JSON
import Posix

/// What a journal is the history of: a pure fold over its records.
package protocol JournaledState: Sendable {
    init()

    /// The only way this state changes, live or on replay. A `base` record replaces the whole
    /// state; members it does not know are passed over.
    /// - Parameter line: the record's whole JSON object, without the newline.
    /// - Throws: `StateError` if the record cannot follow: the journal is damaged, or of a newer
    /// msorch.
    mutating func apply(
        _ line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at location: RecordLocation
    ) throws(StateError)

    /// The oldest segment that holds a record which this state may still read; `nil` if it needs
    /// none. Older ones may be deleted.
    var oldestSegment: UInt64? { get }

    /// How many bytes of segments that it needs no more are kept as history; `nil` is the
    /// journal's own (`JournalOptions.historyBytes`).
    var historyBytes: UInt64? { get }

    /// Where the records that it still reads in order begin; as `oldestSegment`, but for those that
    /// it needs one by one.
    var backlogSegment: UInt64? { get }

    /// About how many bytes of records it would take to take out all that it holds.
    var bytesToEmpty: Int { get }

    /// Whether nothing that it holds lies in a record.
    var isEmpty: Bool { get }

    /// Bytes of the records before `segment` that it needs one by one, by segment.
    func straggling(before segment: UInt64) -> [UInt64: UInt64]

    /// The members of a record that brings again some of what lies before `segment`, oldest first,
    /// about `bytes` of it; `nil` if nothing does. Applied, it is where that lies.
    func carry(
        before segment: UInt64, upToBytes bytes: Int, _ read: (RecordLocation) throws -> [UInt8]
    ) throws -> [UInt8]?

    /// How long segments are kept for it after their last record, whatever lies in them.
    var keepsSegments: Duration { get }

    /// Whether what it can derive from the records should go to files of its own soon.
    var isIndexDue: Bool { get }

    /// Writes such files, which may vanish at any time; everything that `session` appended is on
    /// the disk. Called before each checkpoint and new segment: it starts with an empty memory when
    /// the journal is opened from there.
    mutating func writeIndex(_ session: JournalSession<Self>) throws

    /// Lets go of what such files would get: nobody will ask this one for it.
    mutating func dropIndex()

    /// The members of a base record: `"op":"base",…`. Applied to a fresh state it gives this one
    /// back.
    /// - Parameter spill: may be called now and then, and may take what stands there: whoever has
    ///   much to write need not have it in memory at once.
    func encodeBase<Failure: Error>(
        to bytes: inout [UInt8], spill: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure)

    /// Applies what `encodeBase` wrote; nothing changes unless all of it reads well.
    mutating func restore(
        _ line: LongLine, at location: RecordLocation
    ) throws(StateError)
}

/// A state that holds its records as they are: nothing of it is ever carried on.
extension JournaledState {
    package mutating func restore(
        _ line: LongLine, at location: RecordLocation
    ) throws(StateError) {
        let whole = try line.whole()
        try whole.withBytes { bytes throws(StateError) in
            try apply(bytes, n: line.start.n, time: line.start.time, at: location)
        }
    }
    package var bytesToEmpty: Int { 0 }
    package var historyBytes: UInt64? { nil }
    package var backlogSegment: UInt64? { oldestSegment }
    package var isEmpty: Bool { false }
    package var keepsSegments: Duration { .zero }
    package var isIndexDue: Bool { false }
    package mutating func writeIndex(_ session: JournalSession<Self>) throws {}
    package mutating func dropIndex() {}
    package func straggling(before segment: UInt64) -> [UInt64: UInt64] { [:] }
    package func carry(
        before segment: UInt64, upToBytes bytes: Int, _ read: (RecordLocation) throws -> [UInt8]
    ) throws -> [UInt8]? { nil }
}

/// A record that a state cannot take, in words for the user.
package struct StateError: Error, Equatable, Sendable {
    package var message: String
    /// The record is whole: a newer msorch has written it.
    package var isNewer: Bool
    package init(_ message: String, isNewer: Bool = false) {
        self.message = message
        self.isNewer = isNewer
    }
}

/// Where a record lies.
package struct RecordLocation: Hashable, Sendable {
    /// The segment's name: the sequence number of its first record.
    package var segment: UInt64
    package var offset: UInt64
    /// Bytes, the newline included; 0 for a place behind the last record.
    package var length: UInt32

    package init(segment: UInt64, offset: UInt64, length: UInt32) {
        self.segment = segment
        self.offset = offset
        self.length = length
    }

    /// The place right behind it.
    package var next: RecordLocation {
        RecordLocation(segment: segment, offset: offset + UInt64(length), length: 0)
    }
}

/// One record as it was read.
package struct RecordLine: Sendable {
    package var n: UInt64
    package var time: Timestamp
    package var location: RecordLocation
    /// The JSON object, without the newline.
    package var bytes: [UInt8]
}

/// Why a journal cannot do what it was asked to.
package enum JournalError: Error, Equatable, Sendable {
    /// A record that was durable is harmed. Nothing was changed.
    case damaged(file: String, offset: UInt64, reason: String)
    /// A newer msorch has written this. Nothing was changed.
    case newerFormat(file: String, reason: String)
    /// Another process has held the lock for longer than `JournalOptions.lockTimeout`.
    case busy(holder: Int32?)
    /// As many as may wait for their turn do. Nothing was done; later it may be.
    case overloaded
    /// The journal was ended, maybe by another process: it has no folder any more.
    case removed
    /// The system refused. What was asked for was not acknowledged and is not there.
    case storage(SystemError)
    /// A sync failed, and the record did not make it into the segment's replacement.
    case notDurable
    /// A single record larger than `RecordFrame.maximumLength`.
    case recordTooLarge(bytes: Int)
}
