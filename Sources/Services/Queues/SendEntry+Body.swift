import Crypto
import JSON
import QueueModel

extension SendEntry {
    /// A message as every client's send makes it.
    ///
    /// - Parameter body: decoded.
    package init(
        body: [UInt8], attributes: MessageAttributes, group: String?, deduplicationID: String?
    ) {
        var escaped: [UInt8] = []
        escaped.reserveCapacity(body.count)
        JSONWriter.appendEscaped(body, to: &escaped)
        self.init(
            escaped: escaped, decoded: body, attributes: attributes, group: group,
            deduplicationID: deduplicationID)
    }

    /// - Parameters:
    ///   - escaped: the body as the inside of a JSON string.
    ///   - body: the same, decoded.
    package init(
        escaped: [UInt8], decoded body: [UInt8], attributes: MessageAttributes, group: String?,
        deduplicationID: String?
    ) {
        self.init(escapedBody: escaped, size: body.count + attributes.size)
        hasInvalidCharacters = !MessageCharacters.areValid(body)
        self.group = group
        self.deduplicationID = deduplicationID
        if group != nil, deduplicationID == nil { contentDigest = Digest.sha256Hex(body) }
        if !attributes.json.isEmpty {
            self.attributes = Array(JSONValue.object(attributes.json).serialized().utf8)
        }
    }
}
