import QueueModel
import Synchronization

@testable import Journal
@testable import Services

/// Calls that nobody waits for: what they change is seen at once, what they are told may come steps
/// later, or never if the process dies.
extension Simulation {
    /// One call, until it is answered.
    final class Pending {
        let frame: Frame
        let before: NaiveQueue
        /// Something failed in its process since it was made.
        var mayFail = false

        init(_ frame: Frame, _ before: NaiveQueue) {
            self.frame = frame
            self.before = before
        }
    }

    /// What came back of the calls of one step before it was looked at what they changed.
    private final class Told: @unchecked Sendable {
        // Safe to share: a simulation has one thread.
        var early: [(call: Int, answer: Result<Answer, any Error>)] = []
        var calls: [Pending] = []
        var answered: Set<Int> = []
    }

    func submit(_ operation: Operation, _ process: SimulatedProcess) {
        guard let index = frames.indices.last, let before = tracks[operation.queue]?.current
        else { return }
        begin(operation)
        let told = Told()
        var parts: [Operation] = []
        do {
            // Only opening a queue is waited for.
            let queue = try process.wait { try process.queues?.queue(operation.queue) }
            guard violation == nil, let queue else { return }
            parts = Self.parts(of: operation)
            let putOff = process.jobCount
            let isByTwoLoops = frames[index].step.isByTwoLoops
            func handAll() {
                for (call, part) in parts.enumerated() {
                    func handIt() {
                        hand(part, to: queue) { [weak self] answer in
                            self?.hear(answer, of: call, told, process)
                        }
                    }
                    guard isByTwoLoops, !call.isMultiple(of: 2) else {
                        handIt()
                        continue
                    }
                    process.loop.aside { process.otherLoop.round(handIt) }
                }
            }
            if frames[index].step.isByLoop { process.loop.round(handAll) } else { handAll() }
            // What appends; what syncs, and what tells a loop, may come later.
            while process.jobCount > putOff, queue.journal.line.withLock({ $0.isLed }) {
                process.work(at: process.jobCount - 1)
            }
        } catch {
            told.early.append((0, .failure(error)))
            parts = [operation]
        }
        guard violation == nil else { return }
        guard !world.hasLostPower else {
            if cutOff == nil { cutOff = operation }
            frames[index].operation = nil
            return
        }
        observe(quietly: false)
        var frame = frames[index]
        frames[index].operation = nil
        guard violation == nil, process.isAlive else { return }
        // Where it changed nothing, what it found is what it is told of.
        if frame.effects.isEmpty, let now = tracks[operation.queue]?.current {
            frame.effects = [now]
        }
        for part in parts {
            var own = frame
            own.operation = part
            told.calls.append(Pending(own, before))
        }
        pending += told.calls
        noteFailure(of: process)
        for (call, answer) in told.early { settle(told.calls[call], answer) }
        if frame.step.salt % 4 == 0 { finishJobs(of: process) }
    }

    /// Sends of more than one record are as many calls, done together.
    private static func parts(of operation: Operation) -> [Operation] {
        guard case .send(let entries) = operation.kind else { return [operation] }
        return stride(from: 0, to: entries.count, by: QueueLimits.batchEntries).map { start in
            var part = operation
            part.kind = .send(
                Array(entries[start..<min(start + QueueLimits.batchEntries, entries.count)]))
            return part
        }
    }

    private func hand(
        _ operation: Operation, to queue: Queue,
        _ completion: @escaping (Result<Answer, any Error>) -> Void
    ) {
        nonisolated(unsafe) let completion = completion
        switch operation.kind {
        case .send(let entries):
            queue.submitSend(entries.map(Self.entry)) { completion($0.map { .sent($0) }) }
        case .receive(let limit, let seconds, let attempt):
            queue.submitLook(upTo: limit, timeoutSeconds: seconds, attempt: attempt) {
                completion($0.map { .received($0.received.deliveries) })
            }
        case .delete(let handles):
            queue.submitDelete(handles) { completion($0.map { .deleted($0) }) }
        case .changeVisibility(let handle, let seconds):
            queue.submitVisibility([(handle, seconds)]) { result in
                completion(
                    result.flatMap { outcomes in
                        if case .failure(let error)? = outcomes.first { return .failure(error) }
                        return .success(.done)
                    })
            }
        default: preconditionFailure("\(operation.kind) cannot be submitted")
        }
    }

    private func hear(
        _ answer: Result<Answer, any Error>, of call: Int, _ told: Told, _ process: SimulatedProcess
    ) {
        // What the dead would have heard, nobody has.
        guard process.isAlive, !world.hasLostPower, violation == nil else { return }
        guard told.answered.insert(call).inserted else { return fail("a call was answered twice") }
        if told.calls.isEmpty {
            told.early.append((call, answer))
        } else {
            noteFailure(of: process)
            settle(told.calls[call], answer)
        }
    }

    private func settle(_ call: Pending, _ answer: Result<Answer, any Error>) {
        pending.removeAll { $0 === call }
        switch answer {
        case .success(let answer): check(answer, call.frame)
        case .failure(let error):
            if case JournalError.removed = error, let name = call.frame.operation?.queue {
                call.frame.process.queues?.forget(name)
            }
            check(error, call.frame, call.before, mayFail: call.mayFail || world.capacity != nil)
        }
    }

    /// A process does all that it has put off, and others may come between.
    func finishJobs(of process: SimulatedProcess) {
        guard let index = frames.indices.last else { return }
        guard process.jobCount > 0 else { return endPending(of: process) }
        let calls = pending.filter { $0.frame.process === process }
        let queue = calls.first?.frame.operation?.queue ?? frames[index].step.queue
        // So that it can be interrupted.
        frames[index].operation = Operation(kind: .settle, queue: queue, clock: world.now)
        while violation == nil, process.jobCount > 0 {
            process.work(at: world.random.below(process.jobCount))
        }
        // What was put off may have begun a segment: a queue's time is the one of its last record.
        for setup in scenario.queues where violation == nil && !world.hasLostPower {
            frames[index].operation = Operation(kind: .settle, queue: setup.name, clock: world.now)
            observe(quietly: false)
        }
        frames[index].operation = nil
        endPending(of: process)
    }

    /// Nothing is left to do: everybody has been answered, unless a thread that was interrupted
    /// syncs for them.
    private func endPending(of process: SimulatedProcess) {
        guard violation == nil, process.isAlive, !process.isWaiting, !world.hasLostPower
        else { return }
        if pending.contains(where: { $0.frame.process === process }) {
            fail("a call of process \(process.id) is never answered")
        }
    }

    func noteFailure(of process: SimulatedProcess) {
        pending.removeAll { !$0.frame.process.isAlive }
        guard process.hasFailed else { return }
        for call in pending where call.frame.process === process { call.mayFail = true }
    }
}
