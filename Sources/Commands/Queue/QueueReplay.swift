import Crypto
import JSON
import Journal
import Posix
import QueueModel
import Services

extension Command {
    static let queueReplay = Command(
        path: ["queue", "replay"],
        abstract: "Sends again what was sent, from a point of the journal on, as new messages.",
        arguments: [Argument(name: "QUEUE", help: "Whose journal is read.")],
        options: [
            .text(
                "from", "TIME|N|oldest",
                "The first: a time, a span such as 10m, a record's number, or all. Required."),
            .text("to", "TIME|N", "The last, itself included (default: all until now)."),
            .text("into", "QUEUE", "Where to send them (default: the same queue)."),
            .number("limit", "COUNT", 1...1_000_000_000, "So many messages at most."),
            .flag("dry-run", "Show what would be sent, and send nothing."),
        ],
        examples: [
            "msorch queue replay OrderQueue --from 10m --dry-run",
            "msorch queue replay OrderQueue --from 2026-11-24T10:00Z --into TestQueue",
        ],
        run: { invocation in
            let directory = invocation.queues()
            let queue = try directory.queue(invocation.arguments[0])
            let now = StackClock().now()
            guard let from = invocation.text("from") else {
                throw CommandError(
                    .usage, "--from is missing.",
                    hint: "For example --from 10m, or --from oldest for all that is retained.")
            }
            let start = try JournalPoint.parse(from, "from", now: now)
            let end = try invocation.text("to").map { try JournalPoint.parse($0, "to", now: now) }
            let target = try invocation.text("into").map { try directory.queue($0) } ?? queue
            guard try target.settings.isFIFO == queue.settings.isFIFO else {
                throw CommandError(
                    .usage, "'\(queue.name)' and '\(target.name)' are not of the same type.",
                    hint: "A FIFO queue's messages go to a FIFO queue.")
            }
            // What comes from now on, such as the copies, is no part of it: not now, and not for
            // who goes on where it was cut.
            let last = try queue.lastRecord(upTo: end)
            let limit = invocation.number("limit").map { Int($0) } ?? .max
            if invocation.has("dry-run") {
                return try show(queue, start, .record(last), limit, invocation.output)
            }
            var replay = Replay(
                target: target, to: last, limit: limit, isElsewhere: target.name != queue.name,
                isFIFO: try target.settings.isFIFO)
            var gap: (any Error)?
            do {
                do {
                    try queue.forEachSend(from: start, to: .record(last)) { record in
                        let room = limit - replay.count
                        guard room > 0, Signals.termination == nil else { return false }
                        try replay.add(record, upTo: room)
                        return true
                    }
                } catch  where isGap(error) {
                    // What was read is sent: nobody may be able to read it again.
                    gap = error
                }
                try replay.flush()
            } catch {
                if replay.count > 0 { try replay.report(invocation.output, isCut: true) }
                throw error
            }
            if let gap {
                if replay.count > 0 { try replay.report(invocation.output, isCut: false) }
                throw gap
            }
            try replay.report(invocation.output, isCut: Signals.termination != nil)
            try replay.check()
        })

    /// Whether records were deleted that it was to read, or are missing.
    private static func isGap(_ error: any Error) -> Bool {
        switch error {
        case QueueError.notRetained, JournalError.damaged: true
        default: false
        }
    }

    private static func show(
        _ queue: Queue, _ start: JournalPoint, _ end: JournalPoint, _ limit: Int, _ output: Output
    ) throws {
        var count = 0
        try queue.forEachSend(from: start, to: end) { record in
            for message in record.messages where count < limit {
                count += 1
                var event = QueueEvent(.sent(delaySeconds: 0), at: record.time, n: record.n)
                try event.describe(message)
                try output.result(event.json()) { event.text }
            }
            return count < limit && Signals.termination == nil
        }
        output.note("\(count) would be sent.")
    }
}

/// Messages on their way to be sent again, some at a time.
private struct Replay {
    let target: Queue
    /// The last record that is to be sent again.
    let to: UInt64
    /// Messages at most.
    let limit: Int
    /// Whether the target is another queue than the one that is read.
    let isElsewhere: Bool
    let isFIFO: Bool
    private var waiting: [SendEntry] = []
    private var waitingBytes = 0
    /// For each that waits: its record, if it is the last of all that record's.
    private var ends: [UInt64?] = []
    private(set) var count = 0
    private var sent = 0
    private var refused: SQSError?
    /// The last record that was sent again as a whole.
    private var last: UInt64?
    /// Messages up to that record's end.
    private var lastCount = 0

    /// What is sent with one lock and one sync, and held in memory.
    private static let groupCount = 1000
    private static let groupBytes = 4 * 1024 * 1024

    init(target: Queue, to: UInt64, limit: Int, isElsewhere: Bool, isFIFO: Bool) {
        self.target = target
        self.to = to
        self.limit = limit
        self.isElsewhere = isElsewhere
        self.isFIFO = isFIFO
    }

    mutating func add(_ record: Queue.SentRecord, upTo room: Int) throws {
        for (index, message) in record.messages.prefix(room).enumerated() {
            let entry = try SendEntry(again: message, isFIFO: isFIFO)
            waiting.append(entry)
            // Half a record does not count: who goes on behind the last one must miss nothing.
            ends.append(index == record.messages.count - 1 ? record.n : nil)
            waitingBytes += entry.escapedBody.count
            count += 1
        }
        guard waiting.count >= Self.groupCount || waitingBytes >= Self.groupBytes else { return }
        try flush()
    }

    mutating func flush() throws {
        guard !waiting.isEmpty else { return }
        var settled = 0
        // The journal may refuse in the middle: what it took before is sent.
        defer {
            waiting.removeFirst(settled)
            ends.removeFirst(settled)
            waitingBytes = 0
        }
        try target.sendBulk(waiting) { outcome in
            switch outcome {
            case .success: sent += 1
            case .failure(let error): refused = refused ?? error
            }
            settled += 1
            guard let end = ends[settled - 1] else { return }
            last = end
            lastCount = settledCount + settled
        }
    }

    private var settledCount: Int { count - waiting.count }

    /// - Parameter isCut: whether it ended early.
    func report(_ output: Output, isCut: Bool) throws {
        var json: JSONObject = [
            "into": .string(target.name), "sent": .int(sent),
            "failed": .int(settledCount - sent),
        ]
        json["last"] = last.map { .int(Int64(clamping: $0)) }
        json["to"] = .int(Int64(clamping: to))
        try output.result(.object(json)) { nil }
        output.note("\(sent) sent to \(target.name).")
        guard isCut, let last, last < to, settledCount < limit else { return }
        let rest = limit == .max ? "" : " --limit \(limit - lastCount)"
        let into = isElsewhere ? " --into \(target.name)" : ""
        output.note("It goes on with --from \(last + 1) --to \(to)\(rest)\(into).")
    }

    /// - Throws: what was refused first.
    func check() throws(CommandError) {
        guard let refused else { return }
        throw CommandError(
            .failure,
            "\(settledCount - sent) of \(settledCount) messages were refused: "
                + "\(refused.message)")
    }
}

extension SendEntry {
    /// The same message once more: in a FIFO queue with a deduplication id of its own.
    fileprivate init(again message: QueueRecord.NewMessage, isFIFO: Bool) throws {
        let attributes = try MessageAttributes(
            try message.attributes.map { try JSONValue.parse($0) })
        let bytes = JSONText.unescape(message.escapedBody).count
        self.init(escapedBody: message.escapedBody, size: bytes + attributes.size)
        self.attributes = message.attributes
        group = message.group
        traceHeader = message.traceHeader
        sender = message.sender
        deduplicationID = isFIFO ? RandomBytes.uuid() : nil
    }
}
