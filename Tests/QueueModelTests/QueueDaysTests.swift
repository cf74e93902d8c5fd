import Foundation
import JSON
import Testing

@testable import QueueModel

/// Days of a queue's life in virtual time, against an array and a loop: all that a queue can be
/// asked, with retention, dead letters, poison messages and noisy tenants.
@Suite struct QueueDaysTests {
    private struct Item {
        var id: String
        var group: String?
        var sent: Timestamp
        var visibleAt: Timestamp
        var receives: Int64 = 0
        /// The state knows where it stands, and does not hold it.
        var isSetAside = false
        var handle: String?
        var oldHandles: [String] = []
        var isHidden: Bool { handle != nil }
    }

    /// One life. Every mistake names the seed.
    private struct Life {
        let seed: UInt64
        let retention: Int64 = 86_400
        let maxReceives: Int64?
        let hasTenants: Bool
        var random: Generator
        var queue: QueueBench
        var items: [Item] = []
        var places: [String: Place] = [:]
        var step = 0
        var settings: QueueSettings

        init(seed: UInt64) throws {
            self.seed = seed
            random = Generator(state: seed)
            settings = QueueSettings()
            settings.isFIFO = seed % 4 == 3
            settings.retentionSeconds = retention
            if settings.isFIFO, seed % 8 == 7 { settings.delaySeconds = 30 }
            hasTenants = seed % 2 == 0
            maxReceives = seed % 3 == 0 ? 4 : nil
            if let maxReceives {
                settings.redrivePolicy = .init(
                    deadLetterQueue: settings.isFIFO ? "D.fifo" : "D",
                    maxReceiveCount: maxReceives)
            }
            queue = try QueueBench(settings)
            queue.comparesEachStep = false
            // Most lives have more delayed messages than the state holds.
            queue.heldWaiting = seed % 5 == 0 ? QueueLimits.heldWaiting : Int(seed % 5)
        }

        var comment: Comment { "seed \(seed), step \(step)" }

        mutating func live() throws {
            while step < 400 {
                try act()
                check()
                step += 1
            }
            queue.sweep()
            queue.checkBase()
        }

        mutating func act() throws {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<30: try send()
            case 30..<65: try receive()
            case 65..<78: try delete()
            case 78..<84: try changeVisibility()
            case 84..<85: purge()
            case 85..<88: queue.append(queue.state.base)
            case 88..<90: queue.sweep()
            case 90..<92 where settings.isFIFO: setDelay()
            default:
                let unit = [1, 1000, 1000, 60_000, 3_600_000].randomElement(using: &random) ?? 1
                let amount = Int64.random(in: 0...20, using: &random)
                queue.now = queue.now + .milliseconds(amount * Int64(unit))
            }
            let horizon = queue.now - .seconds(retention)
            items.removeAll { $0.sent <= horizon }
        }

        mutating func send() throws {
            let isLoud = hasTenants && Bool.random(using: &random)
            for number in 0..<(isLoud ? 15 : 1) {
                let name = isLoud ? "loud" : "g\(Int.random(in: 0..<4, using: &random))"
                let group = settings.isFIFO || hasTenants ? name : nil
                let delays: [Int64?] = [nil, nil, nil, 0, 30, 900]
                let delay =
                    settings.isFIFO ? nil : delays.randomElement(using: &random) ?? nil
                let sent = try queue.send(
                    "b", group: group, dedup: settings.isFIFO ? "\(step)-\(number)" : nil,
                    delay: delay)
                let due = lastDue
                items.append(
                    Item(
                        id: sent.messageID, group: group, sent: queue.now,
                        visibleAt: due ?? queue.now + .seconds(delay ?? settings.delaySeconds),
                        isSetAside: due != nil))
            }
        }

        var lastDue: Timestamp? {
            guard case .send(let messages)? = queue.log.last?.record, let first = messages.first
            else { return nil }
            let n = queue.log.count - 1
            return queue.state.visibleAt(
                StreamEntry(
                    first, place: Place(n: UInt64(n), index: 0), time: queue.now,
                    record: QueueBench.place(n)))
        }

        /// Counts for what is delayed already.
        mutating func setDelay() {
            let delay: Int64 = [0, 5, 30, 60, 900].randomElement(using: &random) ?? 0
            let longer = Duration.seconds(delay - settings.delaySeconds)
            settings.delaySeconds = delay
            queue.append(queue.state.change(to: settings))
            for index in items.indices
            where !items[index].isHidden && items[index].visibleAt > queue.now {
                items[index].visibleAt = items[index].visibleAt + longer
            }
        }

        func isDoomed(_ item: Item) -> Bool {
            maxReceives.map { item.receives >= $0 && item.visibleAt <= queue.now } ?? false
        }

        /// What a receive may give, in order of arrival.
        func deliverable() -> [Item] {
            var blocked: Set<String> = []
            return items.filter { item in
                let group = item.group ?? ""
                if settings.isFIFO, item.isHidden, item.visibleAt > queue.now {
                    blocked.insert(group)
                }
                return item.visibleAt <= queue.now && !isDoomed(item) && !blocked.contains(group)
            }
        }

        mutating func receive() throws {
            // Dead letters leave first.
            items.removeAll(where: isDoomed)
            let expected = deliverable()
            let noisy = Set(
                ["loud", "g0", "g1", "g2", "g3"].filter {
                    !settings.isFIFO && queue.state.isNoisy($0, at: queue.now)
                })
            let before = queue.log.count
            let limit = Int.random(in: 1...10, using: &random)
            let timeout = [0, 5, 30, 600, 43_200].randomElement(using: &random) ?? 0
            let got = try queue.receive(limit, timeout: Int64(timeout))
            #expect(got.count == min(limit, expected.count), comment)
            let ids = Set(got.map(\.entry.messageID))
            #expect(ids.count == got.count, comment)
            #expect(ids.isSubset(of: expected.map(\.id)), comment)
            // Where the receive did more than receive, who is noisy may have changed meanwhile.
            if queue.log.count == before + 1,
                got.contains(where: { noisy.contains($0.entry.group ?? "") && $0.receiveCount < 4 })
            {
                let quiet = expected.filter {
                    !noisy.contains($0.group ?? "") && $0.receives < 3 && !$0.isSetAside
                }
                #expect(ids.isSuperset(of: quiet.map(\.id)), "quiet tenants first; \(comment)")
            }
            try checkOrder(got, expected)
            if settings.isFIFO { checkTurns(got, expected) }
            for message in got {
                guard let index = items.firstIndex(where: { $0.id == message.entry.messageID })
                else { continue }
                if let old = items[index].handle { items[index].oldHandles.append(old) }
                items[index].receives += 1
                items[index].visibleAt = queue.now + .seconds(timeout)
                items[index].handle = message.handle.text
                #expect(message.receiveCount == items[index].receives, comment)
                #expect(message.entry.sent == items[index].sent, comment)
            }
        }

        /// FIFO: each group in order. Standard: a tenant's new messages in order.
        func checkOrder(_ got: [ReceivedMessage], _ expected: [Item]) throws {
            for group in Set(got.map(\.entry.group)) {
                let ids = got.filter { $0.entry.group == group }.map(\.entry.messageID)
                if settings.isFIFO {
                    let order = expected.filter { $0.group == group }.map(\.id)
                    #expect(ids == Array(order.prefix(ids.count)), comment)
                } else {
                    let fresh = items.filter { $0.group == group && $0.receives == 0 }
                    let undelayed = fresh.filter { $0.visibleAt == $0.sent }.map(\.id)
                    let mine = ids.filter { undelayed.contains($0) }
                    #expect(mine == Array(undelayed.prefix(mine.count)), comment)
                }
            }
        }

        /// FIFO: the groups that stand first: each where its first message was sent or came back.
        func checkTurns(_ got: [ReceivedMessage], _ expected: [Item]) {
            var seen: Set<String?> = []
            let firsts = expected.filter { seen.insert($0.group).inserted }
            let order = firsts.enumerated().sorted {
                func since(_ item: Item) -> Timestamp {
                    item.isHidden ? item.visibleAt : item.sent
                }
                return (since($0.element), $0.offset) < (since($1.element), $1.offset)
            }.map(\.element.group)
            var groups: [String?] = []
            for message in got where groups.last != message.entry.group {
                groups.append(message.entry.group)
            }
            #expect(groups == Array(order.prefix(groups.count)), comment)
        }

        mutating func delete() throws {
            guard let index = items.indices.randomElement(using: &random),
                let handle = items[index].handle
            else { return }
            if let old = items[index].oldHandles.randomElement(using: &random), !settings.isFIFO {
                try queue.delete(old)
                return
            }
            do {
                try queue.delete(handle)
                items.remove(at: index)
            } catch is SQSError {
                #expect(settings.isFIFO && items[index].visibleAt <= queue.now, comment)
            }
        }

        mutating func changeVisibility() throws {
            guard let index = items.indices.randomElement(using: &random),
                let handle = items[index].handle
            else { return }
            let seconds = Int64.random(in: 0...600, using: &random)
            do {
                try queue.changeVisibility(handle, to: seconds)
                items[index].visibleAt = queue.now + .seconds(seconds)
            } catch let error as SQSError {
                // Not in flight any more, gone to the dead letters, or twelve hours are over.
                #expect(
                    items[index].visibleAt <= queue.now || error.message.contains("43200"), comment)
            }
        }

        mutating func purge() {
            guard let record = try? queue.state.purge("Q", at: queue.now) else { return }
            queue.append(record)
            items = []
        }

        func check() {
            let counts = queue.counts()
            let now = queue.now
            let inFlight = items.count { $0.isHidden && $0.visibleAt > now }
            let delayed = items.count { !$0.isHidden && $0.visibleAt > now }
            #expect(counts.inFlight == UInt64(inFlight), comment)
            #expect(counts.delayed == UInt64(delayed), comment)
            // In the stream an expired message may count for 1/256 of the retention too long.
            let visible = UInt64(items.count - inFlight - delayed)
            #expect(counts.visible >= visible, comment)
            #expect(queue.state.sentTimes.count == queue.state.streamed, comment)
            if !settings.isFIFO {
                #expect(queue.state.fair.passed.count <= QueueLimits.passedTenants, comment)
            }
            #expect(
                queue.state.fair.passedCount
                    == queue.state.fair.passed.values.reduce(0) { $0 + $1.count }, comment)
            if step % 50 == 0 { queue.checkBase() }
        }
    }

    /// `MSORCH_MODEL_SEEDS` runs so many instead.
    private static let seeds: [UInt64] = {
        let wanted = ProcessInfo.processInfo.environment["MSORCH_MODEL_SEEDS"].flatMap(UInt64.init)
        return Array(1...max(1, wanted ?? 32))
    }()

    @Test("days of random commands against an array and a loop", arguments: seeds)
    func days(seed: UInt64) throws {
        var life = try Life(seed: seed)
        try life.live()
    }
}
