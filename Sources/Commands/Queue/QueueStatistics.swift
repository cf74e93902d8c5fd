import JSON
import QueueModel
import Services

extension Command {
    static let queueStatistics = Command(
        path: ["queue", "stats"], abstract: "Shows what is in the queues, and what went through.",
        arguments: [
            Argument(name: "QUEUE", help: "Default: all.", isOptional: true, isRepeated: true)
        ],
        options: [
            .text("at", "TIME", "As it was then: a time, or a span such as 10m (default: now).")
        ],
        examples: [
            "msorch queue stats", "msorch queue stats OrderQueue --output json",
            "msorch queue stats OrderQueue --at 10m",
        ],
        formats: Output.Format.allCases,
        run: { invocation in
            let directory = invocation.queues()
            let names =
                try invocation.arguments.isEmpty ? directory.names() : invocation.arguments
            let now = StackClock().now()
            let past = try moment(invocation, now)
            // What was cut on its way is counted where it belongs, in every row.
            let isNamed = !invocation.arguments.isEmpty
            for name in names {
                do {
                    try directory.withQueue(name) { queue in
                        directory.finishArrivals(at: name)
                        try? directory.finishTransfers(of: queue)
                    }
                } catch  where !isNamed {
                    continue  // told of below
                }
            }
            let existing = try directory.names()
            let givers =
                invocation.output.format == .json ? [:] : givers(in: directory, existing)
            var rows: [[String]] = []
            var notes: [String] = []
            var list: [JSONValue] = []
            var failures: [any Error] = []
            for name in names {
                let statistics: Queue.Statistics
                do {
                    statistics = try directory.withQueue(name) { queue in
                        try past.map { try queue.statistics(at: $0) } ?? queue.statistics()
                    }
                } catch  where !isNamed {
                    if case QueueError.notRetained = error {
                        invocation.output.note(CommandError(error).message)
                    } else if !QueueDirectory.isRemoval(error) {
                        failures.append(error)
                    }
                    continue
                }
                notes += Self.notes(name, statistics, among: existing)
                list.append(json(name, statistics, now, past))
                rows.append(row(name, statistics, past ?? now, givers[name] ?? [], past))
            }
            let header = [
                "QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "OLDEST (S)", "SENT", "RECEIVED",
                "DELETED", "BYTES", "COMPRESSED", "DEAD LETTERS",
            ]
            try invocation.output.table(.array(list), header, rows)
            for note in notes { invocation.output.note(note) }
            try invocation.output.check(failures)
        })

    /// Which queues' dead letters go to a queue: also those that are not shown. Of one that cannot
    /// be read nobody knows; who asks for it is told.
    private static func givers(
        in directory: QueueDirectory, _ names: [String]
    ) -> [String: [String]] {
        var givers: [String: [String]] = [:]
        for name in names {
            guard let policy = try? directory.queue(name).settings.redrivePolicy else { continue }
            givers[policy.deadLetterQueue, default: []].append(name)
        }
        return givers
    }

    /// What a table has no room for.
    private static func notes(
        _ name: String, _ statistics: Queue.Statistics, among queues: [String]
    ) -> [String] {
        var notes = statistics.leaving.map { leaving in
            let count = leaving.messages
            let what =
                count == 1 ? "1 message of \(name) waits" : "\(count) messages of \(name) wait"
            return queues.contains(leaving.target)
                ? "\(what) for '\(leaving.target)' to take \(count == 1 ? "it" : "them")."
                : "\(what) for '\(leaving.target)', which does not exist."
        }
        let torn = statistics.tornFiles
        if torn > 0 {
            notes.append(
                "\(name) has \(torn) torn file\(torn == 1 ? "" : "s"), left by writers that died: "
                    + "'msorch queue verify \(name)' says what can be read there.")
        }
        return notes
    }

    /// What `--at` says; `nil` is now.
    private static func moment(
        _ invocation: Invocation, _ now: Timestamp
    ) throws -> Timestamp? {
        guard let text = invocation.text("at") else { return nil }
        let moment = try Moment.parse(text, "at", now: now)
        guard moment <= now else {
            throw CommandError(.usage, "--at \(text) is in the future.")
        }
        return moment
    }

    private static func age(_ statistics: Queue.Statistics, _ now: Timestamp) -> Int64? {
        statistics.oldestSent.map { max(0, (now - $0).wholeMilliseconds / 1000) }
    }

    private static func row(
        _ name: String, _ statistics: Queue.Statistics, _ now: Timestamp, _ givers: [String],
        _ past: Timestamp?
    ) -> [String] {
        let counts = statistics.counts
        let counters = statistics.counters
        return [
            name, String(counts.visible), String(counts.inFlight), String(counts.delayed),
            age(statistics, now).map(String.init) ?? "-", String(counters.sent),
            String(counters.received), String(counters.deleted),
            past == nil ? String(statistics.journalBytes) : "-",
            compression(counters.compression),
            statistics.settings.redrivePolicy.map {
                "→ \($0.deadLetterQueue) after \($0.maxReceiveCount)"
            } ?? (givers.isEmpty ? "-" : "← " + givers.joined(separator: ", ")),
        ]
    }

    private static func compression(_ saved: QueueState.Compression) -> String {
        saved.messages > 0 ? "\(saved.bytesBefore) to \(saved.bytesAfter)" : "-"
    }

    private static func json(
        _ name: String, _ statistics: Queue.Statistics, _ now: Timestamp, _ past: Timestamp?
    ) -> JSONValue {
        let counters = statistics.counters
        func number(_ value: UInt64) -> JSONValue { .int(Int64(clamping: value)) }
        var json: JSONObject = [
            "name": .string(name), "visible": number(statistics.counts.visible),
            "inFlight": number(statistics.counts.inFlight),
            "delayed": number(statistics.counts.delayed),
            "oldestAgeSeconds": age(statistics, past ?? now).map { .int($0) } ?? .null,
            "sent": number(counters.sent), "received": number(counters.received),
            "deleted": number(counters.deleted), "expired": number(counters.expired),
            "purged": number(counters.purged), "deadLettered": number(counters.deadLettered),
            "taken": number(counters.taken), "moved": number(counters.moved),
            "journalBytes": past == nil ? number(statistics.journalBytes) : .null,
            "compression": [
                "messages": number(counters.compression.messages),
                "bytesBefore": number(counters.compression.bytesBefore),
                "bytesAfter": number(counters.compression.bytesAfter),
            ],
            "tornFiles": past == nil ? .int(statistics.tornFiles) : .null,
            "leaving": .array(
                statistics.leaving.map {
                    ["to": .string($0.target), "messages": .int($0.messages)]
                }),
            "settings": statistics.settings.json,
        ]
        json["at"] = past.map { .string($0.iso8601) }
        return .object(json)
    }
}
