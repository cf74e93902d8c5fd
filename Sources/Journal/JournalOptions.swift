/// Limits of one journal.
package struct JournalOptions: Sendable {
    /// A segment that has reached this size is sealed and followed by the next.
    package var segmentBytes: UInt64 = 64 * 1024 * 1024
    /// Segments that hold nothing the state still needs are kept up to this many bytes, as history.
    package var historyBytes: UInt64 = 64 * 1024 * 1024
    /// A segment that has reached this size may be left early, once no message is left.
    package var emptyBytes: UInt64 = 1024 * 1024
    /// What one transaction carries on at most, to let go of old segments.
    package var carryBytes = 1024 * 1024
    /// Kept on the disk for records that make room or let others go on, should the disk be full.
    package var reserveBytes = 512 * 1024
    /// It grows with what the journal holds, so that it can be emptied, up to this.
    package var reserveLimit = 64 * 1024 * 1024
    /// No checkpoint is due before so many bytes were appended.
    package var checkpointBytes: UInt64 = 1024 * 1024
    /// Who has read more than this to open a journal leaves a checkpoint for the next who opens it.
    package var openingBytes: UInt64 = 8 * 1024
    /// Room is written ahead of the records in steps of so many bytes, an eighth of it at first;
    /// 0 is none.
    package var preparedBytes: UInt64 = 512 * 1024
    /// Who has synced so often since the last step may take the next one.
    package var preparingSyncs = 8
    /// How long to wait for other processes' transactions before saying who holds the lock.
    package var lockTimeout: Duration = .seconds(5)

    package init() {}
}
