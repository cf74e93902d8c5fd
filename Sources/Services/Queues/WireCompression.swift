import Compression
import Crypto
import JSON
import QueueModel

/// Bodies that are small on the wire too: AWS bills each 64 KiB of a message.
///
/// A packed body is gzip in base64, and says so in a message attribute; any client can do the same
/// (docs/cli.md, *Small on the wire*).
package enum WireCompression {
    package static let attribute = "ContentEncoding"
    package static let encoding = "gzip+base64"
    /// Bytes. What would unpack to more is left as it is, and so nothing larger is packed.
    package static let bodyLimit = 16 * 1024 * 1024
    /// What one request is billed by, in bytes (Amazon SQS pricing).
    package static let billedUnit = 64 * 1024

    /// A body and its attributes as they should be sent: packed if that is smaller, else as given.
    ///
    /// - Throws: what the attributes' rules refuse: an eleventh one.
    package static func pack(
        _ body: [UInt8], _ attributes: MessageAttributes
    ) throws(SQSError) -> (body: [UInt8], attributes: MessageAttributes, isPacked: Bool) {
        let plain = (body, attributes, false)
        // What SQS would refuse unpacked is not smuggled through.
        guard body.count <= bodyLimit, MessageCharacters.areValid(body) else { return plain }
        let packed = Array(Base64.encode(Gzip.compress(body)).utf8)
        var json = attributes.json
        json[attribute] = ["DataType": "String", "StringValue": .string(encoding)]
        let labelled = try MessageAttributes(.object(json))
        guard packed.count + labelled.size < body.count + attributes.size else { return plain }
        return (packed, labelled, true)
    }

    /// The 64 KiB units that a message of `bytes` is billed as.
    package static func units(_ bytes: Int) -> Int {
        max(1, (bytes + billedUnit - 1) / billedUnit)
    }

    /// What became of a message that was to be unpacked.
    package enum Unpacked: Sendable {
        case unpacked(Queue.Delivery)
        /// It does not say that it is packed.
        case plain
        /// It says so, and is not, or is larger than `bodyLimit`, or no UTF-8.
        case malformed
    }

    /// The message as it was before it was packed, without the attribute.
    package static func unpack(_ delivery: Queue.Delivery) throws -> Unpacked {
        var json = try delivery.attributes.json
        guard json[attribute]?["StringValue"]?.stringValue == encoding else { return .plain }
        guard let packed = Base64.decode(String(decoding: delivery.body, as: UTF8.self)),
            let body = try? Gzip.decompress(packed, limit: bodyLimit),
            String(validating: body, as: UTF8.self) != nil
        else { return .malformed }
        var delivery = delivery
        delivery.message.escapedBody = []
        JSONWriter.appendEscaped(body, to: &delivery.message.escapedBody)
        json[attribute] = nil
        delivery.message.attributes =
            json.isEmpty ? nil : Array(JSONValue.object(json).serialized().utf8)
        return .unpacked(delivery)
    }
}
