import JSON
import Journal
import Posix
import QueueModel

/// Move tasks: what a dead-letter queue's journal says of them, and whoever runs one.
///
/// A task is a record; any process may run it, one at a time, under a lock of its own. A process
/// that dies leaves it RUNNING with nobody at it, for the next to go on with. Each batch is a
/// transfer, so that no message is lost or moved twice wherever it is cut.
extension QueueDirectory {
    package struct ListedMoveTask: Sendable {
        package var task: MoveTask
        /// Whether a process is at it; an active one that nobody runs waits for the next
        /// `runMoveTask`.
        package var isRun: Bool
    }

    /// The last ten tasks of a queue, newest first.
    package func moveTasks(of name: String) throws -> [ListedMoveTask] {
        let tasks = try queue(name).journal.read { $0.state.queue.moveTasks }
        let isRun = try moveLock(of: name).map { $0.unlock() } == nil
        return tasks.reversed().map { ListedMoveTask(task: $0, isRun: isRun && $0.status.isActive) }
    }

    /// Notes a task for `runMoveTask`.
    ///
    /// - Parameters:
    ///   - target: `nil`: each message goes back to the queue whose dead letter it is.
    ///   - rate: 1 to 500 messages a second; `nil` is as fast as it goes.
    /// - Throws: `QueueError.unclearSource` if it is no dead-letter queue and no target is given;
    ///   in SQS's words if the queues do not fit or a task is active.
    package func startMoveTask(from name: String, to target: String?, rate: Int64?) throws
        -> MoveTask
    {
        _ = try queue(name)
        finishArrivals(at: name)
        if let target {
            _ = try withQueue(target) { try $0.settings }
            guard name != target else { throw SQSError.sameQueue }
            guard target.hasSuffix(".fifo") == name.hasSuffix(".fifo") else {
                throw SQSError.invalidParameter(
                    "The source queue and destination queue must be of the same queue type.")
            }
        } else {
            let sources = try sources(of: name)
            guard try !sources.isKnownEmpty else { throw QueueError.unclearSource(name) }
            guard sources.names != [name] || !sources.failures.isEmpty else {
                throw SQSError.sameQueue
            }
        }
        return try withQueue(name) { source in
            try source.commit { session in
                let counts = try session.liveCounts(at: session.now).counts
                let task = MoveTask(
                    id: source.environment.messageID().text, target: target, rate: rate,
                    toMove: counts.visible,
                    limit: counts.visible + counts.inFlight + counts.delayed)
                try session.append(try session.state.queue.start(task))
                return session.state.queue.activeMoveTask ?? task
            }
        }
    }

    /// Goes on with the task that was cut off, whatever its target, or starts one; and runs it.
    /// - Throws: as `startMoveTask` and `runMoveTask`.
    package func redrive(
        _ name: String, to target: String?, rate: Int64?, isCancelled: () -> Bool,
        progress: (MoveTask) -> Void
    ) throws -> MoveTask? {
        func activeTask() throws -> MoveTask? {
            try queue(name).journal.read { $0.state.queue.activeMoveTask }
        }
        if try activeTask() == nil {
            do {
                _ = try startMoveTask(from: name, to: target, rate: rate)
            } catch let error as SQSError {
                // Another process may have begun the same since, and be gone.
                guard let active = try activeTask(), active.target == target, active.rate == rate
                else { throw error }
            }
        }
        return try runMoveTask(of: name, isCancelled: isCancelled, progress: progress)
    }

    /// Runs the active task to its end, or until `isCancelled`, which leaves it for the next. A
    /// repair of the queue meanwhile does not end it.
    ///
    /// - Parameter progress: gets the task as it stands after each batch.
    /// - Returns: the task as it then is; `nil` if none is active.
    /// - Throws: `QueueError.isBeingRedriven` if another process is at it; `SQSError.overLimit`
    ///   while as many of its messages are in flight as may be: the task stays active.
    package func runMoveTask(
        of name: String, isCancelled: () -> Bool, progress: (MoveTask) -> Void
    ) throws -> MoveTask? {
        var run = MoveTaskRun()
        for _ in 1..<Self.lives {
            do {
                return try go(on: &run, name, isCancelled: isCancelled, progress: progress)
            } catch JournalError.removed {
                forget(name)
            }
        }
        return try go(on: &run, name, isCancelled: isCancelled, progress: progress)
    }

    /// What of a run outlasts a repair of its queue.
    private struct MoveTaskRun {
        let start = SystemClock.monotonicNanoseconds()
        var count: UInt64 = 0
        /// The task that is run, once it is known.
        var id: String?
    }

    /// - Throws: `JournalError.removed` also if the queue in the place knows nothing of the task.
    private func go(
        on run: inout MoveTaskRun, _ name: String, isCancelled: () -> Bool,
        progress: (MoveTask) -> Void
    ) throws -> MoveTask? {
        let source = try queue(name)
        guard let lock = try moveLock(of: name) else {
            let file = try? storage.open(moveLockPath(of: name), creating: false)
            throw QueueError.isBeingRedriven(
                name, holder: try file.flatMap { FileSystem.lockHolder(of: try $0.status()) })
        }
        defer { lock.unlock() }
        finishArrivals(at: name)
        try finishTransfers(of: source)
        let tasks = try source.journal.read { $0.state.queue.moveTasks }
        let known = tasks.last { run.id == nil ? $0.status.isActive : $0.id == run.id }
        guard var task = known else {
            guard run.id == nil else { throw JournalError.removed }
            return nil
        }
        let id = task.id
        run.id = id
        while task.status.isActive, !isCancelled() {
            let batch = try moveBatch(task, source)
            try finishTransfers(of: source)
            run.count += UInt64(batch)
            task = try source.journal.read { session in
                session.state.queue.moveTasks.last { $0.id == id } ?? task
            }
            progress(task)
            guard task.status.isActive, let rate = task.rate else { continue }
            let due = run.start + run.count * 1_000_000_000 / UInt64(max(1, rate))
            while SystemClock.monotonicNanoseconds() < due, !isCancelled() {
                SystemClock.pause(microseconds: 1000)
            }
        }
        return task
    }

    /// Stops a task: at once if nobody runs it, and otherwise after its present batch.
    ///
    /// - Parameter id: `nil` is the active one.
    /// - Throws: `QueueError.noMoveTask` if there is none such, or it is over.
    package func cancelMoveTask(of name: String, id: String?) throws -> MoveTask {
        let source = try queue(name)
        let lock = try moveLock(of: name)
        defer { lock?.unlock() }
        return try source.commit { session in
            guard let task = session.state.queue.activeMoveTask, id == nil || task.id == id else {
                throw QueueError.noMoveTask(name)
            }
            let status: MoveTask.Status = lock == nil ? .cancelling : .cancelled
            try session.append(.moveTaskStatus(id: task.id, status, failure: nil))
            return session.state.queue.moveTasks.last { $0.id == task.id } ?? task
        }
    }

    /// The queues whose dead letters go to a queue.
    package struct Sources: Sendable {
        package var names: [String] = []
        /// Why others could not be asked.
        package var failures: [any Error] = []

        /// - Throws: why it is not known, if none is, whether there are any.
        package var isKnownEmpty: Bool {
            get throws {
                if names.isEmpty, let failure = failures.first { throw failure }
                return names.isEmpty
            }
        }

        /// All there are.
        /// - Throws: why it is not known whether there are more.
        package func all() throws -> [String] {
            if let failure = failures.first { throw failure }
            return names
        }
    }

    /// The queues whose dead letters go to `name`: one that cannot be read keeps no other back.
    package func sources(of name: String) throws -> Sources {
        var sources = Sources()
        for source in try names() {
            do {
                let target = try withQueue(source) {
                    try $0.settings.redrivePolicy?.deadLetterQueue
                }
                if target == name { sources.names.append(source) }
            } catch  where Self.isRemoval(error) {
                continue
            } catch {
                sources.failures.append(error)
            }
        }
        return sources
    }

    /// Whether an error says that a queue is not there any more.
    package static func isRemoval(_ error: any Error) -> Bool {
        switch error {
        case QueueError.noSuchQueue, JournalError.removed: true
        default: false
        }
    }

    private func moveLockPath(of name: String) -> String {
        folderPath(of: name) + "/redrive.lock"
    }

    /// The right to run the queue's tasks; `nil` if another has it.
    private func moveLock(of name: String) throws -> (any JournalFile)? {
        do {
            let file = try storage.open(moveLockPath(of: name), creating: true)
            return try file.tryLock() ? file : nil
        } catch  where error.isNotFound {
            throw QueueError.noSuchQueue(name, existing: try names())  // removed meanwhile
        }
    }

    /// Sends a batch on its way, or ends the task.
    private func moveBatch(_ task: MoveTask, _ source: Queue) throws -> Int {
        // Unless all can be asked, it is not clear that there is only one.
        let known = task.target == nil ? (try? sources(of: source.name).all()) ?? [] : []
        // Looked up before: a transaction on one queue must not lock another.
        let isFIFO = source.name.hasSuffix(".fifo")
        let candidates = Set(try names().filter { $0.hasSuffix(".fifo") == isFIFO })
        return try source.moveBatch(
            of: task.id, upTo: min(QueueLimits.batchEntries, task.rate.map { Int($0) } ?? .max)
        ) { origin in
            // Messages of before their origin was noted: clear where only one queue can be it.
            let target = task.target ?? origin ?? (known.count == 1 ? known[0] : nil)
            return target.flatMap { candidates.contains($0) ? $0 : nil }
        }
    }
}

extension MoveTask {
    /// What it says where a message has no queue to go to, in AWS's words.
    fileprivate var failureWithoutTarget: String {
        target == nil
            ? "CouldNotDetermineMessageSource" : SQSError.queueDoesNotExist.queryCode
    }
}

extension SQSError {
    fileprivate static var sameQueue: SQSError {
        .invalidParameter("Source queue arn and destination queue arn cannot be the same.")
    }
}

extension Queue {
    /// How long messages stay hidden should a crash come between receiving and moving them.
    private static let moveSeconds: Int64 = 30

    /// Sends up to `most` visible messages on their way, as transfers that
    /// `QueueDirectory.finishTransfers` carries out; or notes that the task is over.
    func moveBatch(
        of id: String, upTo most: Int, target: (String?) -> String?
    ) throws -> Int {
        try commit { session in
            guard let task = session.state.queue.activeMoveTask, task.id == id else {
                return 0
            }
            func end(_ status: MoveTask.Status, _ failure: String? = nil) throws -> Int {
                try session.append(.moveTaskStatus(id: id, status, failure: failure))
                return 0
            }
            guard task.status == .running else { return try end(.cancelled) }
            let limit = min(most, Int(clamping: task.left))
            guard limit > 0 else { return try end(.completed) }
            try session.sweepExpired()
            try session.flush()
            var stream = JournalStream(session)
            let (receive, messages) = try session.state.queue.receive(
                upTo: limit, timeoutSeconds: Self.moveSeconds, at: session.now,
                bits: (0..<limit).map { _ in environment.randomBits() },
                heldWaiting: environment.heldWaiting, stream: &stream)
            if let receive { try session.append(receive) }
            guard !messages.isEmpty else {
                // An empty look that got further, past expired messages, is not the end; nor is one
                // that only finds no room, of which a FIFO queue's receive says nothing.
                guard receive == nil else { return 0 }
                guard !session.state.queue.isFull(at: session.now) else { throw SQSError.overLimit }
                return try end(.completed)
            }
            let (records, count, isComplete) = session.state.queue.move(
                messages, at: session.now, target: target)
            for record in records { try sendAway(record, &session) }
            if !isComplete { _ = try end(.failed, task.failureWithoutTarget) }
            return count
        }
    }
}
