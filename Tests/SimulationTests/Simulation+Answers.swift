import JSON
import Journal
import QueueModel

@testable import Services

/// Whether what a living process was told is what happened.
extension Simulation {
    /// It was told that its operation is done.
    func check(_ answer: Answer, _ frame: Frame) {
        guard let operation = frame.operation, let queue = tracks[operation.queue]?.current
        else { return }
        let durability = queue.settings.durability
        var isPromised = durability == .fsync
        switch (operation.kind, answer) {
        case (.send(let entries), .sent(let results)): check(entries, results, frame)
        case (.receive, .received(let deliveries)):
            check(deliveries, frame)
            isPromised = isPromised && queue.settings.isFIFO
        case (.delete(let handles), .deleted(let results)):
            check(handles, results, frame)
            isPromised = isPromised && queue.settings.isFIFO
        case (.purge, _), (.redrive, _), (.set, _): break
        case (.settle, _): isPromised = true
        case (.create, _), (.remove, _):
            isPromised = true
            if frame.effectIndex == nil { fail("\(operation.kind) was acknowledged, in vain") }
        default: isPromised = false
        }
        // A redrive's last confirmation may be undone, and is then made again.
        if case .redrive = operation.kind { return }
        guard isPromised else { return }
        // What changed nothing of its own promises what was there when it began: others may have
        // gone on behind its sync.
        let index = frame.effectIndex ?? frame.startIndex
        tracks[operation.queue]?.makeDurable(upTo: index)
    }

    private func check(
        _ entries: [Operation.Entry], _ results: [Outcome<SentMessage>], _ frame: Frame
    ) {
        for (entry, result) in zip(entries, results) {
            guard case .success = result else { return fail("\(entry) was refused: \(result)") }
        }
        guard let queue = tracks[frame.operation?.queue ?? ""]?.current else { return }
        // It may have been removed since, a duplicate's queue while that was made durable.
        let seen = frame.effects + frame.interrupted.suffix(1)
        let known = queue.deduplications + seen.flatMap(\.deduplications)
        for entry in entries {
            let isThere = frame.effects.contains {
                $0.messages.contains { $0.token == entry.token }
            }
            let key = entry.deduplicationID.map { queue.deduplicationKey($0, entry.group) }
            let isDuplicate = known.contains { $0.id == key }
            if !isThere && !isDuplicate { fail("\(entry) was acknowledged and is not there") }
        }
    }

    private func check(_ deliveries: [Queue.Delivery], _ frame: Frame) {
        let queue = frame.operation?.queue ?? ""
        var states = frame.effects
        if case .receive(_, _, .some)? = frame.operation?.kind, let now = tracks[queue]?.current {
            // Repeated within a millisecond, it changes nothing.
            states += frame.interrupted + [now]
        }
        for (index, delivery) in deliveries.enumerated() {
            let token = QueueView.token(of: delivery.body)
            let handle = delivery.received.handle.text
            let isSeen = states.contains { state in
                state.messages.contains {
                    $0.token == token && $0.handle == handle
                        && $0.receiveCount == delivery.received.receiveCount
                }
            }
            guard isSeen else {
                return fail("\(token) was handed out, and its queue does not know of it")
            }
            receipts.append(
                Receipt(
                    key: UInt64(frame.step.number) << 8 | UInt64(index), queue: queue,
                    token: token, handle: handle))
        }
        if receipts.count > 60 { receipts.removeFirst(receipts.count - 60) }
    }

    private func check(
        _ handles: [String], _ results: [Outcome<Void>], _ frame: Frame
    ) {
        guard let operation = frame.operation, let queue = tracks[operation.queue]?.current
        else { return }
        let time = max(operation.clock, queue.lastTime)
        for (handle, result) in zip(handles, results) {
            guard case .success = result else {
                if !queue.settings.isFIFO { fail("a delete was refused: \(result)") }
                continue
            }
            if let message = queue.deletes(handle, at: time) {
                fail("\(message) was deleted, and is there")
            }
        }
    }

    /// It was refused.
    func check(_ error: any Error, _ frame: Frame, _ before: NaiveQueue, mayFail: Bool) {
        guard let operation = frame.operation else { return }
        let isInterrupted = !frame.step.interruptions.isEmpty
        let mayBeGone =
            isInterrupted || !before.isThere || tracks[operation.queue]?.current.isThere == false
        let time = max(operation.clock, before.lastTime)
        switch (error, operation.kind) {
        case (JournalError.damaged, _), (QueueError.journal(.damaged, _), _):
            fail("\(operation.queue) is called damaged: \(error)")
        case (is SQSError, .purge) where before.refusesPurge(at: time): break
        case (is SQSError, .purge) where !frame.step.interruptions.isEmpty: break
        case (is SQSError, .changeVisibility(let handle, _)):
            guard frame.step.interruptions.isEmpty,
                let message = before.messages.first(where: { $0.handle == handle })
            else { break }
            let isThere = before.isHidden(message, at: time)
            if isThere && !before.isExpired(message, at: time) {
                fail("\(message) was refused: \(error)")
            }
        case (QueueError.isBeingRedriven, .redrive): break
        case (QueueError.noSuchQueue, _) where mayBeGone: break
        case (QueueError.noSuchQueue(let name, _), .redrive)
        where isInterrupted || tracks[name]?.current.isThere == false: break
        case (JournalError.removed, _) where mayBeGone || frame.step.isSubmitted: break
        case (QueueError.exists, .create) where before.isThere || isInterrupted: break
        case (QueueError.holdsMessages, .remove(force: false))
        where !before.messages.isEmpty || before.isGiving || isInterrupted: break
        // Another one is at it.
        case (JournalError.busy, .create), (JournalError.busy, .remove):
            if !mayFail && frames.count < 2 { fail("\(operation) was refused: \(error)") }
        default:
            if !mayFail { fail("\(operation) was refused: \(error)") }
        }
    }
}
