import JSON
import Journal
import Posix
import QueueModel

/// Queues begin and end.
extension QueueDirectory {
    /// Makes a queue. A name that ends in `.fifo` makes it a FIFO queue.
    ///
    /// - Parameters:
    ///   - waitsAfterRemoval: whether a name whose queue was removed within a minute is refused
    ///     (`QueueError.deletedRecently`), as AWS refuses it.
    ///   - checksRedrive: whether the dead-letter queue must take this one's dead letters by now.
    package func create(
        _ name: String, _ settings: QueueSettings, waitsAfterRemoval: Bool = false,
        checksRedrive: Bool = true
    ) throws {
        guard Self.isValid(name), name.hasSuffix(".fifo") == settings.isFIFO else {
            throw QueueError.invalidName(name)
        }
        try storage.makeDirectory(folder)
        clearGraves()
        let lock = try takeLivesLock()
        defer { lock.unlock() }
        try checkIsFree(name)
        if checksRedrive { try checkRedrive(from: name, settings) }
        if waitsAfterRemoval { try checkCooldown(name) }
        // Made under a name that no queue can have, and then there at once, wholly.
        let path = unfinishedPath(of: name)
        do {
            try build(name, in: path, settings).journal.settleName {
                crashPoint("before-queue-rename")
                try storage.rename(path, to: folderPath(of: name))
                forget(name)
                forgetRemoval(name)
            }
        } catch {
            try? storage.removeTree(path)
            if let error = error as? SystemError, error.isOccupied { throw QueueError.exists(name) }
            throw error
        }
        forgetTransferNumbers(of: name)
    }

    /// A name that no queue can have, for one that is being made. Should its maker die, it goes
    /// with what others leave behind.
    func unfinishedPath(of name: String) -> String {
        hiddenPath("new-\(name)-\(environment.messageID().text)-\(environment.processID)")
    }

    /// Where a queue was ever made, this file is.
    static let livesLock = ".lives.lock"

    /// The right to make and to remove queues: what a queue leaves to the next of its name is read
    /// and written by one process at a time.
    private func takeLivesLock() throws -> any JournalFile {
        let file = try storage.open("\(folder)/\(Self.livesLock)", creating: true)
        try file.lock(options)
        return file
    }

    /// - Throws: `QueueError.exists` if the name has a queue that nobody has removed.
    private func checkIsFree(_ name: String) throws {
        guard try storage.isDirectory(folderPath(of: name)) else { return }
        do {
            _ = try withQueue(name) { try $0.settings }
        } catch QueueError.noSuchQueue, JournalError.removed {
            return
        }
        throw QueueError.exists(name)
    }

    private func build(
        _ name: String, in path: String, _ settings: QueueSettings
    ) throws -> Queue {
        let queue = try open(name, in: path, creating: true)
        defer { queue.close() }
        try queue.set(settings)
        let numbers = try transferNumbers(of: name)
        if numbers != TransferNumbers() {
            try queue.commit { try $0.append($0.state.queue.continuing(numbers)) }
        }
        // Whatever its durability, it must not come back as another queue.
        try queue.settle()
        return queue
    }

    /// Removes a queue and its journal.
    ///
    /// - Returns: how many messages it held; `nil` if its journal was damaged.
    /// - Throws: `holdsMessages` unless it is empty or `force` is set; why messages that are on
    ///   their way to another queue do not arrive there, or may not stay (`finishLastTransfers`).
    @discardableResult
    package func remove(_ name: String, force: Bool) throws -> UInt64? {
        guard try names().contains(name) else {
            throw QueueError.noSuchQueue(name, existing: try names())
        }
        // What takes long happens while others make and remove queues.
        try? withQueue(name) { try finishTransfers(of: $0) }
        let count = try putOutOfSight(name, force: force)
        clearGraves()
        return count
    }

    /// How often a removal begins again because others have put messages on their way meanwhile.
    private static let removalAttempts = 100

    private func putOutOfSight(_ name: String, force: Bool) throws -> UInt64? {
        let lock = try takeLivesLock()
        defer { lock.unlock() }
        var count: UInt64?
        do {
            try withQueue(name) { queue in
                for _ in 0..<Self.removalAttempts {
                    count = try end(queue, force: force)
                    if count != nil { return }
                }
                throw JournalError.overloaded
            }
        } catch QueueError.journal(.damaged, name) where force {
            try bury(name, isEnding: true)
        }
        noteRemoval(name)
        forget(name)
        return count
    }

    /// - Returns: how many messages it held; `nil` if it goes on, as there is something on its way.
    private func end(_ queue: Queue, force: Bool) throws -> UInt64? {
        guard let lastTransfer = try finishLastTransfers(of: queue) else { return nil }
        var count: UInt64?
        do {
            try queue.journal.end { session in
                let state = session.state.queue
                guard state.lastTransfer == lastTransfer else { throw HasBegunTransfer() }
                guard force || state.messageCount == 0 else {
                    throw QueueError.holdsMessages(queue.name, count: state.messageCount)
                }
                try keepTransferNumbers(state.transferNumbers, of: queue.name)
                count = state.messageCount
            } bury: {
                try moveToGrave(queue.name)
            }
        } catch is HasBegunTransfer {
            return nil
        }
        return count
    }

    private struct HasBegunTransfer: Error {}

    /// Takes a queue's folder out of sight whose journal was ended.
    /// - Parameter isEnding: also if it was not.
    func bury(_ name: String, isEnding: Bool = false) throws {
        do throws(JournalError) {
            try JournalRemoval.finish(
                folder: folderPath(of: name), storage: storage, options: options,
                isEnding: isEnding
            ) { () throws(SystemError) in try moveToGrave(name) }
        } catch {
            throw QueueError.journal(error, queue: name)
        }
    }

    /// Ends a queue's journal for everybody who has it open, and leaves its folder where it is:
    /// whoever calls this deletes them all.
    func end(_ name: String) throws(JournalError) {
        try JournalRemoval.finish(
            folder: folderPath(of: name), storage: storage, options: options, isEnding: true
        ) {}
    }

    /// In one step, under a name that no queue can have. The caller holds the journal's lock, and
    /// deletes it without: a large queue takes a while.
    private func moveToGrave(_ name: String) throws(SystemError) {
        let grave = "removed-\(name)-\(environment.messageID().text)-\(environment.processID)"
        try storage.rename(folderPath(of: name), to: hiddenPath(grave))
        try storage.syncDirectory(folder)
    }

    /// Deletes queues that this process has removed, and what dead ones left of those that they
    /// removed, or were making. What cannot be deleted now is the next one's; under no lock, since
    /// it is no matter who deletes what.
    func clearGraves() {
        let doomed = ((try? storage.list(folder)) ?? []).filter(isDoomed)
        // Whoever buried one may have died before that was on the disk: a power cut would give the
        // queue its name back, and nothing in it.
        guard !doomed.isEmpty, (try? storage.syncDirectory(folder)) != nil else { return }
        for entry in doomed { try? storage.removeTree("\(folder)/\(entry)") }
    }

    private func isDoomed(_ entry: String) -> Bool {
        let isGrave = entry.hasPrefix(".removed-")
        guard isGrave || entry.hasPrefix(".new-"),
            let process = entry.split(separator: "-").last.flatMap({ Int32($0) })
        else { return false }
        return isGrave && process == environment.processID || !environment.isRunning(process)
    }
}
