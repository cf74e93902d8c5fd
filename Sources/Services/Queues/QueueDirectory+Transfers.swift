import JSON
import Journal
import QueueModel

extension QueueDirectory {
    /// Carries out the moves to dead-letter queues that are decided but not confirmed. The taker
    /// remembers each giver's numbers, so a move cut at any step is neither lost nor done twice.
    package func finishTransfers(of giver: Queue) throws {
        let (transfers, created) = try giver.journal.read {
            ($0.state.queue.transfers, $0.state.queue.created?.milliseconds ?? 0)
        }
        let origin = "\(giver.name)@\(created)"
        // A taker that does not open now gets none of them: it remembers the highest number alone.
        var unreachable: Set<String> = []
        for known in transfers where !unreachable.contains(known.target) {
            // One that does not allow it any more lets them wait as well.
            guard let taker = try? queue(known.target),
                try known.isMove || taker.settings.redriveAllow.allows(giver.name)
            else {
                unreachable.insert(known.target)
                continue
            }
            let number = known.number
            let messages = try giver.journal.read { session -> [QueueRecord.NewMessage]? in
                // Meanwhile another process may have finished it, or carried its messages on.
                guard
                    let transfer = session.state.queue.transfers.first(where: {
                        $0.number == number
                    })
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
                    message.id = MessageID(environment.messageID())
                    message.sent = nil
                    message.receiveCount = 0
                    message.source = nil
                    message.deduplicationID = isFIFO ? message.messageID : nil
                    return message
                }
            }
            guard let messages else { continue }
            try giver.settle()
            crashPoint("before-take")
            try taker.commit { session in
                let last = session.state.queue.taken[origin] ?? 0
                guard last < number else { return }
                let record = QueueRecord.take(
                    from: origin, number: number, messages)
                try session.append(record)
            }
            crashPoint("after-take")
            try giver.commit(isDurable: { _ in false }) { session in
                guard session.state.queue.transfers.contains(where: { $0.number == number })
                else { return }
                try session.append(.transferred(number: number))
            }
        }
    }
}
