import Crypto
import JSON
import Journal
import Posix
import QueueModel
import Services

extension Command {
    static let queueExport = Command(
        path: ["queue", "export"], abstract: "Writes every message of a queue as a line of JSON.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        examples: ["msorch queue export OrderQueue > orders.jsonl"],
        run: { invocation in
            let directory = invocation.queues()
            let queue = try directory.queue(invocation.arguments[0])
            directory.finishArrivals(at: queue.name)
            var lines: [UInt8] = []
            var count = 0
            do {
                try queue.forEachMessage { entry, message in
                    guard Signals.termination == nil else {
                        throw CommandError(.failure, "Interrupted.")
                    }
                    try message.exported(entry).append(to: &lines)
                    lines.append(0x0A)
                    count += 1
                    guard lines.count > chunkBytes else { return }
                    try invocation.output.data(lines)
                    lines.removeAll(keepingCapacity: true)
                }
            } catch JournalError.storage(let error) where error.isNotFound {
                try invocation.output.data(lines)
                throw CommandError(
                    .failure,
                    "Messages of '\(queue.name)' were taken out while they were exported; "
                        + "\(count) lines are written, and others may be missing.",
                    hint: "Export it once more, while nobody works on it.")
            }
            try invocation.output.data(lines)
        })

    static let queueImport = Command(
        path: ["queue", "import"],
        abstract: "Sends the messages that 'queue export' wrote, as new ones.",
        arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
        examples: ["msorch queue import OrderQueue < orders.jsonl"],
        run: { invocation in
            let isFIFO = try invocation.withQueue { try $0.settings.isFIFO }
            var tally = SendTally()
            do {
                try importLines(invocation, isFIFO: isFIFO, &tally)
            } catch {
                try tally.report(invocation.output)
                guard var mistake = error as? CommandError, tally.sent > 0 else { throw error }
                // Who sends the file again sends some of it twice: not as if nothing were done.
                mistake.exitCode = .failure
                throw mistake
            }
            try tally.report(invocation.output)
            try tally.check()
        })

    private static func importLines(
        _ invocation: Invocation, isFIFO: Bool, _ tally: inout SendTally
    ) throws {
        var lines = LineSplitter()
        while Signals.termination == nil {
            let bytes = try StandardStream.input.read(upTo: chunkBytes)
            let ready = bytes.isEmpty ? lines.finish() : lines.append(bytes)
            var entries: [SendEntry] = []
            var numbers: [Int] = []
            var mistake: (any Error)?
            for line in ready where mistake == nil {
                do {
                    entries.append(try SendEntry(exported: line, isFIFO: isFIFO))
                    numbers.append(line.number)
                } catch {
                    mistake = error
                }
            }
            for start in stride(from: 0, to: entries.count, by: 1000) {
                let group = Array(entries[start..<min(start + 1000, entries.count)])
                var lines = numbers[start...].makeIterator()
                try invocation.withQueue { queue in
                    try queue.sendBulk(group) { tally.count($0, line: lines.next() ?? 0) }
                }
            }
            if let mistake { throw mistake }
            if bytes.isEmpty { return }
        }
    }

    private static let chunkBytes = 256 * 1024
}

extension QueueRecord.NewMessage {
    fileprivate func exported(_ entry: StreamEntry) throws -> JSONValue {
        let body = String(decoding: JSONText.unescape(escapedBody), as: UTF8.self)
        var json: JSONObject = [
            "MessageId": .string(messageID), "Body": .string(body),
            "SentTimestamp": .string(String(entry.sent.milliseconds)),
        ]
        json["MessageGroupId"] = group.map { .string($0) }
        json["MessageDeduplicationId"] = deduplicationID.map { .string($0) }
        json["MessageAttributes"] = try attributes.map { try JSONValue.parse($0) }
        return .object(json)
    }
}

extension SendEntry {
    /// A new message: in a FIFO queue with a deduplication id of its own, so that none is taken for
    /// one that was sent before.
    fileprivate init(exported line: LineSplitter.Line, isFIFO: Bool) throws {
        func refusal(_ reason: String) -> CommandError {
            CommandError(
                .usage, "Line \(line.number) is not a message: \(reason)",
                hint: "'msorch queue export' writes such lines. Lines before it were sent.")
        }
        guard let json = try? JSONValue.parse(line.bytes), let body = json["Body"]?.stringValue
        else { throw refusal("an object with a Body is expected.") }
        guard !JSONText.hasLoneSurrogate(line.bytes) else {
            throw refusal("it has half a surrogate pair, which is no character.")
        }
        let given = json["MessageAttributes"] ?? .null
        guard given == .null || given.objectValue != nil else {
            throw refusal("its MessageAttributes are no object.")
        }
        let attributes: MessageAttributes
        do throws(SQSError) {
            attributes = try MessageAttributes(sending: given)
        } catch {
            throw refusal(error.message)
        }
        self.init(
            body: Array(body.utf8), attributes: attributes,
            group: json["MessageGroupId"]?.stringValue,
            deduplicationID: isFIFO
                ? RandomBytes.uuid() : json["MessageDeduplicationId"]?.stringValue)
    }
}
