import JSON
import QueueModel
import Testing

/// SplitMix64: the same seed, the same run.
struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// SQS as an array and a loop.
private struct NaiveQueue {
    struct Item {
        var id: String
        var group: String?
        var sent: Timestamp
        var visibleAt: Timestamp
        var receives: Int64 = 0
        var handle: String?
        var isReceived: Bool { handle != nil }
    }
    var items: [Item] = []
    var isFIFO: Bool

    func deliverable(at now: Timestamp) -> [Item] {
        items.enumerated().filter { index, item in
            guard item.visibleAt <= now else { return false }
            return !isFIFO
                || items[..<index].allSatisfy { $0.group != item.group || $0.visibleAt <= now }
        }.map(\.element)
    }

    /// FIFO: the same, group by group: each stands where its first message was sent or came back.
    func inTurn(at now: Timestamp) -> [Item] {
        let all = deliverable(at: now)
        var groups: [(since: Timestamp, group: String?)] = []
        for item in all where !groups.contains(where: { $0.group == item.group }) {
            groups.append((item.isReceived ? item.visibleAt : item.sent, item.group))
        }
        // Of one moment, as they were sent.
        let order = groups.enumerated().sorted {
            ($0.element.since, $0.offset) < ($1.element.since, $1.offset)
        }
        return order.flatMap { group in all.filter { $0.group == group.element.group } }
    }
}

@Suite struct QueuePropertyTests {
    @Test("random commands against an array and a loop", arguments: Array(UInt64(1)...60))
    func model(seed: UInt64) throws {
        var random = Generator(state: seed)
        var settings = QueueSettings()
        settings.isFIFO = seed.isMultiple(of: 2)
        settings.isContentBasedDeduplication = false
        var queue = try QueueBench(settings)
        var naive = NaiveQueue(isFIFO: settings.isFIFO)
        for step in 0..<300 {
            let place = "seed \(seed), step \(step)"
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                let group = settings.isFIFO ? "g\(Int.random(in: 0..<4, using: &random))" : nil
                let delay =
                    settings.isFIFO ? nil : [nil, nil, Int64(0), 20].randomElement(using: &random)
                let sent = try queue.send(
                    "b", group: group, dedup: settings.isFIFO ? "d\(step)" : nil,
                    delay: delay ?? nil)
                naive.items.append(
                    NaiveQueue.Item(
                        id: sent.messageID, group: group, sent: queue.now,
                        visibleAt: queue.now + .seconds((delay ?? nil) ?? 0)))
            case 4...6:
                let limit = Int.random(in: 1...10, using: &random)
                let timeout = Int64.random(in: 0...40, using: &random)
                let expected = naive.deliverable(at: queue.now)
                let got = try queue.receive(limit, timeout: timeout)
                #expect(got.count == min(limit, expected.count), "\(place)")
                #expect(Set(got.map(\.entry.messageID)).count == got.count, "\(place)")
                if settings.isFIFO {
                    #expect(
                        got.map(\.entry.messageID)
                            == naive.inTurn(at: queue.now).prefix(limit).map(\.id), "\(place)")
                }
                var taken: [String: Int] = [:]
                for message in got {
                    let index = try #require(
                        naive.items.firstIndex { $0.id == message.entry.messageID }, "\(place)")
                    #expect(expected.contains { $0.id == message.entry.messageID }, "\(place)")
                    if let group = naive.items[index].group {
                        let order = expected.filter { $0.group == group }.map(\.id)
                        #expect(
                            order[taken[group, default: 0]] == message.entry.messageID, "\(place)")
                        taken[group, default: 0] += 1
                    }
                    naive.items[index].receives += 1
                    #expect(message.receiveCount == naive.items[index].receives, "\(place)")
                    naive.items[index].visibleAt = queue.now + .seconds(timeout)
                    naive.items[index].handle = message.handle.text
                }
            case 7:
                guard let item = naive.items.filter(\.isReceived).randomElement(using: &random),
                    let handle = item.handle
                else { continue }
                do {
                    try queue.delete(handle)
                    naive.items.removeAll { $0.id == item.id }
                } catch is SQSError {
                    #expect(settings.isFIFO && item.visibleAt <= queue.now, "\(place)")
                }
            case 8:
                guard let index = naive.items.indices.randomElement(using: &random),
                    let handle = naive.items[index].handle
                else { continue }
                let seconds = Int64.random(in: 0...60, using: &random)
                do {
                    try queue.changeVisibility(handle, to: seconds)
                    naive.items[index].visibleAt = queue.now + .seconds(seconds)
                } catch is SQSError {
                    #expect(naive.items[index].visibleAt <= queue.now, "\(place)")
                }
            default:
                queue.now = queue.now + .milliseconds(Int64.random(in: 0...15_000, using: &random))
            }
            let counts = queue.state.counts(at: queue.now)
            #expect(queue.state.messageCount == UInt64(naive.items.count), "\(place)")
            #expect(
                counts.inFlight
                    == UInt64(naive.items.count { $0.isReceived && $0.visibleAt > queue.now }),
                "\(place)")
        }
        queue.checkBase()
    }
}
