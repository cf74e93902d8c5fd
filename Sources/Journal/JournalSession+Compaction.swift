import JSON
import Posix

/// Giving disk space back. Segments are only ever deleted whole, the oldest first; what few records
/// keep one is carried on to the end of the journal. The caller holds the lock.
extension JournalSession {
    /// Carrying must free this many times the bytes that it writes.
    private static var worth: UInt64 { 4 }
    /// Parts that are carried on at once when no message waits in order any more.
    private static var partsAtTheEnd: Int { 16 }
    /// An empty journal leaves a segment that has reached this part of the history: it is let go of
    /// in pieces of that size.
    private static var emptyShare: UInt64 { 8 }

    /// The segment in which those messages begin that wait in order; the growing one if none does.
    var backlogStart: UInt64 { min(state.backlogSegment ?? segment, segment) }

    /// Whether the backlog has left segments behind since the last look. They may be all there is
    /// to give back, and it can take long until a checkpoint is due.
    var hasPassedSegments: Bool { segments.count > 1 && backlogStart > lookedUpTo }

    private var historyBytes: UInt64 { state.historyBytes ?? options.historyBytes }

    /// Other processes delete segments too, and say nothing.
    package mutating func listSegments() throws(JournalError) {
        segments = try storing { () throws(SystemError) in
            try storage.list(folder).compactMap(SegmentName.parse)
        }
    }

    /// A part of what there is to do: carries some records on, and deletes what is not needed.
    mutating func compact() throws(JournalError) {
        lookedUpTo = backlogStart
        try listSegments()
        // While messages wait there are transactions to come, which go on with the rest.
        let parts = state.backlogSegment == nil ? Self.partsAtTheEnd : 1
        for _ in 0..<parts {
            guard let limit = carryLimit(), try carry(before: limit) else { break }
            lookedUpTo = 0
        }
        try reclaim()
    }

    /// Up to which segment, excluded, carrying pays: the files that become free are several times
    /// as large as the records that are written again.
    private mutating func carryLimit() -> UInt64? {
        let doomed = try? consumed(before: backlogStart)
        guard let doomed, let last = doomed.last else { return nil }
        let straggling = state.straggling(before: last + 1)
        guard !straggling.isEmpty else { return nil }
        var limit: UInt64?
        var freed: UInt64 = 0
        var carried: UInt64 = 0
        for name in doomed {
            freed += sealedSizes[name] ?? 0
            carried += straggling[name] ?? 0
            if freed >= Self.worth * carried { limit = name + 1 }
        }
        return limit
    }

    /// - Returns: whether there was anything to carry.
    private mutating func carry(before limit: UInt64) throws(JournalError) -> Bool {
        let members: [UInt8]?
        do {
            members = try state.carry(before: limit, upToBytes: options.carryBytes) {
                try read($0)
            }
        } catch let error as JournalError {
            throw error
        } catch {
            throw damage(limit, 0, "what it keeps cannot be read: \(error)")
        }
        now = max(now, lastTime)
        crashPoint("before-carry")
        // It gives room back, if not all of what is kept for that.
        guard let members else { return false }
        try append(
            members, usesReserve: members.count < options.reserveBytes / 2, mayRoll: false)
        return true
    }

    /// Sealed segments before `segment` that are no longer kept as history, oldest first.
    private mutating func consumed(
        before segment: UInt64, keeping historyBytes: UInt64? = nil
    ) throws(JournalError) -> [UInt64] {
        let historyBytes = historyBytes ?? self.historyBytes
        var kept: UInt64 = 0
        var doomed: [UInt64] = []
        for name in segments.reversed() where name < segment {
            if let size = sealedSizes[name] {
                kept += size
            } else {
                let file = try openSegment(name)
                let size = try storing { () throws(SystemError) in try file.status().size }
                sealedSizes[name] = size
                kept += size
            }
            if kept > historyBytes { doomed.append(name) }
        }
        return doomed.reversed()
    }

    /// Deletes what is consumed and no longer worth keeping, each for good before the next: what is
    /// left is a journal without gaps. A failure leaves a segment more than needed, no less.
    ///
    /// - Parameter historyBytes: `nil` is the setting's.
    mutating func reclaim(keeping historyBytes: UInt64? = nil) throws(JournalError) {
        guard let oldest = segments.first, oldest < segment else { return }
        let needed = min(state.oldestSegment ?? segment, segment)
        guard oldest < needed else { return }
        var doomed = try consumed(before: needed, keeping: historyBytes)
        if state.keepsSegments > .zero {
            let limit = now - state.keepsSegments
            var old = 0
            while old < doomed.count, let next = segments.first(where: { $0 > doomed[old] }),
                try time(ofSegment: next) <= limit
            { old += 1 }
            doomed.removeLast(doomed.count - old)
        }
        guard !doomed.isEmpty else { return }
        // That it is consumed must itself survive.
        if durable < lastN { try syncHere() }
        try announceDeletion()
        for name in doomed {
            crashPoint("before-segment-delete")
            guard (try? storage.remove(path(of: name))) != nil else { return }
            crashPoint("after-segment-delete")
            guard (try? storage.syncDirectory(folder)) != nil else { return }
            segments.removeAll { $0 == name }
            sealedSizes[name] = nil
        }
    }

    /// Whether nothing is left of what the growing segment held, and it is a good part of the
    /// history that an empty journal may keep, or room that a full disk lacks for the reserve.
    var isWorthLeaving: Bool {
        state.isEmpty && end >= options.emptyBytes
            && (isReserveShort || end >= historyBytes / Self.emptyShare)
    }
}
