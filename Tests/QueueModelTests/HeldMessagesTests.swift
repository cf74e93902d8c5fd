import JSON
import QueueModel
import Testing

@Suite struct HeldMessagesTests {
    private func message(_ place: Place, _ bits: UInt64) -> HeldMessage {
        HeldMessage(
            entry: StreamEntry(
                place: place, record: RecordPlace(segment: 1, offset: 0, length: 1),
                id: MessageID("m"), sent: Timestamp(milliseconds: 0)),
            receiveCount: 1, visibleAt: Timestamp(milliseconds: 0), firstReceived: nil,
            lastReceived: nil, bits: bits)
    }

    @Test("any changes in any order leave what a dictionary would hold", arguments: 1...20)
    func asDictionary(seed: UInt64) {
        var random = Generator(state: seed)
        var held = HeldMessages()
        var expected: [Place: HeldMessage] = [:]
        // Places that follow each other, that differ in high bits alone, and few or many of them.
        let spread = UInt64(1) << (seed % 4 * 16)
        let places = 4 + Int(seed) * 30
        for step in 0..<4000 {
            let number = UInt64(Int.random(in: 0..<places, using: &random))
            let place = Place(n: 1 + number / 10 * spread, index: UInt8(number % 10))
            // Fills first, then empties.
            if Int.random(in: 0..<10, using: &random) < (step < 2000 ? 7 : 3) {
                let message = message(place, UInt64(step))
                held[place] = message
                expected[place] = message
            } else {
                held[place] = nil
                expected[place] = nil
            }
            #expect(held[place] == expected[place])
            #expect(held.count == expected.count)
        }
        for (place, message) in expected { #expect(held[place] == message) }
        #expect(held.values.allSatisfy { expected[$0.entry.place] == $0 })
        var other = HeldMessages()
        for message in held.values.reversed() { other[message.entry.place] = message }
        #expect(other == held)
        if let first = held.values.first?.entry.place {
            other[first] = message(first, .max)
            #expect(other != held)
        }
    }

    @Test("a base record that names a message twice counts it once, and as it was last")
    func twice() {
        let place = Place(n: 1, index: 0)
        var state = QueueState()
        guard case .base(let json, _) = state.base else { return }
        state.apply(
            .base(json, held: [message(place, 1), message(place, 2)]), n: 1,
            time: Timestamp(milliseconds: 1), at: RecordPlace(segment: 1, offset: 0, length: 1))
        #expect(state.heldCount == 1)
        #expect(state.held[place]?.bits == 2)
    }

    @Test(
        "an id is its text again",
        arguments: [
            "fb666b89-26e6-4c09-9b09-1c7814d51a4f", "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff", "FB666B89-26e6-4c09-9b09-1c7814d51a4f",
            "fb666b8926e6-4c09-9b09-1c7814d51a4f-", "fb666b89-26e6-4c09-9b09-1c7814d51a4g", "", "1",
        ])
    func ids(text: String) {
        #expect(MessageID(text).text == text)
        #expect(MessageID(text) == MessageID(text))
        #expect(MessageID(text) != MessageID(text + "0"))
        var output: [UInt8] = []
        QueueRecord.send([QueueRecord.NewMessage(messageID: text, escapedBody: [])])
            .append(to: &output)
        #expect(String(decoding: output, as: UTF8.self).contains("\"id\":\"\(text)\""))
    }
}
