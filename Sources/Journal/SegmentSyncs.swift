import Posix
import Synchronization

/// Syncs of the segment that grows, one at a time. The system tells of a failed sync once: who
/// synced through the same handle at that moment would not hear of it, and count on what is lost.
final class SegmentSyncs: Sendable {
    /// Whose turn it is holds it; the last failure.
    private let turn = Mutex<SystemError?>(nil)
    /// The identity of a file whose sync failed, and 1. Its next sync would succeed, and prove
    /// nothing.
    private let suspect = Atomic<UInt64>(0)

    func isSuspect(_ identity: UInt64) -> Bool {
        suspect.load(ordering: .acquiring) == identity &+ 1
    }

    /// - Throws: whatever the sync throws, or an earlier one of that file threw: it must be
    /// replaced.
    func sync(
        _ file: any JournalFile, _ identity: UInt64, writingAnew unproven: Range<UInt64>? = nil
    ) throws(SystemError) {
        try turn.withLock { (failure) throws(SystemError) in
            try sync(file, identity, writingAnew: unproven, after: &failure)
        }
    }

    /// As `sync`, without waiting for another one.
    /// - Returns: whether it was synced.
    func trySync(_ file: any JournalFile, _ identity: UInt64) throws(SystemError) -> Bool {
        try turn.withLockIfAvailable { (failure) throws(SystemError) in
            try sync(file, identity, writingAnew: nil, after: &failure)
            return true
        } ?? false
    }

    private func sync(
        _ file: any JournalFile, _ identity: UInt64, writingAnew unproven: Range<UInt64>?,
        after failure: inout SystemError?
    ) throws(SystemError) {
        if let failure, isSuspect(identity) { throw failure }
        do throws(SystemError) {
            try file.sync(writingAnew: unproven)
        } catch {
            failure = error
            suspect.store(identity &+ 1, ordering: .releasing)
            throw error
        }
    }

    /// Another file has taken the place of the one that failed.
    func forget() { suspect.store(0, ordering: .releasing) }
}
