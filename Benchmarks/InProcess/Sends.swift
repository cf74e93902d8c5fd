import QueueModel
import Services

/// Sends by clients that wait for each answer, over one queue or many.
enum Sends {
    /// `--clients --by --durability --body --seconds --count --queues`, and `--batch` entries a send.
    static func run(_ options: Options) throws {
        let storage = CountingStorage()
        var environment = QueueEnvironment()
        environment.storage = storage
        let directory = QueueDirectory(stateDirectory: options.state, environment: environment)
        let queues = try (0..<options.integer("queues", 1)).map { number in
            try directory.benchmarkQueue("\(options.queue)-\(number)", options)
        }
        let entries = Array(repeating: options.entry, count: options.integer("batch", 1))
        let before = storage.counts
        let outcome: Load.Outcome
        if options.usesCallbacks {
            outcome = try options.load.submit { client, turn, done in
                queues[(client + turn) % queues.count].submitSend(entries) { sent in
                    done(Result { try sent.get().map { try $0.get() }.count })
                }
            }
        } else {
            outcome = try options.load.run { client, turn in
                let queue = queues[(client + turn) % queues.count]
                return try queue.send(entries).map { try $0.get() }.count
            }
        }
        let after = storage.counts
        let syncs = Double(max(1, after.syncs - before.syncs))
        Report.figure("sends", outcome.rate, "messages/s")
        Report.figure("messages", Double(outcome.messages), "")
        Report.figure("syncs", Double(after.syncs - before.syncs), "")
        Report.figure("messages per sync", Double(outcome.messages) / syncs, "")
        Report.figure("bytes per sync", Double(after.bytes - before.bytes) / syncs, "bytes")
    }
}

/// Messages in bulk, for others to work on.
enum Fill {
    static let chunk = 1000

    /// `--messages` of `--body` bytes into `--queue`.
    static func run(_ options: Options) throws {
        let queue = try QueueDirectory(stateDirectory: options.state)
            .benchmarkQueue(options.queue, options)
        let count = options.integer("messages", 1_000_000)
        let took = try Report.seconds { try fill(queue, count, options.entry) }
        Report.figure("fill", Double(count) / took, "messages/s")
    }

    static func fill(_ queue: Queue, _ count: Int, _ entry: SendEntry) throws {
        let entries = Array(repeating: entry, count: max(0, min(chunk, count)))
        for start in stride(from: 0, to: count, by: chunk) {
            let rest = entries.prefix(count - start)
            try queue.sendBulk(Array(rest)) { _ = try $0.get() }
        }
    }
}

extension QueueDirectory {
    /// The queue, made if there is none.
    func benchmarkQueue(_ name: String, _ options: Options) throws -> Queue {
        if try !names().contains(name) {
            var settings = QueueSettings()
            settings.durability = options.durability
            settings.visibilityTimeoutSeconds = 3600
            try create(name, settings)
        }
        return try queue(name)
    }
}
