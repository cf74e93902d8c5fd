import JSON

@testable import Journal
@testable import QueueModel
@testable import Services

/// What a queue shows to whoever looks: every message with its state.
struct QueueView {
    struct Message: Equatable {
        /// What the body begins with: tells it from every other, in whatever queue it is.
        var token: String
        var group: String?
        var sent: Timestamp
        var receiveCount: Int64
        /// `nil` if it was never hidden.
        var visibleAt: Timestamp?
        /// The newest receive's.
        var handle: String?
    }

    struct Transfer {
        var target: String
        var number: UInt64
        var tokens: [String]
    }

    var isThere = true
    /// In the order in which they arrived.
    var messages: [Message] = []
    var transfers: [Transfer] = []
    /// Its name to those that it gives to, and the highest number taken from each giver.
    var origin: String
    var taken: [String: UInt64]
    var lastTime: Timestamp
    /// The implementation's own.
    var state: QueueState

    /// Looks at it through a process that has nothing else to do.
    init(of name: String, through process: SimulatedProcess) throws {
        guard let queues = process.queues else { throw Violation("a dead process cannot look") }
        guard let session = try Self.session(of: name, queues) else {
            (isThere, origin, taken) = (false, name, [:])
            (lastTime, state) = (Timestamp(milliseconds: 0), QueueState())
            return
        }
        state = session.state.queue
        lastTime = session.lastTime
        taken = state.taken
        origin = "\(name)@\(state.created?.milliseconds ?? 0)"
        var found: [(place: Place, message: Message)] = []
        for message in state.held.values {
            let body = try Queue.messages([message.entry], session)[0]
            found.append((message.entry.place, self.message(message.entry, body)))
        }
        var stream = JournalStream(wholeOf: session)
        while let entry = try stream.next() {
            // Expired ones still count.
            if state.isInStream(entry) {
                found.append((entry.place, self.message(entry, stream.message)))
            }
        }
        messages = found.sorted { $0.place < $1.place }.map(\.message)
        for transfer in state.transfers {
            let bodies = try Queue.messages(transfer.messages.map(\.entry), session)
            transfers.append(
                Transfer(
                    target: transfer.target, number: transfer.number,
                    tokens: bodies.map { Self.token(of: $0.escapedBody) }))
        }
        try checkTotals()
    }

    private static func session(
        of name: String, _ queues: QueueDirectory
    ) throws -> JournalSession<QueueJournalState>? {
        do {
            return try queues.withQueue(name) { try $0.journal.read { $0 } }
        } catch QueueError.noSuchQueue {
            return nil
        }
    }

    private func message(
        _ entry: StreamEntry, _ message: QueueRecord.NewMessage
    ) -> Message {
        let held = state.held[entry.place]
        var result = Message(
            token: Self.token(of: message.escapedBody), group: entry.group, sent: entry.sent,
            receiveCount: held?.receiveCount ?? entry.receiveCount,
            visibleAt: held?.visibleAt ?? state.visibleAt(entry))
        let back = state.requeued.byHandle.first { $0.value.place == entry.place }
        if let back {
            result.handle = ReceiptHandle(place: back.key, bits: back.value.bits).text
        } else if let held, held.lastReceived != nil {
            result.handle = ReceiptHandle(place: entry.place, bits: held.bits).text
        }
        return result
    }

    static func token(of body: [UInt8]) -> String {
        String(decoding: body.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// Everything that came is here, or went.
    private func checkTotals() throws {
        let totals = state.counters
        let here = state.streamed + UInt64(state.held.count)
        guard UInt64(messages.count) == here else {
            throw Violation("\(messages.count) messages can be read, \(here) are counted")
        }
        let gone =
            totals.deleted + totals.expired + totals.purged + totals.deadLettered + totals.moved
        guard totals.sent + totals.taken == here + gone else {
            throw Violation("the totals do not add up: \(totals), and \(here) are here")
        }
    }
}

/// Something that must never be seen.
struct Violation: Error {
    var text: String
    init(_ text: String) { self.text = text }
}
