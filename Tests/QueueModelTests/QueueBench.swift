import JSON
import QueueModel
import Testing

/// A queue with its journal in memory. Every record goes through its JSON form and into a second
/// state, which must stay equal to the first.
struct QueueBench {
    struct Logged {
        var record: QueueRecord
        var time: Timestamp
    }

    final class Reads {
        var count = 0
    }

    struct Stream: MessageStream {
        let log: [Logged]
        var head: Head
        /// Counts the messages that are looked at.
        var reads: Reads?
        var end: Head { Head(segment: 1, offset: UInt64(log.count) * 100, index: 0) }

        func from(_ head: Head) -> Stream { Stream(log: log, head: head, reads: reads) }

        mutating func next() -> StreamEntry? {
            while head.offset / 100 < log.count {
                let position = Int(head.offset / 100)
                let messages: [QueueRecord.NewMessage]
                switch log[position].record {
                case .send(let sent): messages = sent
                case .take(_, _, let moved): messages = moved
                case .requeue(let back): messages = back
                default: messages = []
                }
                guard head.index < messages.count else {
                    head = Head(segment: 1, offset: UInt64(position + 1) * 100, index: 0)
                    continue
                }
                let entry = StreamEntry(
                    messages[Int(head.index)], place: Place(n: UInt64(position), index: head.index),
                    time: log[position].time, record: QueueBench.place(position))
                head = entry.after
                reads?.count += 1
                return entry
            }
            return nil
        }
    }

    var state = QueueState()
    var replayed = QueueState()
    var log: [Logged] = []
    var now = Timestamp(milliseconds: 1_000_000)
    /// Comparing costs as much as the state is large: where that is much, only at the end.
    var comparesEachStep = true
    /// So do the JSON of each record and the second state.
    var isReplayed = true
    var heldWaiting = QueueLimits.heldWaiting
    /// Messages of the stream that receives looked at.
    let reads = Reads()
    private var serial: UInt64 = 0

    init(_ settings: QueueSettings = QueueSettings()) throws {
        append(.set(settings))
    }

    static func place(_ position: Int) -> RecordPlace {
        RecordPlace(segment: 1, offset: UInt64(position) * 100, length: 100)
    }

    mutating func append(_ record: QueueRecord) {
        let position = log.count
        state.apply(record, n: UInt64(position), time: now, at: Self.place(position))
        log.append(Logged(record: record, time: now))
        guard isReplayed else { return }
        let line = Array("{\"n\":1,".utf8) + record.members + Array("}".utf8)
        line.withUnsafeBytes { bytes in
            #expect(throws: Never.self) {
                try replayed.apply(
                    line: bytes, n: UInt64(position), time: now, at: Self.place(position))
            }
        }
        if comparesEachStep { #expect(state == replayed) }
    }

    /// A base record made now gives this very state back.
    func checkBase(replays: Bool = true) {
        var restored = QueueState()
        let line = Array("{".utf8) + state.base.members + Array("}".utf8)
        line.withUnsafeBytes { bytes in
            #expect(throws: Never.self) {
                try restored.apply(line: bytes, n: 1, time: now, at: Self.place(0))
            }
        }
        #expect(restored == state)
        if replays { #expect(replayed == state) }
        #expect(restored.counts(at: now) == state.counts(at: now))
        #expect(restored.nextWake(after: now) == state.nextWake(after: now))
    }

    mutating func fresh() -> UInt64 {
        serial += 1
        return serial
    }

    mutating func send(_ entries: SendEntry...) -> [Outcome<SentMessage>] {
        send(entries)
    }

    mutating func send(_ entries: [SendEntry]) -> [Outcome<SentMessage>] {
        var ids = entries.map { _ in MessageID("m\(fresh())") }
        let (new, outcomes) = state.send(
            entries, at: now, n: UInt64(log.count), newID: { ids.removeFirst() },
            heldWaiting: heldWaiting)
        if !new.isEmpty { append(.send(new)) }
        return outcomes
    }

    @discardableResult
    mutating func send(
        _ body: String, group: String? = nil, dedup: String? = nil, delay: Int64? = nil
    ) throws -> SentMessage {
        var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
        entry.group = group
        entry.deduplicationID = dedup
        entry.delaySeconds = delay
        return try send(entry)[0].get()
    }

    mutating func receive(
        _ limit: Int = 1, timeout: Int64? = nil, attempt: String? = nil
    ) throws -> [ReceivedMessage] {
        sweep()
        if let attempt,
            let (visibleAt, messages) = state.retry(attempt, timeoutSeconds: timeout, at: now)
        {
            append(.retry(attempt: attempt, visibleAt: visibleAt))
            return messages
        }
        while let record = state.deadLetters(at: now) { append(record) }
        while case let poison = state.poison(at: now), !poison.isEmpty {
            append(QueueState.requeue(poison, poison.map { body(of: $0.entry.place) }))
        }
        let bits = (0..<limit).map { _ in fresh() }
        let (receive, messages) = try decide(limit, timeout, bits, attempt)
        if let receive { append(.receive(receive)) }
        return messages
    }

    /// By itself, so that no stream shares the log when it grows.
    private func decide(
        _ limit: Int, _ timeout: Int64?, _ bits: [UInt64], _ attempt: String?
    ) throws -> (receive: QueueRecord.Receive?, messages: [ReceivedMessage]) {
        var stream = Stream(log: log, head: state.head, reads: reads)
        return try state.receive(
            upTo: limit, timeoutSeconds: timeout, at: now, bits: bits, attempt: attempt,
            heldWaiting: heldWaiting, stream: &stream)
    }

    /// Ends what has expired, as every operation that writes does.
    mutating func sweep() {
        while let record = try? state.sweep(
            at: now, stream: { Stream(log: log, head: state.head) })
        {
            append(record)
        }
    }

    /// The counts of one who has looked at the stream.
    func counts() -> QueueState.Counts {
        var stream = Stream(log: log, head: state.head)
        var expired: UInt64 = 0
        while let entry = stream.next(), !state.isWaiting(entry, at: now) {
            if state.hasExpired(entry, at: now) { expired += 1 }
        }
        return state.counts(at: now, expiredSeen: expired)
    }

    private func body(of place: Place) -> QueueRecord.NewMessage {
        switch log[Int(place.n)].record {
        case .send(let messages), .take(_, _, let messages), .requeue(let messages):
            messages[Int(place.index)]
        default: preconditionFailure("a place names a message")
        }
    }

    mutating func delete(_ text: String) throws {
        if let place = try state.delete(Self.handle(text), at: now) { append(.delete([place])) }
    }

    private static func handle(_ text: String) throws -> ReceiptHandle {
        guard let handle = ReceiptHandle(text) else {
            throw SQSError.receiptHandleIsInvalid(text)
        }
        return handle
    }

    mutating func changeVisibility(_ text: String, to seconds: Int64) throws {
        let handle = try Self.handle(text)
        append(.visibility([try state.changeVisibility(handle, toSeconds: seconds, at: now)]))
    }
}
