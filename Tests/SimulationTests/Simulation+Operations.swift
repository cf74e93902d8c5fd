import JSON
import QueueModel

@testable import Services

/// What the steps do to queues, and what they are told.
extension Simulation {
    enum Answer {
        case sent([Outcome<SentMessage>])
        case received([Queue.Delivery])
        case deleted([Outcome<Void>])
        case done
    }

    func carryOut(_ step: Step, _ process: SimulatedProcess) {
        guard let operation = operation(for: step), let index = frames.indices.last else { return }
        if step.isSubmitted, canBeSubmitted(operation) {
            return submit(operation, process)
        }
        // A thread that waits would wait for ever for work that no other one does.
        finishJobs(of: process)
        guard violation == nil, process.isAlive, !world.hasLostPower else { return }
        begin(operation)
        let answer = Result { try process.wait { try ask(operation, process) } }
        guard violation == nil else { return }
        guard !world.hasLostPower else {
            // Who was interrupted was looked at before that.
            if cutOff == nil, frames[index].operation != nil { cutOff = operation }
            frames[index].operation = nil
            return
        }
        let isQuiet = process.isAlive && !process.hasFailed && world.capacity == nil
        let before = tracks[operation.queue]?.current
        observe(quietly: isQuiet && frames[index].step.interruptions.isEmpty)
        let frame = frames[index]
        frames[index].operation = nil
        guard violation == nil, process.isAlive, let before else { return }
        switch answer {
        case .success(let answer): check(answer, frame)
        case .failure(let error):
            check(error, frame, before, mayFail: process.hasFailed || world.capacity != nil)
        }
    }

    /// Of a FIFO queue's records that are done together, a later one may turn out to be no duplicate.
    private func canBeSubmitted(_ operation: Operation) -> Bool {
        guard case .send(let entries) = operation.kind else { return operation.canBeSubmitted }
        return entries.count <= QueueLimits.batchEntries
            || tracks[operation.queue]?.current.settings.isFIFO == false
    }

    func begin(_ operation: Operation) {
        guard let index = frames.indices.last else { return }
        frames[index].operation = operation
        frames[index].startIndex = tracks[operation.queue]?.currentIndex ?? 0
    }

    private func operation(for step: Step) -> Operation? {
        guard let queue = tracks[step.queue]?.current,
            let setup = scenario.queues.first(where: { $0.name == step.queue })
        else { return nil }
        let kind: Operation.Kind
        // Most who find no queue make it.
        let isMissed = !queue.isThere && step.salt % 3 != 0
        switch isMissed ? .create : step.plainAction {
        case .create: kind = .create(setup.settings)
        case .remove(let force): kind = .remove(force: force)
        case .send(let entries):
            // Looking at all of them after each step has its price.
            guard queue.messages.count < Scenario.messages else { return nil }
            kind = .send(
                entries.enumerated().map { index, entry in
                    Operation.Entry(
                        token: "s\(step.number).\(index)", bytes: entry.bytes, group: entry.group,
                        deduplicationID: entry.deduplicationID,
                        delaySeconds: entry.delaySeconds ?? 0)
                })
        case .receive(let limit, let seconds, let attempt):
            kind = .receive(limit: limit, timeoutSeconds: seconds, attempt: attempt)
        case .delete(let picks):
            let handles = picks.compactMap { receipt($0, of: step.queue)?.handle }
            guard !handles.isEmpty else { return nil }
            kind = .delete(handles: handles)
        case .changeVisibility(let pick, let seconds):
            guard let receipt = receipt(pick, of: step.queue) else { return nil }
            kind = .changeVisibility(handle: receipt.handle, seconds: seconds)
        case .purge: kind = .purge
        case .set(let setting):
            var settings = queue.settings
            switch setting {
            case .visibilityTimeout(let seconds): settings.visibilityTimeoutSeconds = seconds
            case .retention(let seconds): settings.retentionSeconds = seconds
            case .maxReceiveCount(let count): settings.redrivePolicy?.maxReceiveCount = count
            case .delay(let seconds): settings.delaySeconds = seconds
            }
            kind = .set(settings)
        case .redrive: kind = .redrive
        case .settle: kind = .settle
        default: return nil
        }
        return Operation(kind: kind, queue: step.queue, clock: world.now)
    }

    /// The receipt nearest to a number: the same one as long as it is there.
    private func receipt(_ pick: UInt64, of queue: String) -> Receipt? {
        receipts.filter { $0.queue == queue }
            .min { Generator.mix($0.key ^ pick) < Generator.mix($1.key ^ pick) }
    }

    private func ask(_ operation: Operation, _ process: SimulatedProcess) throws -> Answer {
        guard let queues = process.queues else { return .done }
        switch operation.kind {
        case .create(let settings):
            try queues.create(operation.queue, settings)
            return .done
        case .remove(let force):
            try queues.remove(operation.queue, force: force)
            return .done
        default: break
        }
        var isRepeated = false
        return try queues.withQueue(operation.queue) { queue in
            // If there is another queue by now, it is for that.
            if isRepeated, let index = frames.indices.last { frames[index].isEffective = false }
            isRepeated = true
            return try ask(operation, of: queue, queues)
        }
    }

    private func ask(
        _ operation: Operation, of queue: Queue, _ queues: QueueDirectory
    ) throws -> Answer {
        switch operation.kind {
        case .create, .remove: break
        case .send(let entries):
            let messages = entries.map(Self.entry)
            // Several records with one lock and one sync.
            guard messages.count > QueueLimits.batchEntries else {
                return .sent(try queue.send(messages))
            }
            var results: [Outcome<SentMessage>] = []
            try queue.sendBulk(messages) { results.append($0) }
            return .sent(results)
        case .receive(let limit, let seconds, let attempt):
            return .received(
                try queue.receive(
                    upTo: limit, timeoutSeconds: seconds, wait: .zero, attempt: attempt,
                    movingTo: queues))
        case .delete(let handles): return .deleted(try queue.delete(handles))
        case .changeVisibility(let handle, let seconds):
            try queue.changeVisibility(of: handle, toSeconds: seconds)
        case .purge: try queue.purge()
        case .set(let settings): try queue.set(settings)
        case .settle: try queue.settle()
        case .redrive:
            let peer = scenario.queues.first { $0.name == operation.queue }?.peer
            _ = try queues.redrive(
                operation.queue, to: peer, rate: nil, isCancelled: { false }, progress: { _ in })
        }
        return .done
    }

    static func entry(_ planned: Operation.Entry) -> SendEntry {
        let bytes = max(planned.token.utf8.count + 1, planned.bytes)
        let body = Array(planned.token.utf8) + [UInt8(ascii: " ")]
        let padding = [UInt8](repeating: UInt8(ascii: "x"), count: bytes - body.count)
        var entry = SendEntry(escapedBody: body + padding, size: bytes)
        entry.group = planned.group
        entry.deduplicationID = planned.deduplicationID
        if planned.delaySeconds > 0 { entry.delaySeconds = planned.delaySeconds }
        return entry
    }
}
