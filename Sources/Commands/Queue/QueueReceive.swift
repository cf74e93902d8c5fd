import Crypto
import JSON
import Posix
import QueueModel
import Services
import StackModel

extension Command {
    static let queueReceive = receiving(
        ["queue", "receive"], "Receives messages that are there now.", defaultWait: 0)
    static let poll = receiving(
        ["poll"], "Receives messages, waiting for them to come.", defaultWait: 20)

    private static func receiving(
        _ path: [String], _ abstract: String, defaultWait: Int64
    ) -> Command {
        Command(
            path: path, abstract: abstract,
            arguments: [Argument(name: "QUEUE", help: "The queue's name.")],
            options: [
                .number(
                    "max", "COUNT", QueueLimits.receivedMessages, "At most so many (default: 1)."),
                .number(
                    "wait", "SECONDS", QueueLimits.waitSeconds,
                    "Wait so long for a message (default: \(defaultWait))."),
                .number(
                    "visibility-timeout", "SECONDS", QueueLimits.visibilitySeconds,
                    "Hide what is received for so long (default: the queue's)."),
                .flag("delete", "Delete each message once it is written out."),
                .flag(
                    "all",
                    "Go on until the queue has none; without --delete, what was received comes "
                        + "back after the visibility timeout."),
                .flag("decompress", "Unpack what 'send --compress' packed; leave the others."),
            ],
            examples: [
                "\(typed(path)) OrderQueue --max 10 --delete",
                "\(typed(path)) OrderQueue --output json | jq -r .Body",
            ],
            run: { invocation in
                let directory = invocation.queues()
                let isAll = invocation.has("all")
                let limit = Int(invocation.number("max") ?? (isAll ? 10 : 1))
                try checkTimeout(invocation)
                let wait = invocation.number("wait") ?? (isAll ? 0 : defaultWait)
                var output = invocation.output
                output.hintIfLost = "What could not be written out was not deleted, and comes back."
                var stack: Stack?
                repeat {
                    let deliveries = try invocation.withQueue { queue in
                        try queue.receive(
                            upTo: limit, timeoutSeconds: invocation.number("visibility-timeout"),
                            wait: .seconds(wait), movingTo: directory,
                            isCancelled: { Signals.termination != nil })
                    }
                    // Only the ARN of where a dead letter came from needs it; what was received is
                    // written out all the same.
                    if output.format == .json, stack == nil,
                        deliveries.contains(where: { $0.message.source != nil })
                    {
                        let deployment = try? Deployment.load(invocation.stateDirectory)
                        stack = deployment?.stack ?? Stack(json: [:])
                    }
                    try write(
                        invocation.has("decompress")
                            ? try unpacked(deliveries, output) : deliveries,
                        of: stack, output)
                    guard !deliveries.isEmpty else { return }
                    if invocation.has("delete") {
                        let handles = deliveries.map(\.handle)
                        for outcome in try invocation.withQueue({ try $0.delete(handles) }) {
                            try outcome.get()
                        }
                    }
                } while isAll && Signals.termination == nil
            })
    }

    /// - Throws: if what is received would be there again at once: without end, and counted as
    ///   received each time; or, as a FIFO queue's handles end then, without being deleted.
    private static func checkTimeout(_ invocation: Invocation) throws {
        let deletes = invocation.has("delete")
        guard deletes || invocation.has("all") else { return }
        let settings = try invocation.withQueue { try $0.settings }
        let seconds =
            invocation.number("visibility-timeout") ?? settings.visibilityTimeoutSeconds
        guard seconds == 0 else { return }
        guard !deletes else {
            guard settings.isFIFO else { return }
            throw CommandError(
                .usage,
                "--delete cannot delete from a FIFO queue where messages are visible again at "
                    + "once: the visibility timeout is 0.",
                hint: "--visibility-timeout SECONDS hides what is received until it is deleted.")
        }
        throw CommandError(
            .usage,
            "--all without --delete receives the same messages again and again where the "
                + "visibility timeout is 0.",
            hint: "'msorch queue export' writes all and changes nothing; --delete takes them out.")
    }

    /// The messages as they were before they were packed.
    private static func unpacked(
        _ deliveries: [Queue.Delivery], _ output: Output
    ) throws -> [Queue.Delivery] {
        try deliveries.map { delivery in
            switch try WireCompression.unpack(delivery) {
            case .unpacked(let unpacked): return unpacked
            case .plain: return delivery
            case .malformed:
                output.note(
                    "\(delivery.received.entry.messageID) says that it is "
                        + "\(WireCompression.encoding), and cannot be unpacked to a body; it was "
                        + "left as it is.")
                return delivery
            }
        }
    }

    /// Bytes of lines that are gathered before they are written.
    private static let gatheredBytes = 256 * 1024

    /// One line a message, small ones together.
    private static func write(
        _ deliveries: [Queue.Delivery], of stack: Stack?, _ output: Output
    ) throws {
        var lines: [UInt8] = []
        for delivery in deliveries {
            switch output.format {
            case .json: try delivery.json(of: stack).append(to: &lines)
            case .text, .csv: delivery.appendText(to: &lines)
            }
            lines.append(0x0A)
            guard lines.count > gatheredBytes else { continue }
            try output.data(lines)
            lines.removeAll(keepingCapacity: true)
        }
        if !lines.isEmpty { try output.data(lines) }
    }
}

extension Queue.Delivery {
    fileprivate func appendText(to line: inout [UInt8]) {
        line += "\(received.entry.messageID)  receive \(received.receiveCount)  ".utf8
        line += body
    }

    /// ReceiveMessage's own shape, one object a message.
    ///
    /// - Parameter stack: needed for a dead letter alone.
    fileprivate func json(of stack: Stack?) throws -> JSONValue {
        let source = message.source.flatMap { stack?.queueARN($0) }
        var json: JSONObject = [
            "MessageId": .string(received.entry.messageID),
            "ReceiptHandle": .string(receiptHandle),
            "MD5OfBody": .string(Digest.md5Hex(body)),
            "Body": .string(String(decoding: body, as: UTF8.self)),
            "Attributes": .object(systemAttributes(source: source)),
        ]
        let attributes = try attributes
        if !attributes.json.isEmpty {
            json["MessageAttributes"] = .object(attributes.json)
            json["MD5OfMessageAttributes"] = attributes.md5.map { .string($0) }
        }
        return .object(json)
    }
}
