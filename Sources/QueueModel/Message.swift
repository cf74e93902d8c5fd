import JSON

/// Where a message stands in its queue: the record that brought it, and its number in there.
package struct Place: Hashable, Comparable, Sendable {
    /// Both in one: `n` × 16 + index.
    let packed: UInt64

    /// - Parameters:
    ///   - n: below `nLimit`.
    ///   - index: 0 to 9.
    package init(n: UInt64, index: UInt8) {
        packed = n << 4 | UInt64(min(index, 15))
    }

    /// No record gets this number or a higher one.
    static let nLimit: UInt64 = 1 << 60

    package var n: UInt64 { packed >> 4 }
    package var index: UInt8 { UInt8(truncatingIfNeeded: packed & 15) }

    package static func < (lhs: Place, rhs: Place) -> Bool { lhs.packed < rhs.packed }

    /// 20 digits of `n` × 16 + index: rises along the queue, as FIFO clients rely on.
    package var sequenceNumber: String {
        let digits = String(packed)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }
}

/// A body as the journal of a queue that compresses keeps it: gzip in base64. The model carries it
/// unopened; the edge packs and unpacks.
package struct PackedBody: Equatable, Sendable {
    /// The inside of a JSON string: base64 has nothing to escape.
    package var base64: [UInt8]
    /// Bytes of the body, decoded and unpacked.
    package var size: Int64

    package init(base64: [UInt8], size: Int64) {
        self.base64 = base64
        self.size = size
    }
}

/// Where a record lies on disk: segment, byte offset and length.
package struct RecordPlace: Hashable, Sendable {
    package var segment: UInt64
    package var offset: UInt64
    package var length: UInt32

    package init(segment: UInt64, offset: UInt64, length: UInt32) {
        self.segment = segment
        self.offset = offset
        self.length = length
    }
}

/// A message that waits in the stream, as the journal's reader sees it. The body stays on disk.
package struct StreamEntry: Equatable, Sendable {
    package var place: Place
    package var record: RecordPlace
    package var id: MessageID
    package var sent: Timestamp
    package var group: String?
    package private(set) var past: Past?

    package init(
        place: Place, record: RecordPlace, id: MessageID, sent: Timestamp, group: String? = nil,
        past: Past? = nil
    ) {
        self.place = place
        self.record = record
        self.id = id
        self.sent = sent
        self.group = group
        self.past = past
    }

    package var messageID: String { id.text }
    /// The head steps over messages with a delay: the state holds them from their send on, or
    /// knows where those stand that have a `due` time.
    package var delaySeconds: Int64 { past?.delaySeconds ?? 0 }
    /// Receives before it came to this place: in another queue, or in this one.
    package var receiveCount: Int64 { past?.receiveCount ?? 0 }

    /// Where it stands.
    var position: Head {
        Head(segment: record.segment, offset: record.offset, index: place.index)
    }
    /// The head that steps behind it.
    package var after: Head {
        Head(segment: record.segment, offset: record.offset, index: place.index + 1)
    }
    /// When it came into this queue, from where its age counts.
    package var arrived: Timestamp { past?.arrived ?? sent }
    /// Whether the head is to take it as it comes.
    var waitsInLine: Bool {
        guard let past else { return true }
        return past.delaySeconds == 0 && past.due == nil
    }
    /// The same, now that its delay is over.
    var undelayed: StreamEntry {
        var entry = self
        entry.past = .of(
            delaySeconds: delaySeconds, receiveCount: receiveCount,
            firstReceived: past?.firstReceived, arrived: past?.arrived, source: past?.source)
        return entry
    }
    /// Whether it came back too often and was put behind the others.
    package var isRequeued: Bool { past?.firstReceived != nil }
}

/// What a message went through before it came to its place. Most have none, and pay nothing.
package final class Past: Equatable, Sendable {
    package let delaySeconds: Int64
    package let receiveCount: Int64
    /// When it was first received, if it was put back into the stream.
    package let firstReceived: Timestamp?
    /// When it came into this queue, if it was sent to another.
    package let arrived: Timestamp?
    /// The queue whose dead letter it is.
    package let source: String?
    /// When it becomes visible, if it was delayed and waits in the stream for that.
    package let due: Timestamp?

    /// `nil` if there is nothing to tell.
    package static func of(
        delaySeconds: Int64 = 0, receiveCount: Int64 = 0, firstReceived: Timestamp? = nil,
        arrived: Timestamp? = nil, source: String? = nil, due: Timestamp? = nil
    ) -> Past? {
        guard
            delaySeconds != 0 || receiveCount != 0 || firstReceived != nil || arrived != nil
                || source != nil || due != nil
        else { return nil }
        return Past(
            delaySeconds: delaySeconds, receiveCount: receiveCount, firstReceived: firstReceived,
            arrived: arrived, source: source, due: due)
    }

    private init(
        delaySeconds: Int64, receiveCount: Int64, firstReceived: Timestamp?, arrived: Timestamp?,
        source: String?, due: Timestamp?
    ) {
        self.delaySeconds = delaySeconds
        self.receiveCount = receiveCount
        self.firstReceived = firstReceived
        self.arrived = arrived
        self.source = source
        self.due = due
    }

    package static func == (lhs: Past, rhs: Past) -> Bool {
        lhs.delaySeconds == rhs.delaySeconds && lhs.receiveCount == rhs.receiveCount
            && lhs.firstReceived == rhs.firstReceived && lhs.arrived == rhs.arrived
            && lhs.source == rhs.source && lhs.due == rhs.due
    }
}

/// What lies ahead of a queue's head, in order.
package protocol MessageStream {
    /// The same stream, from another place on.
    func from(_ head: Head) -> Self
    /// The next message; `nil` at the end.
    mutating func next() throws -> StreamEntry?
    /// The head behind everything that is there now.
    var end: Head { get }
}

/// The next never-received message: a record's place, and how many of its messages are past.
package struct Head: Hashable, Comparable, Sendable {
    package var segment: UInt64
    package var offset: UInt64
    package var index: UInt8

    package init(segment: UInt64, offset: UInt64, index: UInt8) {
        self.segment = segment
        self.offset = offset
        self.index = index
    }

    package static func < (lhs: Head, rhs: Head) -> Bool {
        (lhs.segment, lhs.offset, lhs.index) < (rhs.segment, rhs.offset, rhs.index)
    }
}

/// A message that is no longer simply waiting: delayed, in flight, returned, or passed over. Small,
/// since there may be 120,000.
package struct HeldMessage: Equatable, Sendable {
    package var entry: StreamEntry
    /// Before this moment it is in flight, or delayed if it was never received.
    package var visibleAt: Timestamp
    /// The newest receive's random bits: only a receipt handle that holds them counts.
    package var bits: UInt64
    private var first: Int64
    private var last: Int64
    private var receives: Int32
    /// Whether it was not yet visible at the state's last change: kept by the state alone, and
    /// follows from the rest.
    var isHidden = false

    /// Stands for no time.
    private static var never: Int64 { .min }

    package init(
        entry: StreamEntry, receiveCount: Int64, visibleAt: Timestamp, firstReceived: Timestamp?,
        lastReceived: Timestamp?, bits: UInt64
    ) {
        self.entry = entry
        self.visibleAt = visibleAt
        self.bits = bits
        first = firstReceived?.milliseconds ?? Self.never
        last = lastReceived?.milliseconds ?? Self.never
        receives = Int32(clamping: receiveCount)
    }

    package var receiveCount: Int64 {
        get { Int64(receives) }
        set { receives = Int32(clamping: newValue) }
    }
    package var firstReceived: Timestamp? {
        get { first == Self.never ? nil : Timestamp(milliseconds: first) }
        set { first = newValue?.milliseconds ?? Self.never }
    }
    package var lastReceived: Timestamp? {
        get { last == Self.never ? nil : Timestamp(milliseconds: last) }
        set { last = newValue?.milliseconds ?? Self.never }
    }

    package static func == (lhs: HeldMessage, rhs: HeldMessage) -> Bool {
        lhs.entry == rhs.entry && lhs.receives == rhs.receives
            && lhs.visibleAt == rhs.visibleAt && lhs.first == rhs.first
            && lhs.last == rhs.last && lhs.bits == rhs.bits
    }

    /// Received too often without a delete (SQS Developer Guide, *sqs-message-metadata*: 3 times).
    package var isPoison: Bool {
        entry.isRequeued || receiveCount - entry.receiveCount >= QueueLimits.poisonReceives
    }

    package func isInFlight(at now: Timestamp) -> Bool { lastReceived != nil && visibleAt > now }
    package func isDelayed(at now: Timestamp) -> Bool { lastReceived == nil && visibleAt > now }
}

/// Names one receive of one message.
package struct ReceiptHandle: Hashable, Sendable {
    package var place: Place
    package var bits: UInt64
    /// Tells the queue that gave it from others; 0 if it does not say.
    package var mark: UInt32

    package init(place: Place, bits: UInt64, mark: UInt32 = 0) {
        self.place = place
        self.bits = bits
        self.mark = mark
    }

    /// 34 hexadecimal digits, and eight more for its mark.
    package var text: String {
        String(unsafeUninitializedCapacity: 42) { room in
            var pieces = JSONPieces(UnsafeMutableRawBufferPointer(room))
            pieces.appendHexadecimal(place.n, digits: 16)
            pieces.appendHexadecimal(UInt64(place.index), digits: 2)
            pieces.appendHexadecimal(bits, digits: 16)
            if mark != 0 { pieces.appendHexadecimal(UInt64(mark), digits: 8) }
            return pieces.written.count
        }
    }

    /// `nil` for anything that no receive can have given out.
    package init?(_ text: String) {
        var text = text
        guard [34, 42].contains(text.utf8.count), let handle = text.withUTF8({ Self.parse($0) })
        else { return nil }
        self = handle
    }

    private static func parse(_ digits: UnsafeBufferPointer<UInt8>) -> ReceiptHandle? {
        var scanner = JSONScanner(UnsafeRawBufferPointer(digits))
        guard let n = scanner.hexadecimalDigits(), n < Place.nLimit,
            scanner.steps(over: "0"), let index = scanner.digit(),
            let bits = scanner.hexadecimalDigits()
        else { return nil }
        var handle = ReceiptHandle(place: Place(n: n, index: index), bits: bits)
        guard digits.count > 34 else { return handle }
        guard let mark = scanner.eightHexadecimalDigits(), mark != 0 else { return nil }
        handle.mark = mark
        return handle
    }
}
