import Crypto
import JSON
import QueueModel
import StackModel

/// The event that a function gets for a batch of messages (Lambda guide, *with-sqs*).
package struct SQSEvent {
    package struct Message: Sendable {
        package var delivery: Queue.Delivery
        package var record: JSONValue
        /// As it stands in the event.
        package var text: [UInt8]

        package var id: String { delivery.received.entry.messageID }
        package var handle: String { delivery.receiptHandle }

        /// - Parameter arn: the queue's.
        init(_ delivery: Queue.Delivery, arn: String, of stack: Stack) throws {
            self.delivery = delivery
            let source = delivery.message.source.map(stack.queueARN)
            let attributes = try delivery.attributes
            var record: JSONObject = [
                "messageId": .string(delivery.received.entry.messageID),
                "receiptHandle": .string(delivery.receiptHandle),
                "body": .string(String(decoding: delivery.body, as: UTF8.self)),
                "attributes": .object(delivery.systemAttributes(source: source)),
                "messageAttributes": .object(
                    JSONObject(attributes.json.members.map { ($0.key, Self.attribute($0.value)) })),
                "md5OfBody": .string(Digest.md5Hex(delivery.body)),
            ]
            record["md5OfMessageAttributes"] = attributes.md5.map { .string($0) }
            record["eventSource"] = "aws:sqs"
            record["eventSourceARN"] = .string(arn)
            record["awsRegion"] = .string(stack.region)
            self.record = .object(record)
            text = []
            self.record.append(to: &text)
        }

        private static func attribute(_ json: JSONValue) -> JSONValue {
            var attribute = JSONObject()
            attribute["stringValue"] = json["StringValue"]
            attribute["binaryValue"] = json["BinaryValue"]
            attribute["stringListValues"] = []
            attribute["binaryListValues"] = []
            attribute["dataType"] = json["DataType"]
            return .object(attribute)
        }
    }

    /// How long an event of these messages would be, or a little less.
    static func size(of messages: [Message]) -> Int {
        messages.reduce(0) { $0 + $1.text.count + 1 }
    }

    /// As many of the messages as an event may hold, at least one; and the event.
    package static func make(
        _ messages: [Message], limit: Int
    ) -> (payload: [UInt8], count: Int) {
        var payload = Array("{\"Records\":[".utf8)
        var count = 0
        for message in messages {
            guard count == 0 || payload.count + message.text.count + 3 <= limit else { break }
            if count > 0 { payload.append(0x2C) }
            payload += message.text
            count += 1
        }
        payload += "]}".utf8
        return (payload, count)
    }
}
