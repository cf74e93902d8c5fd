import Crypto
import JSON
import Posix
import QueueModel
import Services

extension Command {
    static let queueSend = sending(["queue", "send"])
    static let send = sending(["send"])

    private static func sending(_ path: [String]) -> Command {
        let name = typed(path)
        return Command(
            path: path, abstract: "Sends a message, or one for each line of standard input.",
            arguments: [
                Argument(name: "QUEUE", help: "The queue's name."),
                Argument(name: "BODY", help: "The message; '-' sends each line of standard input."),
            ],
            options: [
                .number(
                    "delay", "SECONDS", QueueLimits.delaySeconds,
                    "Hide the message for so long (default: the queue's delay)."),
                .text("group", "ID", "FIFO: the message group."),
                .text(
                    "attributes", "JSON",
                    "Message attributes by name: texts, numbers, or AWS's own shape."),
                .text(
                    "deduplication-id", "ID",
                    "FIFO: what makes the message the same as another; lines have none."),
                .flag("compress", "Pack bodies that get smaller, for 'poll --decompress'."),
            ],
            examples: [
                "\(name) OrderQueue '{\"order_id\": 1}'",
                "\(name) OrderQueue hi --attributes '{\"urgency\": 9}'",
                "seq 100000 | \(name) OrderQueue -",
                "\(name) OrderQueue \"$(cat order.json)\" --compress",
            ],
            run: { invocation in
                guard
                    invocation.arguments[1] != "-" || invocation.text("deduplication-id") == nil
                else {
                    throw CommandError(
                        .usage,
                        "--deduplication-id names one message: of many lines, all but the first "
                            + "would be its duplicates.",
                        hint: "A queue with content-based deduplication needs none.")
                }
                // A wrong name has its answer before anything is read.
                _ = try invocation.queues().queue(invocation.arguments[0])
                let attributes = try messageAttributes(invocation)
                if invocation.arguments[1] == "-" {
                    try sendLines(attributes, invocation)
                } else {
                    try sendOne(Array(invocation.arguments[1].utf8), attributes, invocation)
                }
            })
    }

    /// The attributes in AWS's shape; a plain text is a String, a plain number a Number.
    private static func messageAttributes(_ invocation: Invocation) throws -> MessageAttributes {
        guard let text = invocation.text("attributes") else { return try MessageAttributes(nil) }
        guard let json = try? JSONValue.parse(text), let members = json.objectValue?.members else {
            throw CommandError(
                .usage, "--attributes must be a JSON object, not \(text).",
                hint: "For example --attributes '{\"priority\": 9}'.")
        }
        guard !JSONText.hasLoneSurrogate(text.utf8) else {
            throw CommandError(
                .usage, "--attributes has half a surrogate pair, which is no character.",
                hint: "Characters beyond U+FFFF are two \\u escapes, or themselves.")
        }
        let attributes = members.map { name, value -> (key: String, value: JSONValue) in
            switch value {
            case .string: (name, ["DataType": "String", "StringValue": value])
            case .number(let number):
                (name, ["DataType": "Number", "StringValue": .string(number.text)])
            default: (name, value)
            }
        }
        return try MessageAttributes(sending: .object(JSONObject(attributes)))
    }

    private static func sendOne(
        _ body: [UInt8], _ attributes: MessageAttributes, _ invocation: Invocation
    ) throws {
        var packing = Packing(isWanted: invocation.has("compress"))
        let (body, attributes) = try packing.pack(body, attributes)
        let entry = SendEntry(text: body, attributes, invocation)
        let sent = try invocation.withQueue { try $0.send([entry]) }[0].get()
        var output = invocation.output
        output.hintIfLost = "The message was sent."
        try output.result(answer(sent, body, attributes)) { sent.messageID }
        packing.report(invocation.output)
    }

    /// SendMessage's own answer.
    private static func answer(
        _ sent: SentMessage, _ body: [UInt8], _ attributes: MessageAttributes
    ) -> JSONValue {
        var json: JSONObject = [
            "MessageId": .string(sent.messageID), "MD5OfMessageBody": .string(Digest.md5Hex(body)),
        ]
        json["MD5OfMessageAttributes"] = attributes.md5.map { .string($0) }
        if let number = sent.sequenceNumber { json["SequenceNumber"] = .string(number) }
        return .object(json)
    }

    /// Batches of ten, a hundred batches a lock and a sync: each line is durable before it is
    /// counted.
    private static func sendLines(
        _ attributes: MessageAttributes, _ invocation: Invocation
    ) throws {
        let showsProgress = StandardStream.error.isTerminal && !invocation.output.isQuiet
        var lines = LineSplitter()
        var packing = Packing(isWanted: invocation.has("compress"))
        var tally = SendTally()
        func deliver(_ ready: [LineSplitter.Line]) throws {
            var rest = ready[...]
            while !rest.isEmpty, Signals.termination == nil {
                let part = rest.prefix(1000)
                let entries = try part.map { line in
                    let (body, attributes) = try packing.pack(line.bytes, attributes)
                    return SendEntry(text: body, attributes, invocation)
                }
                rest = rest.dropFirst(1000)
                var numbers = part.lazy.map(\.number).makeIterator()
                try invocation.withQueue { queue in
                    try queue.sendBulk(entries) { tally.count($0, line: numbers.next() ?? 0) }
                }
                if showsProgress { StandardStream.error.write("\r\(tally.sent) sent".utf8) }
            }
        }
        func report() throws {
            if showsProgress { StandardStream.error.write("\r".utf8) }
            try tally.report(invocation.output)
            if lines.skipped > 0 {
                invocation.output.note(
                    lines.skipped == 1
                        ? "1 empty line was passed over."
                        : "\(lines.skipped) empty lines were passed over.")
            }
            packing.report(invocation.output)
        }
        do {
            while Signals.termination == nil {
                let bytes = try StandardStream.input.read(upTo: 256 * 1024)
                try deliver(bytes.isEmpty ? lines.finish() : lines.append(bytes))
                if bytes.isEmpty { break }
            }
        } catch {
            try report()
            throw error
        }
        try report()
        try tally.check()
    }
}

/// What `--compress` does to each message, and what that saves.
private struct Packing {
    let isWanted: Bool
    private var messages = 0
    private var packed = 0
    private var bytes = (before: 0, after: 0)
    private var units = (before: 0, after: 0)

    init(isWanted: Bool) { self.isWanted = isWanted }

    mutating func pack(
        _ body: [UInt8], _ attributes: MessageAttributes
    ) throws -> ([UInt8], MessageAttributes) {
        guard isWanted else { return (body, attributes) }
        guard attributes.json[WireCompression.attribute] == nil else {
            throw CommandError(
                .usage, "--compress sets the attribute \(WireCompression.attribute) itself.",
                hint: "Leave one of the two out.")
        }
        guard attributes.json.count < QueueLimits.attributes else {
            throw CommandError(
                .usage,
                "--compress adds the attribute \(WireCompression.attribute), and a message "
                    + "has at most \(QueueLimits.attributes).", hint: "Leave one attribute out.")
        }
        let result = try WireCompression.pack(body, attributes)
        let before = body.count + attributes.size
        let after = result.body.count + result.attributes.size
        messages += 1
        packed += result.isPacked ? 1 : 0
        bytes = (bytes.before + before, bytes.after + after)
        units.before += WireCompression.units(before)
        units.after += WireCompression.units(after)
        return (result.body, result.attributes)
    }

    func report(_ output: Output) {
        guard isWanted else { return }
        output.note(
            "\(packed) of \(messages) compressed: \(bytes.before) to \(bytes.after) bytes, "
                + "\(units.before) to \(units.after) billed units of 64 KiB.")
    }
}

/// What became of lines that were sent.
struct SendTally {
    private(set) var sent = 0
    private(set) var failed = 0
    private var first: (line: Int, error: SQSError)?

    mutating func count(_ outcome: Outcome<SentMessage>, line: Int) {
        switch outcome {
        case .success: sent += 1
        case .failure(let error):
            failed += 1
            if first == nil { first = (line, error) }
        }
    }

    func report(_ output: Output) throws {
        var output = output
        output.hintIfLost = "\(sent) were sent."
        try output.result(["sent": .int(sent), "failed": .int(failed)]) { nil }
        output.note("\(sent) sent.")
    }

    /// - Throws: what was refused first, and why.
    func check() throws(CommandError) {
        guard let first else { return }
        throw CommandError(
            .failure,
            "\(failed) of \(sent + failed) lines were refused; the first is line \(first.line): "
                + "\(first.error.message)")
    }
}

/// Cuts a stream at its newlines; what stands between is not changed, and empty lines are passed
/// over. A line may be as long as a message.
struct LineSplitter {
    struct Line {
        /// From 1, empty lines counted.
        var number: Int
        var bytes: [UInt8]
    }

    /// More of a line is not kept: nothing so long can be sent, also not packed, and whoever looks
    /// at its size refuses it.
    private static let longestLine = 64 * 1024 * 1024

    private var rest: [UInt8] = []
    private var number = 0
    /// Empty lines so far.
    private(set) var skipped = 0

    mutating func append(_ bytes: [UInt8]) -> [Line] {
        var lines: [Line] = []
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            add(rest + bytes[start..<end], to: &lines)
            rest = []
            start = end + 1
        }
        let room = max(0, Self.longestLine - rest.count)
        rest.append(contentsOf: bytes[start...].prefix(room))
        return lines
    }

    mutating func finish() -> [Line] {
        guard !rest.isEmpty else { return [] }
        var lines: [Line] = []
        add(rest, to: &lines)
        rest = []
        return lines
    }

    private mutating func add(_ line: [UInt8], to lines: inout [Line]) {
        number += 1
        guard !line.isEmpty else {
            skipped += 1
            return
        }
        lines.append(Line(number: number, bytes: line))
    }
}

extension SendEntry {
    /// A body as it was typed, and what the options say of it.
    init(text: [UInt8], _ attributes: MessageAttributes, _ invocation: Invocation) {
        self.init(
            body: text, attributes: attributes, group: invocation.text("group"),
            deduplicationID: invocation.text("deduplication-id"))
        delaySeconds = invocation.number("delay")
    }
}
