import JSON

extension QueueRecord {
    /// A message as a send or take brings it.
    ///
    /// It is copied often, so what few messages have lies in a box of its own.
    package struct NewMessage: Equatable, Sendable {
        package var id: MessageID
        /// The inside of the body's JSON string, escaped as it came; empty if it is `packed`.
        package var escapedBody: [UInt8]
        package var delaySeconds: Int64 = 0
        package var group: String?
        package var deduplicationID: String?
        /// The message attributes' JSON object, as it came.
        package var attributes: [UInt8]?
        private var rarities: Rarities?

        package var messageID: String { id.text }

        private mutating func change(_ change: (inout Rare) -> Void) {
            var rare = rarities?.rare ?? Rare()
            change(&rare)
            rarities = rare == Rare() ? nil : Rarities(rare)
        }
    }

    /// What few messages have.
    private struct Rare: Equatable, Sendable {
        var packed: PackedBody?
        var due: Timestamp?
        var traceHeader: String?
        var sender: String?
        var sent: Timestamp?
        var receiveCount: Int64 = 0
        var source: String?
        var firstReceived: Timestamp?
        var was: Place?
        var place: Place?
    }

    private final class Rarities: Equatable, Sendable {
        let rare: Rare

        init(_ rare: Rare) { self.rare = rare }

        static func == (lhs: Rarities, rhs: Rarities) -> Bool { lhs.rare == rhs.rare }
    }
}

extension QueueRecord.NewMessage {
    package init(id: MessageID, escapedBody: [UInt8]) {
        self.init(id: id, escapedBody: escapedBody, rarities: nil)
    }

    package init(messageID: String, escapedBody: [UInt8]) {
        self.init(id: MessageID(messageID), escapedBody: escapedBody)
    }

    /// As a client's send makes it, all at once: a value that is changed after it was made is
    /// copied.
    init(
        id: MessageID, escapedBody: [UInt8], packed: PackedBody?, delaySeconds: Int64,
        due: Timestamp?, group: String?, deduplicationID: String?, attributes: [UInt8]?,
        traceHeader: String?, sender: String?
    ) {
        let isPlain = packed == nil && due == nil && traceHeader == nil && sender == nil
        let rare = QueueRecord.Rare(
            packed: packed, due: due, traceHeader: traceHeader, sender: sender)
        self.init(
            id: id, escapedBody: escapedBody, delaySeconds: delaySeconds, group: group,
            deduplicationID: deduplicationID, attributes: attributes,
            rarities: isPlain ? nil : QueueRecord.Rarities(rare))
    }
}

extension QueueRecord.NewMessage {
    package var packed: PackedBody? {
        get { rarities?.rare.packed }
        set { if rarities != nil || newValue != nil { change { $0.packed = newValue } } }
    }

    /// When it becomes visible, if it is delayed and the state is not to hold it.
    package var due: Timestamp? {
        get { rarities?.rare.due }
        set { if rarities != nil || newValue != nil { change { $0.due = newValue } } }
    }

    package var traceHeader: String? {
        get { rarities?.rare.traceHeader }
        set { if rarities != nil || newValue != nil { change { $0.traceHeader = newValue } } }
    }

    /// The unique id of who sent it; `nil` is the developer.
    package var sender: String? {
        get { rarities?.rare.sender }
        set { if rarities != nil || newValue != nil { change { $0.sender = newValue } } }
    }

    /// Moved messages keep when they were sent, and how often they were received.
    package var sent: Timestamp? {
        get { rarities?.rare.sent }
        set { if rarities != nil || newValue != nil { change { $0.sent = newValue } } }
    }

    package var receiveCount: Int64 {
        get { rarities?.rare.receiveCount ?? 0 }
        set { if rarities != nil || newValue != 0 { change { $0.receiveCount = newValue } } }
    }

    /// The queue whose dead letter it is.
    package var source: String? {
        get { rarities?.rare.source }
        set { if rarities != nil || newValue != nil { change { $0.source = newValue } } }
    }

    /// A message that was put back: when it was first received, and where it was.
    package var firstReceived: Timestamp? {
        get { rarities?.rare.firstReceived }
        set { if rarities != nil || newValue != nil { change { $0.firstReceived = newValue } } }
    }

    package var was: Place? {
        get { rarities?.rare.was }
        set { if rarities != nil || newValue != nil { change { $0.was = newValue } } }
    }

    /// Where the message stood first, in a record that carries it on.
    package var place: Place? {
        get { rarities?.rare.place }
        set { if rarities != nil || newValue != nil { change { $0.place = newValue } } }
    }
}
