import JSON
import QueueModel
import Services

extension Command {
    static let queueStatistics = Command(
        path: ["queue", "stats"], abstract: "Shows what is in the queues, and what went through.",
        arguments: [
            Argument(name: "QUEUE", help: "Default: all.", isOptional: true, isRepeated: true)
        ],
        examples: ["msorch queue stats", "msorch queue stats OrderQueue --output json"],
        formats: Output.Format.allCases,
        run: { invocation in
            let directory = invocation.queues()
            let names =
                try invocation.arguments.isEmpty ? directory.names() : invocation.arguments
            let now = StackClock().now()
            // Arrows need every queue's settings, also where only some are shown.
            var givers: [String: [String]] = [:]
            for name in try directory.names() {
                let policy = try directory.queue(name).settings.redrivePolicy
                if let policy { givers[policy.deadLetterQueue, default: []].append(name) }
            }
            var rows: [[String]] = []
            var list: [JSONValue] = []
            for name in names {
                let statistics = try directory.queue(name).statistics()
                list.append(json(name, statistics, now))
                rows.append(row(name, statistics, now, givers[name] ?? []))
            }
            let header = [
                "QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "OLDEST (S)", "SENT", "RECEIVED",
                "DELETED", "BYTES", "COMPRESSED", "DEAD LETTERS",
            ]
            try invocation.output.table(.array(list), header, rows)
        })

    private static func age(_ statistics: Queue.Statistics, _ now: Timestamp) -> Int64? {
        statistics.oldestSent.map { max(0, (now - $0).wholeMilliseconds / 1000) }
    }

    private static func row(
        _ name: String, _ statistics: Queue.Statistics, _ now: Timestamp, _ givers: [String]
    ) -> [String] {
        let counts = statistics.counts
        let counters = statistics.counters
        return [
            name, String(counts.visible), String(counts.inFlight), String(counts.delayed),
            age(statistics, now).map(String.init) ?? "-", String(counters.sent),
            String(counters.received), String(counters.deleted), String(statistics.journalBytes),
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
        _ name: String, _ statistics: Queue.Statistics, _ now: Timestamp
    ) -> JSONValue {
        let counters = statistics.counters
        func number(_ value: UInt64) -> JSONValue { .int(Int64(clamping: value)) }
        return [
            "name": .string(name), "visible": number(statistics.counts.visible),
            "inFlight": number(statistics.counts.inFlight),
            "delayed": number(statistics.counts.delayed),
            "oldestAgeSeconds": age(statistics, now).map { .int($0) } ?? .null,
            "sent": number(counters.sent), "received": number(counters.received),
            "deleted": number(counters.deleted), "expired": number(counters.expired),
            "purged": number(counters.purged), "deadLettered": number(counters.deadLettered),
            "taken": number(counters.taken), "moved": number(counters.moved),
            "journalBytes": number(statistics.journalBytes),
            "compression": [
                "messages": number(counters.compression.messages),
                "bytesBefore": number(counters.compression.bytesBefore),
                "bytesAfter": number(counters.compression.bytesAfter),
            ],
            "tornFiles": .int(statistics.tornFiles), "settings": statistics.settings.json,
        ]
    }
}
