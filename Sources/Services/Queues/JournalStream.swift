import Journal
import QueueModel

/// The never-received messages, read from the journal as far as they are asked for.
struct JournalStream: MessageStream, Sendable {
    private(set) var end: Head
    private var cursor: RecordCursor
    private var record: RecordLine?
    private var messages: [QueueRecord.NewMessage] = []
    private var index: UInt8
    /// Behind what `next` gave last.
    private var position: Head
    /// The first records that were read before this one, so that who takes their messages need not
    /// read again.
    private var seen: [(record: RecordLocation, messages: [QueueRecord.NewMessage])] = []
    private static let seenLimit = 10
    /// Whether what was appended last is not in the file yet, and so not in the stream.
    private var lacksLast = false
    private var isAtEnd = false
    /// Whether it came to its end, and there is more behind: `flush` lets another one go on.
    var isCutShort: Bool { lacksLast && isAtEnd }

    init(_ session: JournalSession<QueueJournalState>) {
        self.init(
            session, from: session.state.queue.streamed > 0 ? session.state.queue.head : nil)
    }

    /// - Parameter head: `nil` if nothing waits.
    init(_ session: JournalSession<QueueJournalState>, from head: Head?) {
        let last = session.endLocation
        end = Head(segment: last.segment, offset: last.offset, index: 0)
        position = head ?? end
        // The head may stand in a segment that went while nothing waited: what waits came later.
        if let oldest = session.segmentNames.first, position.segment < oldest {
            position = Head(segment: oldest, offset: 0, index: 0)
        }
        cursor = session.records(
            from: RecordLocation(segment: position.segment, offset: position.offset, length: 0))
        index = position.index
        lacksLast = session.hasUnwritten
    }

    /// Runs `body` with `known`, if that stands where the head is; else with another one, which
    /// takes its place. Nothing is moved: a stream is large.
    ///
    /// - Throws: whatever `body` throws; nothing is known then.
    static func goOn<R>(
        with known: inout JournalStream?, _ session: inout JournalSession<QueueJournalState>,
        _ body: (inout JournalStream, inout JournalSession<QueueJournalState>) throws -> R
    ) throws -> R {
        if known?.goOn(&session) != true { known = JournalStream(session) }
        do {
            guard let result = try known?.use({ try body(&$0, &session) }) else {
                preconditionFailure("there is one by now")
            }
            return result
        } catch {
            known = nil
            throw error
        }
    }

    private mutating func use<R>(_ body: (inout JournalStream) throws -> R) rethrows -> R {
        try body(&self)
    }

    /// - Parameter session: not changed; so that it need not be copied.
    /// - Returns: `false` if it stands elsewhere, and is of no use.
    private mutating func goOn(_ session: inout JournalSession<QueueJournalState>) -> Bool {
        guard position == session.state.queue.head, session.state.queue.streamed > 0,
            session.extend(&cursor)
        else { return false }
        let last = session.endLocation
        end = Head(segment: last.segment, offset: last.offset, index: 0)
        lacksLast = session.hasUnwritten
        isAtEnd = false
        seen = []
        return true
    }

    /// Where all messages of the stream stand, also those of tenants that the head has passed.
    init(wholeOf session: JournalSession<QueueJournalState>) {
        self.init(session)
        if session.state.queue.streamed > 0 { self = from(session.state.queue.streamStart) }
    }

    func from(_ head: Head) -> JournalStream {
        var other = self
        other.position = head
        other.cursor = cursor.from(
            RecordLocation(segment: head.segment, offset: head.offset, length: 0))
        other.index = head.index
        other.record = nil
        other.messages = []
        other.seen = []
        return other
    }

    /// What `next` gave last, with its body.
    var message: QueueRecord.NewMessage { messages[Int(index) - 1] }

    /// One that `next` gave, with its body; `nil` if that is not known any more.
    func message(of entry: StreamEntry) -> QueueRecord.NewMessage? {
        let location = RecordLocation(entry.record)
        let index = Int(entry.place.index)
        let known =
            record?.location == location
            ? messages : seen.first { $0.record == location }?.messages ?? []
        return index < known.count ? known[index] : nil
    }

    mutating func next() throws -> StreamEntry? {
        while true {
            if let record, index < messages.count {
                let entry = StreamEntry(
                    messages, Place(n: record.n, index: index), time: record.time,
                    record: RecordPlace(record.location))
                index += 1
                position = entry.after
                return entry
            }
            let isFirst = record == nil
            guard let line = try cursor.next() else {
                isAtEnd = true
                return nil
            }
            if let record, !messages.isEmpty, seen.count < Self.seenLimit {
                seen.append((record.location, messages))
            }
            record = line
            if !isFirst { index = 0 }
            messages = try line.bytes.withUnsafeBytes { try QueueRecord.messages(in: $0) }
        }
    }
}

extension QueueRecord {
    /// The messages that a record brings; none if it is of another kind.
    static func messages(in line: UnsafeRawBufferPointer) throws -> [NewMessage] {
        guard try isArrival(line) else { return [] }
        return switch try QueueRecord(line: line) {
        case .send(let messages), .take(_, _, let messages), .requeue(let messages): messages
        default: []
        }
    }
}
