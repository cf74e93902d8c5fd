import Foundation
import JSON
import TestSupport

/// Runs `msorch` processes on one folder and kills most of them: at named points of the write path
/// (docs/journal.md, *Crash points*), or at any time.
struct CrashRun: Sendable {
    static let points = [
        "before-append", "half-append", "after-append", "before-sync", "after-sync",
        "before-checkpoint-rename", "after-checkpoint-rename", "before-segment-rename",
        "after-segment-rename", "before-generation", "before-segment-delete",
        "after-segment-delete", "before-torn-cut", "before-carry", "before-take", "after-take",
        "before-queue-rename", "after-queue-rename",
    ]
    /// Of these the making of a queue passes each.
    private static let creationPoints = [
        "before-sync", "after-sync", "before-queue-rename", "after-queue-rename",
    ]
    /// So that segments roll, checkpoints are written and old segments go all the time. The
    /// tester's own `MSORCH_PREPARED_BYTES` makes rooms of that size.
    private static let sizes: [String: String] = {
        var sizes = [
            "MSORCH_SEGMENT_BYTES": "6000", "MSORCH_HISTORY_BYTES": "12000",
            "MSORCH_CHECKPOINT_BYTES": "1500",
        ]
        let room = "MSORCH_PREPARED_BYTES"
        sizes[room] = ProcessInfo.processInfo.environment[room]
        return sizes
    }()

    struct Ended: Sendable {
        var result: BuiltExecutable.Result
        var from: Date
        var to: Date
        /// The point at which it died.
        var killedAt: String?
        var isDone: Bool { result.status == 0 }
    }

    let folder: String
    let ledger: CrashLedger

    /// - Parameters:
    ///   - kills: whether this one may be killed.
    ///   - points: where.
    ///   - received: when the handles that it names were given out: they may have expired on a
    ///     machine that is slow.
    func msorch(
        _ arguments: [String], input: String = "", kills: Bool = true,
        at points: [String] = points, received: Date = .distantFuture
    ) throws -> Ended {
        var environment = Self.sizes
        var place: String?
        var delay: UInt32?
        switch kills ? Int.random(in: 0..<10) : 9 {
        case 0..<7:
            let point = points.randomElement() ?? "before-append"
            environment["MSORCH_CRASH"] = "\(point):\(Bool.random() ? 1 : Int.random(in: 1...3))"
            place = point
        case 7..<9: delay = UInt32.random(in: 0..<25_000)
        default: break
        }
        let from = Date.now
        let result = try BuiltExecutable.run(
            "\(BuiltExecutable.folder)/msorch", arguments, in: folder, input: input,
            environment: environment
        ) { pid in
            guard let delay else { return }
            usleep(delay)
            kill(pid, SIGKILL)
        }
        let isKilled = result.status == 137
        if isKilled {
            ledger.count(killAt: place ?? "random")
        } else if result.status != 0,
            !result.error.contains("The receipt handle has expired.")
                || Date.now.timeIntervalSince(received) < ledger.visibility
        {
            ledger.violate("\(arguments): \(result.status) \(result.error)")
        }
        return Ended(result: result, from: from, to: .now, killedAt: isKilled ? place : nil)
    }

    func send(_ queue: String, _ bodies: [String], group: String? = nil) throws {
        ledger.intend(bodies)
        var arguments = ["send", queue, bodies.count == 1 ? bodies[0] : "-", "--quiet"]
        if let group { arguments += ["--group", group, "--deduplication-id", bodies[0]] }
        let ended = try msorch(
            arguments, input: bodies.count == 1 ? "" : bodies.map { $0 + "\n" }.joined())
        if ended.isDone { ledger.acknowledge(bodies) }
    }

    /// Receives, and deletes most of what came by another process.
    func receive(_ queue: String, kills: Bool = true) throws -> Int {
        let ended = try msorch(
            ["queue", "receive", queue, "--max", "10", "--output", "json"], kills: kills)
        let messages = ended.result.output.split(separator: "\n").compactMap { line in
            // A killed process may leave half a line.
            (try? JSONValue.parse(String(line))).flatMap {
                json -> (body: String, handle: String)? in
                guard let body = json["Body"]?.stringValue,
                    let handle = json["ReceiptHandle"]?.stringValue
                else { return nil }
                return (body, handle)
            }
        }
        for message in messages { ledger.see(message.body, from: ended.from, to: ended.to) }
        if queue.hasSuffix(".fifo") { ledger.checkOrder(messages.map(\.body)) }
        // Of a FIFO queue's batch those in front, so that order can be told.
        let chosen = messages.prefix(kills ? Int.random(in: 0...messages.count) : messages.count)
        guard !chosen.isEmpty else { return messages.count }
        ledger.intendDelete(chosen.map(\.body))
        let deletion = try msorch(
            ["queue", "delete", queue] + chosen.map(\.handle), kills: kills,
            received: ended.from)
        // A standard queue takes an old receipt handle, and deletes nothing: on a machine that is
        // slow, somebody else may have received the message meanwhile.
        let isCurrent = deletion.to.timeIntervalSince(ended.from) < ledger.visibility
        if deletion.isDone, isCurrent { ledger.acknowledgeDelete(chosen.map(\.body)) }
        return messages.count
    }

    /// Makes a queue and removes it: what is killed has left all of it, or nothing. Nobody else may
    /// use it.
    func renew(_ queue: String) throws {
        let created = try msorch(
            ["queue", "create", queue, "--visibility-timeout", "77", "--force", "--quiet"],
            at: Self.creationPoints)
        let isThere = try isThere(queue)
        if created.isDone || created.killedAt == "after-queue-rename" {
            if !isThere { ledger.violate("\(queue) was made, and is not there") }
        } else if let point = created.killedAt, isThere {
            ledger.violate("\(queue) is there, cut at \(point)")
        }
        guard isThere else { return }
        let check = try msorch(["queue", "verify", queue], kills: false)
        if !check.isDone { ledger.violate("\(queue): \(check.result.output)") }
        let settings = try msorch(["queue", "stats", queue, "--output", "json"], kills: false)
        if !settings.result.output.contains("\"visibilityTimeout\":77") {
            ledger.violate("\(queue) has other settings: \(settings.result.output)")
        }
        let removed = try msorch(["queue", "rm", queue, "--quiet"])
        guard try self.isThere(queue) else { return }
        if removed.isDone { ledger.violate("\(queue) was removed, and is there") }
        _ = try msorch(["queue", "rm", queue, "--quiet"], kills: false)
    }

    private func isThere(_ queue: String) throws -> Bool {
        try msorch(["queue", "ls"], kills: false).result.output
            .split(separator: "\n").contains { $0 == queue }
    }

    /// Nobody is killed any more: what is there, in which queue.
    func exported(_ queue: String) throws -> [String] {
        try msorch(["queue", "export", queue], kills: false).result.output.split(separator: "\n")
            .compactMap { try JSONValue.parse(String($0))["Body"]?.stringValue }
    }
}
