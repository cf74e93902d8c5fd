import JSON

/// A queue as its journal tells it: a head in the stream, and the messages that are not simply
/// waiting.
///
/// The backlog itself is the journal; nothing here grows with it.
package struct QueueState: Equatable, Sendable {
    /// Totals since the queue was created.
    package struct Counters: Equatable, Sendable {
        package var sent: UInt64 = 0
        package var received: UInt64 = 0
        package var deleted: UInt64 = 0
        package var expired: UInt64 = 0
        package var purged: UInt64 = 0
        package var deadLettered: UInt64 = 0
        /// Arrived from another queue's redrive; not counted as sent, as on AWS.
        package var taken: UInt64 = 0
        /// Redriven: moved back to a source queue.
        package var moved: UInt64 = 0
        package var compression = Compression()
    }

    /// Bodies that the journal keeps compressed, and what that saved.
    package struct Compression: Equatable, Sendable {
        package var messages: UInt64 = 0
        /// The bodies' bytes.
        package var bytesBefore: UInt64 = 0
        /// What the journal holds of them: base64.
        package var bytesAfter: UInt64 = 0

        mutating func count(_ packed: PackedBody) {
            messages += 1
            bytesBefore += UInt64(clamping: packed.size)
            bytesAfter += UInt64(packed.base64.count)
        }
    }

    /// A deduplication id that still counts.
    struct Deduplication: Equatable, Sendable {
        var messageID: MessageID
        var place: Place
        var time: Timestamp
    }

    /// Messages on their way to a dead-letter queue, or back from it.
    package struct Transfer: Equatable, Sendable {
        package var number: UInt64
        package var target: String
        package var isMove: Bool
        package var messages: [HeldMessage]
    }

    package internal(set) var settings = QueueSettings()
    package internal(set) var counters = Counters()
    /// Where the never-received messages begin.
    package internal(set) var head = Head(segment: 1, offset: 0, index: 0)
    /// How many messages stand from the head on.
    package internal(set) var streamed: UInt64 = 0
    /// When those were sent.
    var sentTimes = SentTimes(retentionSeconds: QueueSettings().retentionSeconds)
    package internal(set) var held = HeldMessages()
    /// Transfers that the taker has not confirmed.
    package internal(set) var transfers: [Transfer] = []
    package internal(set) var lastTransfer: UInt64 = 0
    /// When the queue was made: tells it from an earlier one of its name, whose transfers had
    /// numbers too.
    package internal(set) var created: Timestamp?
    /// The highest transfer number taken from each giver.
    package internal(set) var taken: [String: UInt64] = [:]
    package internal(set) var lastPurge: Timestamp?
    /// The newest purge's record that forgot deduplication ids: those of before count no more.
    package internal(set) var purgeRecord: UInt64 = 0
    /// When its attributes were last set.
    package internal(set) var modified: Timestamp?
    /// When a repair last began its journal anew: no receipt handle of before names anything here.
    package internal(set) var repaired: Timestamp?
    var requeued = RequeuedMessages()
    /// Delayed messages that the state does not hold; they count as `streamed`.
    var delayed = DelayedBacklog()
    var fair = FairShare()
    var attempts = ReceiveAttempts()
    /// The last ten, oldest first.
    package internal(set) var moveTasks: [MoveTask] = []

    // What follows from `held`, so that nothing has to walk through it; see QueueState+Held.swift.
    var index = HeldIndex()
    var deduplications: [String: Deduplication] = [:]
    /// Deduplication keys, oldest first.
    var deduplicationOrder: [String] = []
    /// Where they begin; those before it are gone.
    var deduplicationStart = 0
    /// When the newest id was sent that is known no more though it may still count.
    var forgotten: Timestamp?

    package init() {}

    /// How many messages are in the state: in flight, delayed, returned or passed over.
    package var heldCount: Int { held.count }

    /// How many messages the queue holds in any state; those on their way out included.
    package var messageCount: UInt64 {
        streamed + UInt64(held.count) + transfers.reduce(0) { $0 + UInt64($1.messages.count) }
    }

    package static func == (lhs: QueueState, rhs: QueueState) -> Bool {
        lhs.settings == rhs.settings && lhs.counters == rhs.counters && lhs.head == rhs.head
            && lhs.streamed == rhs.streamed && lhs.sentTimes == rhs.sentTimes
            && lhs.held == rhs.held && lhs.delayed == rhs.delayed
            && lhs.transfers == rhs.transfers && lhs.lastTransfer == rhs.lastTransfer
            && lhs.taken == rhs.taken && lhs.lastPurge == rhs.lastPurge
            && lhs.purgeRecord == rhs.purgeRecord
            && lhs.modified == rhs.modified && lhs.repaired == rhs.repaired
            && lhs.index.groups == rhs.index.groups && lhs.requeued == rhs.requeued
            && lhs.fair.passed == rhs.fair.passed && lhs.attempts == rhs.attempts
            && lhs.moveTasks == rhs.moveTasks
            && lhs.deduplications == rhs.deduplications && lhs.forgotten == rhs.forgotten
    }
}
