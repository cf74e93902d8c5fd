import JSON

/// A message that was put back, for those who hold its old receipt handle.
struct Requeued: Equatable, Sendable {
    var place: Place
    var bits: UInt64
    var sent: Timestamp
}

/// Messages put back into the stream. A handle of before deletes one as long as it waits there: its
/// place becomes a hole that the stream steps over.
struct RequeuedMessages: Equatable, Sendable {
    /// By the place that the handle names; oldest first in `order`.
    private(set) var byHandle: [Place: Requeued] = [:]
    private var byPlace: [Place: Place] = [:]
    private(set) var order: [Place] = []
    private(set) var holes: Set<Place> = []

    subscript(handle: Place) -> Requeued? { byHandle[handle] }

    mutating func add(_ handle: Place, _ message: Requeued) {
        byHandle[handle] = message
        byPlace[message.place] = handle
        order.append(handle)
        guard order.count > 2 * QueueLimits.requeuedHandles else { return }
        order = order.filter { byHandle[$0] != nil }
        while order.count > QueueLimits.requeuedHandles {
            let oldest = order.removeFirst()
            if let message = byHandle.removeValue(forKey: oldest) { byPlace[message.place] = nil }
        }
    }

    /// The message has left the stream.
    mutating func remove(_ place: Place) {
        if holes.remove(place) == nil, let handle = byPlace.removeValue(forKey: place) {
            byHandle[handle] = nil
        }
    }

    var canDelete: Bool { holes.count < QueueLimits.holes }

    /// - Returns: when it was sent; `nil` if it does not wait there.
    mutating func delete(_ place: Place) -> Timestamp? {
        guard let handle = byPlace[place], let message = byHandle[handle] else { return nil }
        remove(place)
        holes.insert(place)
        return message.sent
    }

    mutating func restore(hole place: Place) { holes.insert(place) }

    static func == (lhs: RequeuedMessages, rhs: RequeuedMessages) -> Bool {
        lhs.byHandle == rhs.byHandle && lhs.holes == rhs.holes
    }
}

extension QueueState {
    /// Poison messages that are visible at `now` and should be put behind the others, by a
    /// `requeue` record with their bodies; oldest return first.
    package func poison(at now: Timestamp, limit: Int = QueueLimits.batchEntries) -> [HeldMessage] {
        guard !settings.isFIFO, hasReturned(.poison, at: now) else { return [] }
        var messages: [HeldMessage] = []
        var bytes = 0
        forEachReturned(.poison, due(at: now)) { message in
            guard !messages.contains(where: { $0.entry.place == message.entry.place }) else {
                return true
            }
            bytes += Int(message.entry.record.length)
            guard messages.isEmpty || bytes <= QueueLimits.carriedBytes else { return false }
            messages.append(message)
            return messages.count < limit
        }
        return messages
    }

    /// The record that puts them back.
    /// - Parameter bodies: of the same messages, as their records have them.
    package static func requeue(
        _ messages: [HeldMessage], _ bodies: [QueueRecord.NewMessage]
    ) -> QueueRecord {
        .requeue(
            zip(messages, bodies).map { held, body in
                var message = body
                message.delaySeconds = 0
                message.due = nil
                message.sent = held.entry.sent
                message.receiveCount = held.receiveCount
                message.firstReceived = held.firstReceived
                message.was = held.entry.place
                return message
            })
    }

    mutating func requeue(
        _ messages: [QueueRecord.NewMessage], _ n: UInt64, _ time: Timestamp, _ record: RecordPlace
    ) {
        for (index, message) in messages.enumerated() {
            let sent = message.sent ?? time
            enterStream(sent, at: record, UInt8(index))
            guard let was = message.was, let held = release(was) else { continue }
            let place = Place(n: n, index: UInt8(index))
            requeued.add(was, Requeued(place: place, bits: held.bits, sent: sent))
        }
    }

    /// The places of messages that a record is about to end here, whether they are known or not.
    package func ended(by record: QueueRecord) -> [Place] {
        switch record {
        // A handle names the place that its message had before it was put back.
        case .delete(let places): places + places.compactMap { requeued[$0]?.place }
        case .transfer(_, _, _, let places): places.filter { held[$0] != nil }
        case .requeue(let messages): messages.compactMap(\.was)
        case .receive(let receive): receive.gone + receive.over
        default: []
        }
    }
}
