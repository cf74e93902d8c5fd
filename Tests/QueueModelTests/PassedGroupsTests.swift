import JSON
import Testing

@testable import QueueModel

/// FIFO groups that wait, with more messages than the state holds.
@Suite struct PassedGroupsTests {
    private func bench(holding heldWaiting: Int) throws -> QueueBench {
        var settings = QueueSettings()
        settings.isFIFO = true
        var bench = try QueueBench(settings)
        bench.heldWaiting = heldWaiting
        bench.comparesEachStep = false
        return bench
    }

    /// Receives until there is something, as a caller does whose receive got further.
    private func receive(_ limit: Int, _ bench: inout QueueBench) throws -> [ReceivedMessage] {
        for _ in 0..<20 {
            let log = bench.log.count
            let messages = try bench.receive(limit, timeout: 600)
            if !messages.isEmpty || bench.log.count == log { return messages }
        }
        return []
    }

    @Test(
        "behind 25,000 of a group with one in flight another group is found, at the price of two ranges"
    )
    func deep() throws {
        var bench = try bench(holding: 100)
        for number in 0..<25_000 { try bench.send("b", group: "deep", dedup: "a\(number)") }
        for number in 0..<30 { try bench.send("b", group: "other", dedup: "b\(number)") }
        let first = try receive(1, &bench)
        #expect(first.map(\.entry.messageID) == ["m1"])
        var others: [String] = []
        while case let messages = try receive(10, &bench), !messages.isEmpty {
            others += messages.map(\.entry.messageID)
            for message in messages { try bench.delete(message.handle.text) }
        }
        #expect(others == (25_001...25_030).map { "m\($0)" })
        #expect(bench.state.heldCount <= 120)
        bench.checkBase()
        #expect(try receive(10, &bench).isEmpty)
        let length = bench.log.count
        #expect(try receive(10, &bench).isEmpty)
        #expect(bench.log.count == length, "an empty receive writes nothing")
        try bench.delete(first[0].handle.text)
        var rest: [String] = []
        while case let messages = try receive(10, &bench), !messages.isEmpty {
            rest += messages.map(\.entry.messageID)
            for message in messages { try bench.delete(message.handle.text) }
        }
        #expect(rest == (2...25_000).map { "m\($0)" })
        #expect(bench.state.isEmpty)
        bench.checkBase()
    }

    @Test("many groups that wait at once each come back in order", arguments: [0, 1, 7, 200])
    func many(heldWaiting: Int) throws {
        var bench = try bench(holding: heldWaiting)
        for number in 0..<3000 {
            try bench.send("b", group: "g\(number % 60)", dedup: "\(number)")
        }
        var open: [ReceivedMessage] = []
        var places: [String: Place] = [:]
        var count = 0
        while true {
            let messages = try receive(4, &bench)
            for message in messages {
                let group = message.entry.group ?? ""
                #expect(places[group].map { $0 < message.entry.place } ?? true)
                places[group] = message.entry.place
            }
            open += messages
            count += messages.count
            if open.isEmpty { break }
            if messages.isEmpty || open.count > 100 {
                for message in open { try bench.delete(message.handle.text) }
                open = []
            }
        }
        #expect(count == 3000)
        #expect(bench.state.isEmpty)
        bench.checkBase()
    }

    @Test("what returns stands before what was passed; what comes, behind it")
    func returns() throws {
        var bench = try bench(holding: 0)
        for number in 0..<6 { try bench.send("b", group: "g", dedup: "\(number)") }
        #expect(try bench.receive(2, timeout: 5).count == 2)
        #expect(try bench.receive(10).isEmpty)
        let other = try bench.send("b", group: "h", dedup: "h").messageID
        #expect(try bench.receive(10).map(\.entry.messageID) == [other])
        let last = try bench.send("b", group: "g", dedup: "last").messageID
        bench.now = bench.now + .seconds(6)
        #expect(
            try bench.receive(10).map(\.entry.messageID)
                == ["m1", "m2", "m3", "m4", "m5", "m6", last])
    }

    @Test("passed messages expire to the moment")
    func expire() throws {
        var bench = try bench(holding: 1)
        var settings = bench.state.settings
        settings.retentionSeconds = 60
        bench.append(.set(settings))
        for number in 0..<20 { try bench.send("b", group: "g", dedup: "\(number)") }
        #expect(try bench.receive(1, timeout: 40).count == 1)
        #expect(try bench.receive(1).isEmpty)
        bench.now = bench.now + .seconds(50)
        let young = try (20..<25).map {
            try bench.send("b", group: "g", dedup: "\($0)").messageID
        }
        bench.now = bench.now + .seconds(15)
        #expect(
            try bench.receive(10).map(\.entry.messageID) == young)
        #expect(bench.state.counters.expired == 20)
        bench.checkBase()
    }

    @Test("a group that has given some of what was passed stands where the next one of it does")
    func turns() throws {
        var bench = try bench(holding: 0)
        for group in ["a", "b"] { try bench.send("b", group: group, dedup: "1\(group)") }
        let open = try bench.receive(2)
        let waiting = try ["a", "b", "b", "a"].enumerated().map { number, group in
            try bench.send("b", group: group, dedup: "\(number)").messageID
        }
        #expect(try bench.receive(1).isEmpty)
        for message in open { try bench.delete(message.handle.text) }
        for id in waiting {
            let received = try bench.receive(1)
            #expect(received.map(\.entry.messageID) == [id])
            for message in received { try bench.delete(message.handle.text) }
        }
        bench.checkBase()
    }

    @Test("a group all of whose passed messages expired does not keep back one that stands first")
    func expireBefore() throws {
        var bench = try bench(holding: 0)
        for group in ["a", "b"] { try bench.send("b", group: group, dedup: "1\(group)") }
        #expect(try bench.receive(2, timeout: 30).count == 2)
        for group in ["a", "b"] { try bench.send("b", group: group, dedup: "2\(group)") }
        #expect(try bench.receive(1).isEmpty)
        bench.now = bench.now + .seconds(310)
        var settings = bench.state.settings
        settings.retentionSeconds = 120
        bench.append(.set(settings))
        let young = try ["b", "c"].map { try bench.send("b", group: $0, dedup: $0).messageID }
        for message in young {
            #expect(try bench.receive(1).map(\.entry.messageID) == [message])
        }
        bench.checkBase()
    }

    @Test("however many groups have expired, a receive goes through them", arguments: [1, 3])
    func expireMany(limit: Int) throws {
        var bench = try bench(holding: 0)
        let groups = (0..<35).map { "g\($0)" }
        for group in groups { try bench.send("b", group: group, dedup: "1\(group)") }
        for _ in 0..<4 { _ = try bench.receive(10, timeout: 30) }
        for group in groups { try bench.send("b", group: group, dedup: "2\(group)") }
        #expect(try bench.receive(1).isEmpty)
        bench.now = bench.now + .seconds(310)
        var settings = bench.state.settings
        settings.retentionSeconds = 120
        bench.append(.set(settings))
        let young = try groups.suffix(2).map {
            try bench.send("b", group: $0, dedup: "3\($0)").messageID
        }
        let received = try bench.receive(limit).map(\.entry.messageID)
        #expect(received == Array(young.prefix(limit)))
        bench.checkBase()
    }

    @Test("what expired ahead of the head, behind others of its group, is gone once")
    func expireBehind() throws {
        var bench = try bench(holding: 2)
        for group in ["a", "b"] { try bench.send("b", group: group, dedup: "1\(group)") }
        #expect(try bench.receive(2, timeout: 30).count == 2)
        for group in ["a", "b"] { try bench.send("b", group: group, dedup: "2\(group)") }
        #expect(try bench.receive(1).isEmpty)
        try bench.send("b", group: "b", dedup: "3b")
        bench.now = bench.now + .seconds(310)
        // The state learns within a bucket's width that they are too old; a receive sees it.
        var settings = bench.state.settings
        settings.retentionSeconds = 120
        bench.append(.set(settings))
        let young = try ["4b", "5b"].map { try bench.send("b", group: "b", dedup: $0).messageID }
        for message in young {
            let received = try receive(1, &bench)
            #expect(received.map(\.entry.messageID) == [message])
            for one in received { try bench.delete(one.handle.text) }
        }
        #expect(bench.state.counters.expired == 5)
        #expect(bench.state.isEmpty)
        bench.checkBase()
    }

    @Test("a move carries a group's messages in order, whatever their sizes")
    func moves() throws {
        func message(_ n: UInt64, bytes: UInt32) -> ReceivedMessage {
            let place = Place(n: n, index: 0)
            let entry = StreamEntry(
                place: place, record: RecordPlace(segment: 1, offset: n, length: bytes),
                id: MessageID("m\(n)"), sent: Timestamp(milliseconds: 0), group: "g", past: nil)
            return ReceivedMessage(
                entry: entry, handle: ReceiptHandle(place: place, bits: n), receiveCount: 1,
                firstReceived: entry.sent)
        }
        let messages = (1...9).map { message($0, bytes: 1_000_000) } + [message(10, bytes: 1000)]
        let (records, count, _) = QueueState().move(
            messages, at: Timestamp(milliseconds: 0)
        ) { _ in "T.fifo" }
        let moved = records.flatMap { record -> [Place] in
            if case .transfer(_, _, _, let places) = record { places } else { [] }
        }
        #expect(count == 10 && records.count == 2)
        #expect(moved == messages.map(\.entry.place))
    }
}
