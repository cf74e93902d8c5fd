import Journal
import Posix
import QueueModel

extension QueueDirectory {
    /// Removes a queue and its journal.
    ///
    /// - Returns: how many messages it held; `nil` if its journal was damaged.
    /// - Throws: `holdsMessages` unless it is empty or `force` is set.
    @discardableResult
    package func remove(_ name: String, force: Bool) throws -> UInt64? {
        let queue: Queue
        do {
            queue = try self.queue(name)
        } catch QueueError.journal(.damaged, _) where force {
            try bury(name)
            return nil
        }
        var count: UInt64 = 0
        try queue.journal.end { session in
            count = session.state.queue.messageCount
            guard force || count == 0 else { throw QueueError.holdsMessages(name, count: count) }
        } bury: {
            try bury(name)
        }
        noteRemoval(name)
        forget(name)
        return count
    }

    /// Removes what dead processes left of queues that they removed.
    private func clearGraves() throws(SystemError) {
        for entry in try storage.list(folder) where entry.hasPrefix(".removed-") {
            guard let process = entry.split(separator: "-").last.flatMap({ Int32($0) }),
                !ProcessEnvironment.isRunning(process)
            else { continue }
            try storage.removeTree("\(folder)/\(entry)")
        }
    }

    /// Takes a queue's folder out of sight in one step; what a crash leaves of it has a name that
    /// no queue can have.
    func bury(_ name: String) throws(SystemError) {
        let grave = "\(folder)/.removed-\(name)-\(environment.processID)"
        try? clearGraves()
        try storage.removeTree(grave)
        try storage.rename("\(folder)/\(name)", to: grave)
        try storage.syncDirectory(folder)
        try storage.removeTree(grave)
    }
}
