import JSON

/// A message that a client wants to send.
package struct SendEntry: Sendable {
    package var escapedBody: [UInt8]
    /// How the journal is to keep the body, if not as it is.
    package var packed: PackedBody?
    /// Bytes of the decoded body and the attributes' names, types and values.
    package var size: Int
    package var delaySeconds: Int64?
    package var group: String?
    package var deduplicationID: String?
    /// SHA-256 of the decoded body, hexadecimal; needed for content-based deduplication only.
    package var contentDigest: String?
    package var attributes: [UInt8]?
    package var traceHeader: String?
    /// The unique id of who sends it; `nil` is the developer.
    package var sender: String?
    /// Characters that SQS refuses, or half a surrogate pair.
    package var hasInvalidCharacters = false
}

extension SendEntry {
    // All at once: a value that is changed after it was made is copied.
    package init(
        escapedBody: [UInt8], size: Int, delaySeconds: Int64? = nil, group: String? = nil,
        deduplicationID: String? = nil, contentDigest: String? = nil,
        attributes: [UInt8]? = nil, traceHeader: String? = nil, sender: String? = nil,
        hasInvalidCharacters: Bool = false
    ) {
        self.init(
            escapedBody: escapedBody, packed: nil, size: size, delaySeconds: delaySeconds,
            group: group, deduplicationID: deduplicationID, contentDigest: contentDigest,
            attributes: attributes, traceHeader: traceHeader, sender: sender,
            hasInvalidCharacters: hasInvalidCharacters)
    }
}

/// What became of one entry.
package struct SentMessage: Equatable, Sendable {
    package var id: MessageID
    /// FIFO only.
    package var sequenceNumber: String?

    package var messageID: String { id.text }

    package init(id: MessageID, sequenceNumber: String? = nil) {
        self.id = id
        self.sequenceNumber = sequenceNumber
    }
}

extension QueueState {
    /// What sending `entries` at `now` would do: the new messages, for one record if there are any,
    /// and each entry's outcome. A duplicate answers the first message's identifiers.
    ///
    /// - Parameters:
    ///   - n: the sequence number that the record will get.
    ///   - newID: gives a fresh UUID; called once an entry.
    ///   - heldWaiting: how many messages the state may hold that wait.
    ///   - earlier: the message that was sent with a deduplication key, should the state have
    ///     forgotten it.
    package func send(
        _ entries: [SendEntry], at now: Timestamp, n: UInt64, newID: () -> MessageID,
        heldWaiting: Int = QueueLimits.heldWaiting,
        earlier: (_ key: String) throws -> SentMessage?
    ) rethrows -> (new: [QueueRecord.NewMessage], outcomes: [Outcome<SentMessage>]) {
        precondition(entries.count <= QueueLimits.batchEntries, "checked by the caller")
        var new: [QueueRecord.NewMessage] = []
        var outcomes: [Outcome<SentMessage>] = []
        var known: [String: SentMessage] = [:]
        new.reserveCapacity(entries.count)
        outcomes.reserveCapacity(entries.count)
        // An entry's parts are read where they are: to hand the whole on would copy it.
        for index in entries.indices {
            let id = newID()
            let delay: Int64
            let deduplicationID: String?
            do throws(SQSError) {
                try checkContents(entries, index)
                delay = try delaySeconds(of: entries[index].delaySeconds)
                deduplicationID = try self.deduplicationID(of: entries, index)
            } catch {
                outcomes.append(.failure(error))
                continue
            }
            var sent = SentMessage(id: id)
            if let deduplicationID {
                let key = deduplicationKey(deduplicationID, group: entries[index].group)
                if let duplicate = try known[key] ?? recent(key, at: now) ?? earlier(key) {
                    outcomes.append(.success(duplicate))
                    continue
                }
                sent.sequenceNumber = Place(n: n, index: UInt8(new.count)).sequenceNumber
                known[key] = sent
            }
            let packed = entries[index].packed
            new.append(
                QueueRecord.NewMessage(
                    id: id, escapedBody: packed == nil ? entries[index].escapedBody : [],
                    packed: packed, delaySeconds: delay,
                    due: due(delaySeconds: delay, behind: new, at: now, heldWaiting),
                    group: entries[index].group, deduplicationID: deduplicationID,
                    attributes: entries[index].attributes,
                    traceHeader: entries[index].traceHeader, sender: entries[index].sender))
            outcomes.append(.success(sent))
        }
        return (new, outcomes)
    }

    /// As above, with what the state itself knows.
    package func send(
        _ entries: [SendEntry], at now: Timestamp, n: UInt64, newID: () -> MessageID,
        heldWaiting: Int = QueueLimits.heldWaiting
    ) -> (new: [QueueRecord.NewMessage], outcomes: [Outcome<SentMessage>]) {
        send(entries, at: now, n: n, newID: newID, heldWaiting: heldWaiting) { _ in nil }
    }

    private func checkContents(_ entries: [SendEntry], _ index: Int) throws(SQSError) {
        guard !entries[index].escapedBody.isEmpty else { throw .missingParameter("MessageBody") }
        guard !entries[index].hasInvalidCharacters else { throw .invalidMessageContents }
        guard entries[index].size <= settings.maximumMessageSize else {
            throw .invalidParameter(
                "One or more parameters are invalid. Reason: Message must be shorter than "
                    + "\(settings.maximumMessageSize) bytes.")
        }
        if let group = entries[index].group { try Self.check(identifier: group, "MessageGroupId") }
        if let id = entries[index].deduplicationID {
            try Self.check(identifier: id, "MessageDeduplicationId")
        }
    }

    /// A message's delay, of the one that its sender asks for.
    private func delaySeconds(of asked: Int64?) throws(SQSError) -> Int64 {
        guard let asked else { return settings.delaySeconds }
        guard QueueLimits.delaySeconds.contains(asked) else {
            throw .invalidValue(
                String(asked), of: "DelaySeconds",
                reason: "DelaySeconds must be >= 0 and <= 900.")
        }
        guard settings.isFIFO else { return asked }
        guard asked == 0 else {
            throw .invalidValue(
                String(asked), of: "DelaySeconds",
                reason: "The request include parameter that is not valid for this queue type.")
        }
        return settings.delaySeconds
    }

    /// FIFO, and there alone: the id that a message is deduplicated by.
    private func deduplicationID(
        of entries: [SendEntry], _ index: Int
    ) throws(SQSError) -> String? {
        let given = entries[index].deduplicationID
        guard settings.isFIFO else {
            guard let given else { return nil }
            throw .invalidValue(
                given, of: "MessageDeduplicationId",
                reason: "The request include parameter that is not valid for this queue type.")
        }
        guard entries[index].group != nil else { throw .missingParameter("MessageGroupId") }
        guard
            let id = given
                ?? (settings.isContentBasedDeduplication ? entries[index].contentDigest : nil)
        else { throw .noDeduplicationID }
        return id
    }

    /// Group and deduplication ids: 1 to 128 printable ASCII characters without spaces.
    package static func check(identifier: String, _ parameter: String) throws(SQSError) {
        guard (1...QueueLimits.identifierLength).contains(identifier.utf8.count),
            identifier.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw .invalidValue(
                identifier, of: parameter,
                reason: "\(parameter) can only include alphanumeric and punctuation characters. "
                    + "1 to 128 in length.")
        }
    }
}
