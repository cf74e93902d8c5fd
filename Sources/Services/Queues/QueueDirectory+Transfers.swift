import JSON
import Journal
import Posix
import QueueModel

/// Messages on their way from one queue to another (docs/journal.md, *Transfers*).
extension QueueDirectory {
    /// Carries out the moves to dead-letter queues that are decided but not confirmed. The taker
    /// remembers each giver's numbers, so a move cut at any step is neither lost nor done twice.
    package func finishTransfers(of giver: Queue) throws {
        let (transfers, origin) = try giver.journal.read {
            ($0.state.queue.transfers, $0.state.queue.origin(giver.name))
        }
        // A taker that does not open now gets none of them: it remembers the highest number alone.
        var unreachable: Set<String> = []
        for known in transfers where !unreachable.contains(known.target) {
            guard try isReachable(known, from: giver) else {
                unreachable.insert(known.target)
                continue
            }
            let number = known.number
            guard let messages = try messages(ofTransfer: number, from: giver) else { continue }
            try giver.settle()
            crashPoint("before-take")
            do {
                try withQueue(known.target) { taker in
                    try taker.commit { session in
                        let last = session.state.queue.taken[origin] ?? 0
                        guard last < number else { return }
                        let arriving = session.state.queue.arriving(messages, at: session.now)
                        try session.append(.take(from: origin, number: number, arriving))
                    }
                    taker.observe(QueueActivity(queue: known.target, kind: .taken))
                }
            } catch JournalError.removed, QueueError.noSuchQueue {
                unreachable.insert(known.target)  // gone since
                continue
            }
            crashPoint("after-take")
            try giver.commit(isDurable: { _ in false }) { session in
                guard session.state.queue.transfers.contains(where: { $0.number == number })
                else { return }
                try session.append(.transferred(number: number))
                giver.clearMark(at: known.target, session)
            }
        }
    }

    /// Carries out what a queue that is about to be removed has on its way: nobody could send it
    /// again. What nobody takes, has room for, or can read goes with its queue.
    ///
    /// - Returns: the number of the last transfer that this knows of; `nil` if there is one that
    ///   can arrive by now: to be called again.
    /// - Throws: why one that could arrive did not, or why the power may still take one that did.
    func finishLastTransfers(of giver: Queue) throws -> UInt64? {
        let last = try giver.journal.read { $0.state.queue.lastTransfer }
        var failure: (any Error)?
        do { try finishTransfers(of: giver) } catch { failure = error }
        let (transfers, origin) = try giver.journal.read {
            ($0.state.queue.transfers, $0.state.queue.origin(giver.name))
        }
        var canArrive = false
        // The first of each taker stands for those behind it.
        var targets: Set<String> = []
        for transfer in transfers where targets.insert(transfer.target).inserted {
            guard try !hasArrived(transfer, from: origin), try isReachable(transfer, from: giver)
            else { continue }
            if let failure {
                guard Self.losesTransfers(failure) else { throw failure }
            } else {
                canArrive = true
            }
        }
        return canArrive ? nil : last
    }

    /// Whether its taker has it; then it is on the disk there.
    private func hasArrived(_ transfer: QueueState.Transfer, from origin: String) throws -> Bool {
        do {
            return try withQueue(transfer.target) { taker in
                let taken = try taker.journal.read { $0.state.queue.taken[origin] ?? 0 }
                guard taken >= transfer.number else { return false }
                try taker.settle()
                return true
            }
        } catch QueueError.noSuchQueue, JournalError.removed {
            return false
        }
    }

    /// Whether who removes the giver with force means that, too: it is harmed, or the disk full.
    private static func losesTransfers(_ failure: any Error) -> Bool {
        switch failure {
        case JournalError.damaged: true
        case JournalError.storage(let error): error.isDiskFull
        default: false
        }
    }

    /// Whether the taker is there and takes it. One that does not allow it any more lets it wait.
    private func isReachable(_ transfer: QueueState.Transfer, from giver: Queue) throws -> Bool {
        guard (try? queue(transfer.target)) != nil else { return false }
        do {
            return try withQueue(transfer.target) { taker in
                try transfer.isMove || taker.settings.redriveAllow.allows(giver.name)
            }
        } catch JournalError.removed, QueueError.noSuchQueue {
            return false
        }
    }

    /// The messages as they are to arrive; `nil` if another process has finished it meanwhile.
    private func messages(
        ofTransfer number: UInt64, from giver: Queue
    ) throws -> [QueueRecord.NewMessage]? {
        try giver.journal.read { session -> [QueueRecord.NewMessage]? in
            // Another process may have carried its messages on, too.
            guard
                let transfer = session.state.queue.transfers.first(where: { $0.number == number })
            else { return nil }
            let bodies = try Queue.messages(transfer.messages.map(\.entry), session)
            return zip(transfer.messages, bodies).map { held, body in
                var message = body
                // A FIFO queue starts the message's time anew; a standard one keeps it.
                let isFIFO = transfer.target.hasSuffix(".fifo")
                message.sent = isFIFO ? nil : held.entry.sent
                if isFIFO { message.deduplicationID = message.messageID }
                message.receiveCount = held.receiveCount
                message.delaySeconds = 0
                message.due = nil
                message.source = giver.name
                guard transfer.isMove else { return message }
                // A redriven message is a new one.
                message.id = environment.messageID()
                message.sent = nil
                message.receiveCount = 0
                message.source = nil
                message.deduplicationID = isFIFO ? message.messageID : nil
                return message
            }
        }
    }

    // MARK: numbers

    private func numbersPath(of name: String) -> String { hiddenPath("numbers-\(name)") }

    /// Notes, durably, what a queue that is about to be removed knows of transfers: the next queue
    /// of its name goes on from there (`transferNumbers(of:)`).
    func keepTransferNumbers(_ numbers: TransferNumbers, of name: String) throws(SystemError) {
        guard numbers != TransferNumbers() else { return }
        let path = numbersPath(of: name)
        let bytes = Array(JSONValue.object(numbers.json).serialized().utf8)
        func write() throws(SystemError) {
            try storage.replace(path) { file throws(SystemError) in
                try file.writeAll(bytes, at: 0)
                try file.sync()
            }
        }
        do throws(SystemError) {
            try write()
        } catch {
            guard error.isDiskFull else { throw error }
            // The queue goes: what it keeps for a full disk is free.
            try storage.open("\(folderPath(of: name))/reserve", creating: true).truncate(to: 0)
            try write()
        }
        try storage.syncDirectory(folder)
    }

    /// What the last queue of that name knew; nothing if there was none.
    func transferNumbers(of name: String) throws(SystemError) -> TransferNumbers {
        let file: any JournalFile
        do throws(SystemError) {
            file = try storage.open(numbersPath(of: name), creating: false)
        } catch {
            guard error.isNotFound else { throw error }
            return TransferNumbers()
        }
        let bytes = try file.bytes(at: 0, count: Int(clamping: file.status().size))
        return TransferNumbers(json: (try? JSONValue.parse(bytes)) ?? .null)
    }

    func forgetTransferNumbers(of name: String) { try? storage.remove(numbersPath(of: name)) }
}

extension QueueState {
    /// Who its queue is to those that take from it: the name, and when it was made.
    fileprivate func origin(_ name: String) -> String { "\(name)@\(created?.milliseconds ?? 0)" }
}
