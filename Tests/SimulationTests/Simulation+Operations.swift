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
        frames[index].operation = operation
        frames[index].startIndex = tracks[operation.queue]?.currentIndex ?? 0
        let answer = Result { try ask(operation, process) }
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
        case .success(let answer): check(answer, frame, before)
        case .failure(let error): check(error, frame, before)
        }
    }

    private func operation(for step: Step) -> Operation? {
        guard let queue = tracks[step.queue]?.current else { return nil }
        let kind: Operation.Kind
        switch step.action {
        case .send(let entries):
            // Looking at all of them after each step has its price.
            guard queue.messages.count < Scenario.messages else { return nil }
            kind = .send(
                entries.enumerated().map { index, entry in
                    Operation.Entry(
                        token: "s\(step.number).\(index)", group: entry.group,
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
        let queue = try queues.queue(operation.queue)
        switch operation.kind {
        case .send(let entries):
            let step = frames.last?.step
            let messages = entries.enumerated().map { Self.entry($1, step, $0) }
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

    private static func entry(
        _ planned: Operation.Entry, _ step: Step?, _ index: Int
    ) -> SendEntry {
        var bytes = planned.token.utf8.count + 1
        if case .send(let entries)? = step?.action { bytes = max(bytes, entries[index].bytes) }
        let body = Array(planned.token.utf8) + [UInt8(ascii: " ")]
        let padding = [UInt8](repeating: UInt8(ascii: "x"), count: bytes - body.count)
        var entry = SendEntry(escapedBody: body + padding, size: bytes)
        entry.group = planned.group
        entry.deduplicationID = planned.deduplicationID
        if planned.delaySeconds > 0 { entry.delaySeconds = planned.delaySeconds }
        return entry
    }
}
