import JSON
import Testing

@testable import QueueModel

@Suite struct BaseReaderTests {
    /// Some 60 KB: messages of every kind, and members that are longer than is usual.
    private let state: QueueState = {
        var state = QueueState()
        let start = Timestamp(milliseconds: 1_000_000)
        var settings = QueueSettings()
        settings.isFIFO = true
        state.apply(.set(settings), n: 1, time: start, at: QueueBench.place(1))
        let messages = (0..<120).map { number in
            var message = QueueRecord.NewMessage(
                messageID: number.isMultiple(of: 3)
                    ? "m\(number)" : "fb666b89-26e6-4c09-9b09-1c7814d51a4f", escapedBody: [65])
            message.deduplicationID = String(repeating: "\(number)\u{e9}\"", count: 9)
            return message
        }
        state.apply(.send(messages), n: 2, time: start, at: QueueBench.place(2))
        let first = (0..<200).map { number in
            let entry = StreamEntry(
                place: Place(n: 3 + UInt64(number), index: 0), record: QueueBench.place(3),
                id: MessageID("fb666b89-26e6-4c09-9b09-1c7814d51a4f"), sent: start,
                group: number.isMultiple(of: 2) ? "g\(number)" : "g\"\(number)",
                past: number.isMultiple(of: 5)
                    ? .of(receiveCount: 2, arrived: start, source: "Other") : nil)
            return QueueRecord.FirstReceive(entry: entry, bits: UInt64(number))
        }
        let receive = QueueRecord.Receive(
            visibleAt: start + .seconds(30), head: state.head, first: first, again: [], expired: 0,
            gone: [])
        state.apply(.receive(receive), n: 300, time: start, at: QueueBench.place(300))
        return state
    }()

    private var line: [UInt8] { Array("{\"n\":300,".utf8) + state.base.members + Array("}".utf8) }

    /// Reads `line` as it is given in pieces of `length` bytes, and more where that is too little.
    private func read(_ line: [UInt8], pieces length: Int) throws -> QueueState {
        var reader = BaseReader(length: line.count)
        var rest = line[...]
        var shown = 0
        while shown < rest.count {
            shown = min(shown + length, rest.count)
            let taken = try rest.withUnsafeBytes { bytes in
                try reader.read(
                    UnsafeRawBufferPointer(rebasing: bytes[..<shown]), isLast: shown == bytes.count)
            }
            rest = rest.dropFirst(taken)
            shown -= taken
        }
        var state = QueueState()
        try state.apply(&reader, time: Timestamp(milliseconds: 1_000_000))
        return state
    }

    @Test("pieces of any length make the same state as the whole")
    func pieces() throws {
        let line = line
        #expect(line.count > 50_000)
        let whole = try read(line, pieces: line.count)
        #expect(whole == state)
        for length in Array(stride(from: 4_090, to: 4_400, by: 7)) + [500, 10_000, line.count - 1] {
            #expect(try read(line, pieces: length) == whole, "\(length)")
        }
    }

    @Test("what is written in pieces is what is written at once")
    func spilled() {
        var pieces: [[UInt8]] = []
        var output: [UInt8] = []
        state.appendBase(to: &output) { piece in
            pieces.append(piece)
            piece.removeAll()
        }
        #expect(pieces.count == 200)
        #expect(pieces.flatMap { $0 } + output == state.base.members)
    }

    @Test("a record that is cut, or of another format, is refused in pieces too")
    func refused() throws {
        let line = line
        for length in stride(from: 0, to: line.count, by: 397) {
            for piece in [5_000, line.count] {
                #expect(throws: QueueRecordError.self) {
                    try read(Array(line.prefix(length)), pieces: piece)
                }
            }
        }
        let newer = Array(
            String(decoding: line, as: UTF8.self)
                .replacing("\"format\":1", with: "\"format\":2").utf8)
        do {
            _ = try read(newer, pieces: 5_000)
            Issue.record("a newer format was read")
        } catch {
            #expect((error as? QueueRecordError)?.isNewer == true)
        }
    }

    @Test("any harmed byte is refused or read as something; nothing ends the process")
    func harmed() {
        var line = line
        for offset in stride(from: 0, to: line.count, by: 131) {
            line[offset] ^= 1 << UInt8(offset % 8)
            _ = try? read(line, pieces: 5_000)
            line[offset] ^= 1 << UInt8(offset % 8)
        }
    }
}
