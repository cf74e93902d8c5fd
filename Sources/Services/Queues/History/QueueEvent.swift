import JSON
import Journal
import QueueModel

/// One thing that happened to a message or to its queue, as a record tells it.
package struct QueueEvent: Sendable {
    package enum Kind: Equatable, Sendable {
        case sent(delaySeconds: Int64)
        /// Came from another queue: as a dead letter, or redriven.
        case arrived(from: String)
        case received(until: Timestamp)
        case visibility(until: Timestamp)
        /// Visible again: nobody deleted it in time. No record says so; its time is when it was
        /// due.
        case returned
        /// Came back too often and stands behind all others now, in another place.
        case requeued
        case deleted
        /// Past their retention; of those that were never received only the number is known.
        case expired(count: UInt64)
        case purged
        case deadLettered(to: String)
        case redriven(to: String)
        case settings
        /// Records that were deleted before they could be shown.
        case notRetained(records: UInt64)
    }

    package var time: Timestamp
    package var kind: Kind
    /// The record's number; `nil` if none says so.
    package var n: UInt64?
    /// The message; `nil` if it is about the whole queue.
    package var place: Place?
    package var messageID: String?
    package var group: String?
    /// Decoded; `nil` if it was not looked for, or is not retained.
    package var body: [UInt8]?
    /// Which receive it is, from 1; known to `queue history` alone.
    package var receiveCount: Int64?

    package init(_ kind: Kind, at time: Timestamp, n: UInt64? = nil, place: Place? = nil) {
        self.kind = kind
        self.time = time
        self.n = n
        self.place = place
    }

    /// The stable name of what happened.
    package var name: String {
        switch kind {
        case .sent: "sent"
        case .arrived: "arrived"
        case .received: "received"
        case .visibility: "visibility"
        case .returned: "returned"
        case .requeued: "requeued"
        case .deleted: "deleted"
        case .expired: "expired"
        case .purged: "purged"
        case .deadLettered: "deadLettered"
        case .redriven: "redriven"
        case .settings: "settings"
        case .notRetained: "notRetained"
        }
    }
}

extension QueueEvent {
    /// What a record tells, an event a message; none if it only keeps the journal in order.
    static func events(of line: RecordLine) throws -> [QueueEvent] {
        let record = try line.bytes.withUnsafeBytes { try QueueRecord(line: $0) }
        func event(_ kind: Kind, _ place: Place? = nil) -> QueueEvent {
            QueueEvent(kind, at: line.time, n: line.n, place: place)
        }
        func arrivals(
            _ messages: [QueueRecord.NewMessage], _ kind: (QueueRecord.NewMessage) -> Kind
        ) throws -> [QueueEvent] {
            try messages.enumerated().map { index, message in
                var event = event(kind(message), Place(n: line.n, index: UInt8(index)))
                try event.describe(message)
                return event
            }
        }
        switch record {
        case .base, .carry, .transferred, .moveTask, .moveTaskStatus: return []
        case .send(let messages):
            return try arrivals(messages) { .beginning(of: $0) }
        case .take(let giver, _, let messages):
            let name = String(giver.prefix { $0 != "@" })
            return try arrivals(messages) { _ in .arrived(from: name) }
        case .requeue(let messages): return try arrivals(messages) { _ in .requeued }
        case .receive(let receive): return events(of: receive, event)
        case .delete(let places): return places.map { event(.deleted, $0) }
        case .visibility(let changes):
            return changes.map { event(.visibility(until: $0.visibleAt), $0.place) }
        case .retry: return []
        case .purge: return [event(.purged)]
        case .set: return [event(.settings)]
        case .transfer(_, let target, let isMove, let places):
            return places.map {
                event(isMove ? .redriven(to: target) : .deadLettered(to: target), $0)
            }
        }
    }

    private static func events(
        of receive: QueueRecord.Receive, _ event: (Kind, Place?) -> QueueEvent
    ) -> [QueueEvent] {
        // What stands in `over` was deleted by an old handle, or is counted in `expired`.
        var events = receive.gone.map { event(.expired(count: 1), $0) }
        if receive.expired > 0 { events.append(event(.expired(count: receive.expired), nil)) }
        // What a FIFO receive only passed over was not received.
        for first in receive.first where first.bits != nil {
            var event = event(.received(until: receive.visibleAt), first.entry.place)
            event.messageID = first.entry.messageID
            event.group = first.entry.group
            events.append(event)
        }
        events += receive.again.map { event(.received(until: receive.visibleAt), $0.place) }
        return events
    }

    /// Adds what is known of the message.
    package mutating func describe(_ message: QueueRecord.NewMessage) throws {
        messageID = message.messageID
        group = message.group
        body = JSONText.unescape(try message.unpacked().escapedBody)
    }
}

extension QueueEvent.Kind {
    /// What a `send` tells of a message: a repair writes one for each that it keeps, also of those
    /// that another queue's redrive brought.
    static func beginning(of message: QueueRecord.NewMessage) -> QueueEvent.Kind {
        message.source.map { .arrived(from: $0) } ?? .sent(delaySeconds: message.delaySeconds)
    }
}
