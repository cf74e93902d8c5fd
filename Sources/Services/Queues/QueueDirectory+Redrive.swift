import Journal
import Posix
import QueueModel

extension QueueDirectory {
    /// Moves every visible message of a dead-letter queue to its source, as new messages (SQS,
    /// *StartMessageMoveTask*). One process at a time; cut at any step, no message is lost or
    /// moved twice, and the next call goes on.
    ///
    /// - Parameters:
    ///   - target: `nil` is the one queue whose dead letters it takes.
    ///   - rate: messages a second at most; `nil` is as fast as it goes.
    ///   - progress: gets the count so far after each batch.
    /// - Returns: where they went, and how many.
    package func redrive(
        _ name: String, to target: String?, rate: Int?, isCancelled: () -> Bool,
        progress: (Int) -> Void
    ) throws -> (target: String, count: Int) {
        let source = try queue(name)
        let target = try target ?? self.source(of: name)
        guard name != target, try queue(target).settings.isFIFO == source.settings.isFIFO else {
            throw SQSError.invalidParameter("A message cannot be moved from \(name) to \(target).")
        }
        let lock = try storage.open(folderPath(of: name) + "/redrive.lock", creating: true)
        guard try lock.tryLock() else {
            let holder = FileSystem.lockHolder(of: try lock.status())
            throw QueueError.isBeingRedriven(name, holder: holder)
        }
        defer { lock.unlock() }
        try finishTransfers(of: source)
        let start = SystemClock.monotonicNanoseconds()
        var count = 0
        while !isCancelled() {
            let moved = try source.beginMove(
                to: target, upTo: min(QueueLimits.batchEntries, rate ?? .max))
            guard moved > 0 else { break }
            try finishTransfers(of: source)
            count += moved
            progress(count)
            guard let rate else { continue }
            let due = start + UInt64(count) * 1_000_000_000 / UInt64(rate)
            while SystemClock.monotonicNanoseconds() < due, !isCancelled() {
                SystemClock.pause(microseconds: 1000)
            }
        }
        return (target, count)
    }

    private func source(of name: String) throws -> String {
        let sources = try names().filter {
            try queue($0).settings.redrivePolicy?.deadLetterQueue == name
        }
        guard let source = sources.first, sources.count == 1 else {
            throw QueueError.unclearSource(name, sources: sources)
        }
        return source
    }
}
