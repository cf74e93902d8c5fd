import Compression
import Crypto
import JSON
import QueueModel

/// Bodies at rest: packed as the queue's `compression` says, unpacked for whoever looks at them.
extension SendEntry {
    /// Packs the body if it has `floor` bytes or more and takes less room in the journal packed.
    /// Clients see nothing of it: sizes and checksums are the plain body's.
    func packed(from floor: Int64) -> SendEntry {
        guard packed == nil, Int64(escapedBody.count) >= floor else { return self }
        let body = JSONText.unescape(escapedBody)
        guard Int64(body.count) >= floor, !body.isEmpty, !hasInvalidCharacters else { return self }
        let text = Array(Base64.encode(Gzip.compress(body)).utf8)
        // The member that says the size takes room too.
        guard text.count + ",\"size\":".utf8.count + 7 < escapedBody.count else { return self }
        var entry = self
        entry.packed = PackedBody(base64: text, size: Int64(body.count))
        return entry
    }
}

extension QueueRecord.NewMessage {
    /// Never more, whatever a record says: a message, and what a newer msorch may add to one.
    private static let bodyLimit = QueueLimits.messageBytes + 64 * 1024

    /// The message with its body as it was sent.
    ///
    /// - Throws: if the body does not unpack to what its record says.
    package func unpacked() throws(QueueRecordError) -> QueueRecord.NewMessage {
        guard let packed else { return self }
        guard (0...Int64(Self.bodyLimit)).contains(packed.size),
            let bytes = Base64.decode(String(decoding: packed.base64, as: UTF8.self)),
            let body = try? Gzip.decompress(bytes, limit: Int(packed.size)),
            body.count == packed.size
        else {
            throw QueueRecordError(
                message: "the compressed body of message \(messageID) cannot be unpacked")
        }
        var message = self
        message.packed = nil
        JSONWriter.appendEscaped(body, to: &message.escapedBody)
        return message
    }
}

extension Queue.Received {
    /// Gives every body as it was sent.
    mutating func unpack() throws(QueueRecordError) {
        for index in deliveries.indices { try deliveries[index].unpack() }
    }
}

extension Queue.Delivery {
    fileprivate mutating func unpack() throws(QueueRecordError) {
        if message.packed != nil { message = try message.unpacked() }
    }
}
