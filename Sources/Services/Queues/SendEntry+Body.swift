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
    ///   - hasLoneSurrogate: whether that is not what was sent.
    package init(
        escaped: [UInt8], decoded body: [UInt8], attributes: MessageAttributes, group: String?,
        deduplicationID: String?, delaySeconds: Int64? = nil, traceHeader: String? = nil,
        sender: String? = nil, hasLoneSurrogate: Bool = false
    ) {
        self.init(
            escapedBody: escaped, size: body.count + attributes.size,
            delaySeconds: delaySeconds, group: group, deduplicationID: deduplicationID,
            contentDigest: group != nil && deduplicationID == nil ? Digest.sha256Hex(body) : nil,
            attributes: attributes.json.isEmpty
                ? nil : Array(JSONValue.object(attributes.json).serialized().utf8),
            traceHeader: traceHeader, sender: sender,
            hasInvalidCharacters: hasLoneSurrogate || !MessageCharacters.areValid(body))
    }
}
