import JSON
import Posix
import QueueModel

/// Receivers that wait for messages (long polling), without a thread each.
///
/// Those of one queue wait in a room. The first of them looks when this process's own transactions
/// tell of news, when another process changes the queue's folder, and at the moment at which a
/// hidden message becomes visible; as long as there are messages, so does the next one. Each waits
/// for one HTTP connection, and there are as many as the server takes.
package final class LongPolls: Sendable {
    /// What a receiver asked for.
    package struct Wish: Sendable {
        /// 1 to 10.
        package var limit: Int
        /// `nil` is the queue's own.
        package var timeoutSeconds: Int64?
        /// `ReceiveRequestAttemptId`.
        package var attempt: String?
        /// `nil` is the queue's own.
        package var wait: Duration?

        package init(
            limit: Int, timeoutSeconds: Int64? = nil, attempt: String? = nil,
            wait: Duration? = nil
        ) {
            self.limit = limit
            self.timeoutSeconds = timeoutSeconds
            self.attempt = attempt
            self.wait = wait
        }
    }

    package typealias Completion = @Sendable (Result<[Queue.Delivery], any Error>) -> Void

    /// Names one waiting receive, so that it can be taken back.
    package struct Ticket: Sendable {
        fileprivate let room: ObjectIdentifier
        fileprivate let number: UInt64
    }

    /// A receive goes past so many stretches of expired or blocked messages at most.
    private static let looks = 1000

    private struct State {
        var rooms: [ObjectIdentifier: PollRoom] = [:]
        var nextNumber: UInt64 = 1
        var watcher: FolderWatcher?
        var hasTriedToWatch = false
        var isStopped = false
    }

    private let loop: EventLoop
    private let workers: WorkerPool
    private let queues: QueueDirectory
    private let state: LoopConfined<State>

    package init(loop: EventLoop, workers: WorkerPool, queues: QueueDirectory) {
        self.loop = loop
        self.workers = workers
        self.queues = queues
        state = LoopConfined(State(), loop: loop)
    }

    /// Receives, and waits for a message if there is none. From any thread; `completion` runs on
    /// one that it must not hold up.
    ///
    /// - Parameter onWait: runs on the loop when it begins to wait.
    package func receive(
        from queue: Queue, _ wish: Wish, onWait: @escaping @Sendable (Ticket) -> Void,
        completion: @escaping Completion
    ) {
        look(at: queue, wish) { [self] result in
            guard case .success(let first) = result, !first.isFull,
                first.received.deliveries.isEmpty, queue.takeLookAround()
            else { return answer(result, from: queue, wish, onWait, completion) }
            finishArrivals(at: queue) { [self] hadSome in
                guard hadSome else { return answer(result, from: queue, wish, onWait, completion) }
                look(at: queue, wish) { [self] in
                    answer($0, from: queue, wish, onWait, completion)
                }
            }
        }
    }

    /// Hands out what the first look found, or begins to wait.
    private func answer(
        _ result: Result<Queue.Look, any Error>, from queue: Queue, _ wish: Wish,
        _ onWait: @escaping @Sendable (Ticket) -> Void, _ completion: @escaping Completion
    ) {
        switch result {
        case .failure(let error): completion(.failure(error))
        case .success(let look):
            let patience = wish.wait ?? look.patience
            // Who waits is told nothing of it (Developer Guide, *quotas-queues*).
            if look.isFull, patience <= .zero { return completion(.failure(SQSError.overLimit)) }
            guard look.received.deliveries.isEmpty, patience > .zero else {
                return finish(look.received, of: queue, completion)
            }
            if look.received.hasTransfers { finishTransfers(of: queue) {} }
            let deadline = SystemClock.monotonicNanoseconds() + patience.nanoseconds
            loop.perform { [self] in
                if state.with({ $0.isStopped }) {
                    return finish(look.received, of: queue, completion)
                }
                onWait(admit(to: queue, wish, deadline, completion))
            }
        }
    }

    /// The receiver has gone. From any thread; unknown tickets are no error.
    package func cancel(_ ticket: Ticket) {
        loop.perform { [self] in
            state.with { $0.rooms[ticket.room] }?.cancel(ticket.number)
        }
    }

    /// Sends everybody home, and lets nobody wait from here on. From any thread.
    package func stop() {
        loop.execute { [self] in
            let rooms = state.with { state in
                state.isStopped = true
                return Array(state.rooms.values)
            }
            for room in rooms { room.close() }
        }
    }

    /// Receivers that wait now; on the loop.
    package var count: Int { state.with { $0.rooms.values.reduce(0) { $0 + $1.count } } }

    private func admit(
        to queue: Queue, _ wish: Wish, _ deadline: UInt64, _ completion: @escaping Completion
    ) -> Ticket {
        let id = ObjectIdentifier(queue)
        let (room, number) = state.with { state in
            if !state.hasTriedToWatch {
                state.hasTriedToWatch = true
                state.watcher = try? FolderWatcher(loop: loop)
            }
            let room =
                state.rooms[id]
                ?? PollRoom(
                    queue, loop: loop, watcher: state.watcher, polls: self,
                    onEmpty: { [weak self] in self?.close($0, of: id) })
            state.rooms[id] = room
            state.nextNumber += 1
            return (room, state.nextNumber)
        }
        room.admit(
            PollRoom.Waiter(
                number: number, wish: wish, deadline: deadline, completion: completion))
        return Ticket(room: id, number: number)
    }

    /// A room that is told of something once it is empty must not close its successor.
    private func close(_ room: PollRoom, of id: ObjectIdentifier) {
        state.with { state in
            if state.rooms[id] === room { state.rooms[id] = nil }
        }
    }

    /// One look, or as many as it takes to get past what nobody can receive.
    func look(
        at queue: Queue, _ wish: Wish, looksLeft: Int = looks,
        completion: @escaping Queue.Completion<Queue.Look>
    ) {
        queue.submitLook(
            upTo: wish.limit, timeoutSeconds: wish.timeoutSeconds, attempt: wish.attempt
        ) { [self] result in
            guard case .success(let look) = result, look.received.isOnTheWay, looksLeft > 1 else {
                return completion(result)
            }
            self.look(at: queue, wish, looksLeft: looksLeft - 1, completion: completion)
        }
    }

    /// Hands messages out, once dead letters among them are on their way.
    func finish(_ received: Queue.Received, of queue: Queue, _ completion: @escaping Completion) {
        queue.observeReceived(received.deliveries.count)
        guard received.hasTransfers else { return completion(.success(received.deliveries)) }
        finishTransfers(of: queue) { completion(.success(received.deliveries)) }
    }

    /// A transfer that cannot be finished now is finished by the next who comes.
    func finishTransfers(of queue: Queue, _ done: @escaping @Sendable () -> Void) {
        workers.execute { [queues] in
            try? queues.finishTransfers(of: queue)
            done()
        }
    }

    /// Looks for what dead processes have left on its way to a queue in which nothing was found.
    ///
    /// - Parameter done: gets whether there was something.
    func finishArrivals(at queue: Queue, _ done: @escaping @Sendable (Bool) -> Void) {
        workers.execute { [queues] in done(queues.finishArrivals(at: queue.name)) }
    }
}
