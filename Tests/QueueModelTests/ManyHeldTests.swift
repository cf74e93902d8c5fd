import JSON
import Testing

@testable import QueueModel

/// What a walk over all held messages at each call would turn from seconds into hours.
@Suite struct ManyHeldTests {
    @Test("FIFO: 5,000 held in 500 groups are received and deleted in order")
    func groups() throws {
        var settings = QueueSettings()
        settings.isFIFO = true
        var queue = try QueueBench(settings)
        queue.comparesEachStep = false
        queue.heldWaiting = 10_000
        for number in 0..<5_000 {
            try queue.send("b", group: "g\(number % 500)", dedup: "\(number)")
        }
        // Everything comes into the state, and back.
        while queue.state.streamed > 0 { _ = try queue.receive(10) }
        #expect(queue.state.heldCount == 5_000)
        queue.now = queue.now + .seconds(30)
        var places: [String: Place] = [:]
        var count = 0
        while case let some = try queue.receive(10), !some.isEmpty {
            for message in some {
                let group = message.entry.group ?? ""
                #expect(places[group].map { $0 < message.entry.place } ?? true)
                places[group] = message.entry.place
                try queue.delete(message.handle.text)
                count += 1
            }
        }
        #expect(count == 5_000)
        queue.checkBase()
    }

    @Test(
        "a held message reads the same in the usual spelling and in any other",
        arguments: [
            (nil as String?, Int64(1), UInt64(0x12_34ab)), ("a-group", 3, 7), ("g\"q\u{e9}", 1, 9),
            (nil, 0, 0),
        ])
    func spellings(group: String?, receives: Int64, bits: UInt64) throws {
        let message = HeldMessage(
            entry: StreamEntry(
                place: Place(n: 12, index: 3),
                record: RecordPlace(segment: 1, offset: 4_294_967_296, length: 77),
                id: MessageID("fb666b89-26e6-4c09-9b09-1c7814d51a4f"), sent: start, group: group),
            receiveCount: receives, visibleAt: until,
            firstReceived: receives == 0 ? nil : start, lastReceived: receives == 0 ? nil : start,
            bits: bits)
        var text: [UInt8] = []
        message.append(to: &text)
        var spaced = text
        spaced.insert(UInt8(ascii: " "), at: 1)
        for spelling in [text, spaced] {
            let (read, end) = try spelling.withUnsafeBytes { bytes in
                var scanner = JSONScanner(bytes)
                let read = try HeldMessage(&scanner)
                return (read, scanner.at)
            }
            #expect(read == message)
            #expect(end == spelling.count)
        }
    }

    private let start = Timestamp(milliseconds: 1_000_000)
    private var until: Timestamp { start + .seconds(60) }

    /// 120,000 messages in flight until then.
    private func fullState() -> QueueState {
        var state = QueueState()
        for n in UInt64(1)...12 {
            let place = QueueBench.place(Int(n))
            let first = (0..<UInt64(10_000)).map { number in
                let entry = StreamEntry(
                    place: Place(n: n * 10_000 + number, index: 0), record: place,
                    id: MessageID("m"),
                    sent: start)
                return QueueRecord.FirstReceive(entry: entry, bits: number)
            }
            let receive = QueueRecord.Receive(
                visibleAt: until, head: state.head, first: first, again: [], expired: 0, gone: [])
            state.apply(.receive(receive), n: n, time: start, at: place)
        }
        return state
    }

    @Test("standard: the limit of 120,000 in flight is known without counting")
    func inFlight() throws {
        var state = fullState()
        func receive(at now: Timestamp) throws -> Int {
            var stream = QueueBench.Stream(log: [], head: state.head)
            let bits = [UInt64](repeating: 1, count: 10)
            let (receive, messages) = try state.receive(
                upTo: 10, timeoutSeconds: 30, at: now, bits: bits, stream: &stream)
            if let receive { state.apply(receive, time: now) }
            return messages.count
        }
        for _ in 0..<200 { #expect(throws: SQSError.overLimit) { try receive(at: start) } }
        #expect(state.isFull(at: start) && !state.isFull(at: until))
        #expect(state.counts(at: start).inFlight == 120_000)
        // With room for four, four of fourteen are given.
        let freed = (0..<UInt64(4)).map { Place(n: 10_000 + $0, index: 0) }
        let messages = (0..<10).map {
            QueueRecord.NewMessage(messageID: "\($0)", escapedBody: [65])
        }
        state.apply(.send(messages), n: 50, time: start, at: QueueBench.place(0))
        state.apply(
            .visibility(freed.map { ($0, start) }), n: 51, time: start, at: QueueBench.place(51))
        var stream = QueueBench.Stream(
            log: [QueueBench.Logged(record: .send(messages), time: start)], head: state.head)
        let given = try state.receive(
            upTo: 10, timeoutSeconds: 30, at: start, bits: [UInt64](repeating: 1, count: 10),
            stream: &stream)
        #expect(given.messages.count == 4)
    }

    @Test("a message that was given another time, and then its first again, comes back once")
    func backAndForth() {
        var state = QueueState()
        let place = Place(n: 1, index: 0)
        let entry = StreamEntry(
            place: place, record: QueueBench.place(1), id: MessageID("m"), sent: start)
        let receive = QueueRecord.Receive(
            visibleAt: until, head: state.head,
            first: [QueueRecord.FirstReceive(entry: entry, bits: 1)], again: [], expired: 0,
            gone: [])
        state.apply(.receive(receive), n: 2, time: start, at: QueueBench.place(2))
        for (n, time) in [(UInt64(3), until + .seconds(5)), (4, until)] {
            state.apply(
                .visibility([(place, time)]), n: n, time: start, at: QueueBench.place(Int(n)))
        }
        let counts = state.counts(at: until)
        #expect([counts.visible, counts.inFlight] == [1, 0])
        #expect(state.due(at: until).map(\.entry.place) == [place])
    }

    @Test("standard: 120,000 in flight are known to be back without counting")
    func back() throws {
        var state = fullState()
        func receive(at now: Timestamp) throws -> Int {
            var stream = QueueBench.Stream(log: [], head: state.head)
            let bits = [UInt64](repeating: 1, count: 10)
            let (receive, messages) = try state.receive(
                upTo: 10, timeoutSeconds: 30, at: now, bits: bits, stream: &stream)
            if let receive { state.apply(receive, time: now) }
            return messages.count
        }
        #expect(state.counts(at: until).inFlight == 0)
        for _ in 0..<50 { #expect(try receive(at: until) == 10) }
        let counts = state.counts(at: until)
        #expect([counts.visible, counts.inFlight, counts.delayed] == [119_500, 500, 0])
    }
}
