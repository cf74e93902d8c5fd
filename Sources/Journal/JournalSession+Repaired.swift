import Posix
import Synchronization

/// What becomes of records that wait for a sync while a repair puts another journal in the place of
/// theirs (`Salvage.replace`).
extension JournalSession {
    /// The other journal has every good record of this one, and is on the disk: what can be read
    /// here is durable, what cannot is lost.
    ///
    /// - Returns: `false` if it was no repair that ended this one.
    mutating func settleByRepair() throws(JournalError) -> Bool {
        let isRepaired = try storing { () throws(SystemError) in
            guard try readGeneration() == LockWords.replaced else { return false }
            // Who repaired may have died before it did so.
            try storage.syncDirectory(FileSystem.parent(of: folder))
            return true
        }
        guard isRepaired else { return false }
        let kept = try checksums(in: file)
        let lastKept = kept.keys.max() ?? 0
        let lost =
            unsynced.first { kept[$0.n] != $0.checksum }?.n
            ?? (lastKept < lastN ? lastKept + 1 : nil)
        if let lost { losses.add(lost) }
        durable = max(durable, lost.map { $0 - 1 } ?? lastKept)
        unsynced = []
        return true
    }

    /// Of the good records of a segment, by their numbers.
    func checksums(in file: any JournalFile) throws(JournalError) -> [UInt64: UInt32] {
        var found: [UInt64: UInt32] = [:]
        var lines = LineReader(file, at: 0)
        try storing { () throws(SystemError) in
            while case .line(let bytes) = try lines.peek(), !bytes.isEmpty {
                if let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) {
                    found[frame.n] = frame.checksum
                }
                lines.advance(over: bytes)
            }
        }
        return found
    }
}

extension Journal {
    /// What those who wait are told after `error`, which a look at the newest state has met: where
    /// a repair has settled their records, they find out from these.
    func outcome(
        of error: JournalError, _ session: inout JournalSession<State>
    ) -> Result<Void, JournalError> {
        guard error == .removed else { return .failure(error) }
        do throws(JournalError) {
            guard try session.settleByRepair() else { return .failure(error) }
        } catch {
            return .failure(error)
        }
        let (durable, losses) = (session.durable, session.losses)
        commit.withLock { commit in
            commit.reach.durable = max(commit.reach.durable, durable)
            commit.reach.losses = losses
        }
        return .success(())
    }
}
