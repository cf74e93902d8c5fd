import Journal
import Posix
import QueueModel
import Synchronization

/// While a queue has messages on their way to another, that one's folder says so:
/// `arriving-<giver>` holds the number of the process that is at it. Who looks for messages there
/// finishes what a dead one has left.
///
/// Nobody syncs such a file, and nothing rests on it: where it is missing, who opens the giver
/// next goes on.
extension QueueDirectory {
    /// Finishes what dead processes have left on its way to a queue. Looks at its folder alone if
    /// there is nothing.
    ///
    /// - Returns: whether there was something.
    @discardableResult
    package func finishArrivals(at name: String) -> Bool {
        let folder = folderPath(of: name)
        var givers = ((try? storage.list(folder)) ?? []).compactMap(ArrivalMark.giver(ofFile:))
        givers.removeAll { isAtWork(on: ArrivalMark.path(in: folder, from: $0)) }
        for giver in givers {
            do {
                try withQueue(giver) { queue in
                    try finishTransfers(of: queue)
                    try queue.journal.read { queue.clearMark(at: name, $0) }
                }
            } catch QueueError.noSuchQueue {
                try? storage.remove(ArrivalMark.path(in: folder, from: giver))
            } catch {
                continue  // for the next who looks
            }
        }
        return !givers.isEmpty
    }

    /// Whether the process that a mark names is there.
    private func isAtWork(on mark: String) -> Bool {
        guard let bytes = try? storage.open(mark, creating: false).bytes(at: 0, count: 16),
            let process = ArrivalMark.process(in: bytes)
        else { return false }
        return environment.isRunning(process)
    }
}

private enum ArrivalMark {
    private static let prefix = "arriving-"

    static func path(in folder: String, from giver: String) -> String {
        "\(folder)/\(prefix)\(giver)"
    }

    static func giver(ofFile name: String) -> String? {
        name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
    }

    /// What another has written there before may be longer.
    static func content(_ process: Int32) -> [UInt8] { Array("\(process)\n".utf8) }

    static func process(in bytes: [UInt8]) -> Int32? {
        Int32(String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self))
    }
}

extension Queue {
    /// How often who finds nothing in a queue that is asked all the time looks at its folder.
    private static let lookAroundInterval = Duration.seconds(1)

    /// Whether it is time for `QueueDirectory.finishArrivals` once more; says so to one of all who
    /// ask.
    func takeLookAround() -> Bool {
        let now = environment.nanoseconds()
        let due = nextLookAround.load(ordering: .relaxed)
        guard now >= due else { return false }
        let next = now + Self.lookAroundInterval.nanoseconds
        return nextLookAround.compareExchange(
            expected: due, desired: next, ordering: .relaxed
        ).exchanged
    }

    /// Sends messages on their way to another queue; its folder says so from before on, and that
    /// this process is at it.
    func sendAway(
        _ transfer: QueueRecord, _ session: inout JournalSession<QueueJournalState>
    ) throws {
        if case .transfer(_, let target, _, _) = transfer {
            let mark = try? environment.storage.open(markPath(at: target), creating: true)
            try? mark?.writeAll(ArrivalMark.content(environment.processID), at: 0)
        }
        try session.append(transfer)
    }

    /// Once nothing is on its way to that queue any more; under the lock.
    func clearMark(at target: String, _ session: JournalSession<QueueJournalState>) {
        guard !session.state.queue.transfers.contains(where: { $0.target == target }) else {
            return
        }
        try? environment.storage.remove(markPath(at: target))
    }

    private func markPath(at target: String) -> String {
        ArrivalMark.path(in: "\(FileSystem.parent(of: journal.folder))/\(target)", from: name)
    }
}
