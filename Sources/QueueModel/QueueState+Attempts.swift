import JSON

/// A FIFO receive that its caller may repeat under the same name, should the answer be lost.
struct ReceiveAttempt: Equatable, Sendable {
    var time: Timestamp
    var visibleAt: Timestamp
    var messages: [QueueRecord.Again]
}

/// The receives of the last five minutes that had a `ReceiveRequestAttemptId`, oldest first.
struct ReceiveAttempts: Equatable, Sendable {
    private(set) var byID: [String: ReceiveAttempt] = [:]
    private(set) var order: [String] = []

    subscript(id: String) -> ReceiveAttempt? { byID[id] }

    mutating func add(_ id: String, _ attempt: ReceiveAttempt) {
        if byID[id] != nil { order.removeAll { $0 == id } }
        byID[id] = attempt
        order.append(id)
        while let first = order.first, let oldest = byID[first],
            order.count > QueueLimits.receiveAttempts
                || attempt.time - oldest.time > QueueLimits.deduplicationInterval
        {
            byID[first] = nil
            order.removeFirst()
        }
    }

    mutating func renew(_ id: String, until visibleAt: Timestamp) {
        byID[id]?.visibleAt = visibleAt
    }
}

extension QueueState {
    /// What repeating a receive at `now` would give: the same messages with the same receipt
    /// handles, hidden anew. `nil` if it is not known, older than five minutes, or one of its
    /// messages has been deleted, received again or given another visibility timeout since: then it
    /// is a receive like any other (ReceiveMessage, API Reference).
    package func retry(
        _ id: String, timeoutSeconds: Int64?, at now: Timestamp
    ) -> (visibleAt: Timestamp, messages: [ReceivedMessage])? {
        guard settings.isFIFO, let attempt = attempts[id],
            now - attempt.time < QueueLimits.deduplicationInterval
        else { return nil }
        var messages: [ReceivedMessage] = []
        for part in attempt.messages {
            guard let message = held[part.place], message.bits == part.bits,
                message.visibleAt == attempt.visibleAt, !isExpired(message.entry, now),
                let first = message.firstReceived
            else { return nil }
            messages.append(
                ReceivedMessage(
                    entry: message.entry,
                    handle: ReceiptHandle(place: part.place, bits: part.bits),
                    receiveCount: message.receiveCount, firstReceived: first))
        }
        return (now + .seconds(timeoutSeconds ?? settings.visibilityTimeoutSeconds), messages)
    }

    mutating func apply(retry id: String, until visibleAt: Timestamp) {
        for part in attempts[id]?.messages ?? [] {
            guard var message = held[part.place], message.bits == part.bits else { continue }
            message.visibleAt = visibleAt
            hold(message)
        }
        attempts.renew(id, until: visibleAt)
    }

    /// Notes what a receive gave out.
    mutating func remember(_ receive: QueueRecord.Receive, at time: Timestamp) {
        guard let id = receive.attempt else { return }
        let first = receive.first.compactMap { first in
            first.bits.map { QueueRecord.Again(place: first.entry.place, bits: $0) }
        }
        let messages = (receive.again + first).sorted { $0.place < $1.place }
        guard !messages.isEmpty else { return }
        attempts.add(
            id, ReceiveAttempt(time: time, visibleAt: receive.visibleAt, messages: messages))
    }
}

extension ReceiveAttempts {
    var json: JSONValue {
        .array(
            order.compactMap { id in
                self[id].map { attempt in
                    [
                        .string(id), .int(attempt.time.milliseconds),
                        .int(attempt.visibleAt.milliseconds),
                        .array(attempt.messages.map(\.json)),
                    ]
                }
            })
    }

    init(json: JSONValue?) {
        for value in json?.arrayValue ?? [] {
            guard let parts = value.arrayValue, parts.count == 4, let id = parts[0].stringValue,
                let time = parts[1].intValue, let until = parts[2].intValue
            else { continue }
            add(
                id,
                ReceiveAttempt(
                    time: Timestamp(milliseconds: time),
                    visibleAt: Timestamp(milliseconds: until),
                    messages: (parts[3].arrayValue ?? []).compactMap { QueueRecord.Again(json: $0) }
                ))
        }
    }
}
