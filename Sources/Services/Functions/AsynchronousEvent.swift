import JSON
import QueueModel

/// An event of a function as its journal has it. One that failed is sent again, to wait for its
/// retry, with what must outlive that in the message's attributes: whoever goes on with it, after a
/// restart too, knows how often it has failed.
struct AsynchronousEvent: Sendable {
    private static let requestIDName = "RequestId"
    private static let acceptedName = "AcceptedTimestamp"
    private static let failuresName = "Failures"

    /// The request ID of its invocations.
    var id: String
    var payload: [UInt8]
    var accepted: Timestamp
    /// How often its function has failed on it.
    var failures: Int
    /// How often it was received since it was last sent.
    var receiveCount: Int64
    var handle: String
    /// From then on somebody else may run it.
    var hiddenUntil: Timestamp

    init(_ delivery: Queue.Delivery) {
        let attributes = delivery.message.attributes.flatMap { try? JSONValue.parse($0) }
        func text(_ name: String) -> String? { attributes?[name]?["StringValue"]?.stringValue }
        let entry = delivery.received.entry
        id = text(Self.requestIDName) ?? entry.messageID
        payload = delivery.body
        accepted =
            text(Self.acceptedName).flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) }
            ?? entry.sent
        failures = text(Self.failuresName).flatMap { Int($0) } ?? 0
        receiveCount = delivery.received.receiveCount
        handle = delivery.receiptHandle
        hiddenUntil = delivery.hiddenUntil
    }

    /// Not a client's message: neither its characters nor its size are SQS's business.
    static func entry(_ payload: [UInt8]) -> SendEntry {
        var escaped: [UInt8] = []
        JSONWriter.appendEscaped(payload, to: &escaped)
        return SendEntry(escapedBody: escaped, size: 1)
    }

    /// The event, to be run again in so many seconds.
    func retry(afterSeconds seconds: Int64) -> SendEntry {
        func attribute(_ type: String, _ value: String) -> JSONValue {
            ["DataType": .string(type), "StringValue": .string(value)]
        }
        let attributes: JSONValue = [
            Self.requestIDName: attribute("String", id),
            Self.acceptedName: attribute("Number", "\(accepted.milliseconds)"),
            Self.failuresName: attribute("Number", "\(failures)"),
        ]
        var entry = Self.entry(payload)
        entry.delaySeconds = seconds
        entry.attributes = Array(attributes.serialized().utf8)
        return entry
    }
}
