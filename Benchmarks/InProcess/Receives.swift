import Posix
import QueueModel
import Services

extension Queue {
    /// Receives up to `limit` messages that are there now and deletes them; how many there were.
    fileprivate func receiveAndDelete(upTo limit: Int) throws -> Int {
        let deliveries = try receive(upTo: limit, wait: .zero)
        guard !deliveries.isEmpty else { return 0 }
        for outcome in try delete(deliveries.map(\.received.handle)) { try outcome.get() }
        return deliveries.count
    }

    /// The same without waiting for it.
    fileprivate func submitReceiveAndDelete(upTo limit: Int, done: @escaping Callbacks.Done) {
        submitLook(upTo: limit) { [self] look in
            switch look {
            case .failure(let error): done(.failure(error))
            case .success(let look) where look.received.deliveries.isEmpty: done(.success(0))
            case .success(let look):
                let deliveries = look.received.deliveries
                observeReceived(deliveries.count)
                submitDelete(deliveries.map(\.received.handle)) { deleted in
                    done(Result { try deleted.get().map { try $0.get() }.count })
                }
            }
        }
    }
}

/// Receive and delete by many clients, until the time is up or the queue is empty.
enum ReceiveDelete {
    /// `--backlog` messages are sent first. `--clients --by --durability --seconds --batch`.
    static func run(_ options: Options) throws {
        let queue = try QueueDirectory(stateDirectory: options.state)
            .benchmarkQueue(options.queue, options)
        try Fill.fill(queue, options.integer("backlog", 1_000_000), options.entry)
        let batch = options.integer("batch", 1)
        let outcome =
            options.usesCallbacks
            ? try options.load.submit { _, _, done in
                queue.submitReceiveAndDelete(upTo: batch, done: done)
            }
            : try options.load.run { _, _ in try queue.receiveAndDelete(upTo: batch) }
        Report.figure("receive-delete", outcome.rate, "messages/s")
        Report.figure("messages", Double(outcome.messages), "")
    }
}

/// Send, receive, delete, over and over: the backlog stays what it was.
enum Cycle {
    /// `--backlog` messages are there all the time. `--clients --durability --seconds`.
    static func run(_ options: Options) throws {
        let queue = try QueueDirectory(stateDirectory: options.state)
            .benchmarkQueue(options.queue, options)
        let there = Int(try queue.messageCount)
        try Fill.fill(queue, options.integer("backlog", 0) - there, options.entry)
        let entry = options.entry
        let outcome = try options.load.run { _, _ in
            _ = try queue.send([entry])[0].get()
            // Another client may have taken it: that one's own message is there for this client.
            _ = try queue.receiveAndDelete(upTo: 1)
            return 1
        }
        Report.figure("cycles", outcome.rate, "messages/s")
    }
}

/// Receive and delete with few and with many waiting, taking turns.
enum Depth {
    private static let round = 1000

    /// `--shallow` and `--deep` messages waiting, `--rounds` of 1,000 receives and deletes each.
    static func run(_ options: Options) throws {
        let directory = QueueDirectory(stateDirectory: options.state)
        let depths = [
            ("shallow", options.integer("shallow", 1000)),
            ("deep", options.integer("deep", 1_000_000)),
        ]
        let queues = try depths.map { name, count in
            let queue = try directory.benchmarkQueue(name, options)
            try Fill.fill(queue, count, options.entry)
            return queue
        }
        var seconds = [[Double]](repeating: [], count: queues.count)
        for _ in 0..<options.integer("rounds", 40) {
            for (index, queue) in queues.enumerated() {
                try Fill.fill(queue, round, options.entry)
                let took = try Report.seconds {
                    for _ in 0..<round { _ = try queue.receiveAndDelete(upTo: 1) }
                }
                seconds[index].append(took)
            }
        }
        for (index, (name, _)) in depths.enumerated() {
            let rate = Double(round) / Report.median(seconds[index])
            Report.figure(name, rate, "messages/s")
        }
        let ratios = zip(seconds[0], seconds[1]).map { $0 / $1 }
        Report.figure("deep / shallow", Report.median(ratios), "x")
    }
}
