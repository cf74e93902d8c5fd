import JSON
import QueueModel
import Testing

@Suite struct QueueRulesTests {
    private static var fifo: QueueSettings {
        var settings = QueueSettings()
        settings.isFIFO = true
        return settings
    }

    @Test("a received message hides, comes back, and its first handle stops counting")
    func visibility() throws {
        var queue = try QueueBench()
        try queue.send("a")
        let first = try #require(try queue.receive().first)
        #expect(first.receiveCount == 1)
        #expect(try queue.receive().isEmpty)
        queue.now = queue.now + .seconds(30)
        let second = try #require(try queue.receive().first)
        #expect(second.receiveCount == 2)
        #expect(second.firstReceived == first.firstReceived)
        try queue.delete(first.handle.text)
        #expect(queue.state.messageCount == 1, "an old handle is accepted and deletes nothing")
        try queue.delete(second.handle.text)
        #expect(queue.state.messageCount == 0)
        try queue.delete(second.handle.text)
    }

    @Test("an empty receive writes nothing")
    func emptyReceive() throws {
        var queue = try QueueBench()
        let before = queue.log.count
        #expect(try queue.receive(10).isEmpty)
        #expect(queue.log.count == before)
    }

    @Test("a delay holds one message back and lets the next pass")
    func delay() throws {
        var queue = try QueueBench()
        try queue.send("late", delay: 60)
        try queue.send("now")
        #expect(queue.state.counts(at: queue.now).delayed == 1)
        #expect(try queue.receive(10).count == 1)
        queue.now = queue.now + .seconds(60)
        #expect(try queue.receive(10, timeout: 300).map(\.receiveCount).sorted() == [1, 2])
    }

    @Test("after maxReceiveCount receives a message moves, keeping its age and count")
    func deadLetters() throws {
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 2)
        var queue = try QueueBench(settings)
        try queue.send("a")
        for _ in 0..<2 {
            #expect(try queue.receive(timeout: 1).count == 1)
            queue.now = queue.now + .seconds(1)
        }
        #expect(try queue.receive().isEmpty)
        let transfer = try #require(queue.state.transfers.first)
        #expect(transfer.target == "D")
        #expect(transfer.messages.map(\.receiveCount) == [2])
        #expect(queue.state.counters.deadLettered == 1)
        queue.append(.transferred(number: transfer.number))
        #expect(queue.state.messageCount == 0)
    }

    @Test("FIFO: a dead letter is received from its queue before it is moved on, in order")
    func deadLettersOfDeadLetters() throws {
        var settings = Self.fifo
        settings.redrivePolicy = .init(deadLetterQueue: "C.fifo", maxReceiveCount: 2)
        var queue = try QueueBench(settings)
        let arriving = ["m1", "m2"].map { id in
            var message = QueueRecord.NewMessage(id: MessageID(id), escapedBody: [0x61])
            message.group = "g"
            message.deduplicationID = id
            message.sent = queue.now
            message.receiveCount = 3
            return message
        }
        queue.append(.take(from: "A.fifo", number: 1, arriving))
        let first = try #require(try queue.receive(timeout: 10).first)
        // The second one waits, and is looked at, and looked at again.
        for _ in 0..<2 { #expect(try queue.receive(timeout: 10).isEmpty) }
        #expect(queue.state.counters.deadLettered == 0)
        try queue.delete(first.handle.text)
        #expect(try queue.receive(timeout: 10).map(\.entry.messageID) == ["m2"])
        queue.now = queue.now + .seconds(10)
        #expect(try queue.receive().isEmpty)
        #expect(queue.state.transfers.first?.messages.map(\.entry.messageID) == ["m2"])
        queue.checkBase()
    }

    @Test("messages past their retention are not delivered")
    func retention() throws {
        var settings = QueueSettings()
        settings.retentionSeconds = 60
        var queue = try QueueBench(settings)
        try queue.send("a")
        try queue.send("b")
        _ = try queue.receive(timeout: 10)
        queue.now = queue.now + .seconds(60)
        #expect(try queue.receive(10).isEmpty)
        #expect(queue.state.counters.expired == 2)
        #expect(queue.state.messageCount == 0)
    }

    @Test("FIFO: a receive fills up from one group, in order; a group in flight waits")
    func groups() throws {
        var queue = try QueueBench(Self.fifo)
        for (body, group) in [("1", "g1"), ("2", "g2"), ("3", "g1"), ("4", "g1")] {
            try queue.send(body, group: group, dedup: body)
        }
        let all = try queue.receive(10, timeout: 30)
        #expect(all.map(\.entry.messageID) == ["m1", "m3", "m4", "m2"])
        queue.now = queue.now + .seconds(30)
        let part = try queue.receive(1)
        #expect(part.map(\.entry.messageID) == ["m1"])
        #expect(try queue.receive(10).map(\.entry.messageID) == ["m2"])
        try queue.delete(part[0].handle.text)
        #expect(try queue.receive(10).map(\.entry.messageID) == ["m3", "m4"])
    }

    @Test(
        "FIFO: what stands before the first of a group in flight is given, what follows is not",
        arguments: [
            ([0], 10, 1), ([0, 1], 10, 2), ([0, 1], 1, 1), ([1], 10, 0), ([1, 2], 10, 0),
            ([0, 2], 10, 1), ([0, 1, 2], 10, 4),
        ])
    func partOfAGroup(visible: [Int], limit: Int, expected: Int) throws {
        var queue = try QueueBench(Self.fifo)
        for id in 1...3 { try queue.send("a", group: "g", dedup: "\(id)") }
        let first = try queue.receive(10, timeout: 60)
        for index in visible { try queue.changeVisibility(first[index].handle.text, to: 0) }
        let last = try queue.send("a", group: "g", dedup: "4").messageID
        let all = ["m1", "m2", "m3", last]
        let given = try queue.receive(limit, timeout: 60).map(\.entry.messageID)
        #expect(given == Array(all.prefix(expected)))
        queue.now = queue.now + .seconds(60)
        #expect(try queue.receive(10).map(\.entry.messageID) == all)
    }

    @Test("FIFO: a receive looks past other groups for more of the first one's, not without end")
    func sameGroupFirst() throws {
        var queue = try QueueBench(Self.fifo)
        for (number, group) in ["a", "b", "c", "a", "b", "a"].enumerated() {
            try queue.send("b", group: group, dedup: "\(number)")
        }
        #expect(try queue.receive(3).map(\.entry.messageID) == ["m1", "m4", "m6"])
        #expect(try queue.receive(3).map(\.entry.messageID) == ["m2", "m5", "m3"])

        var wide = try QueueBench(Self.fifo)
        try wide.send("b", group: "a", dedup: "first")
        for number in 0..<QueueLimits.heldAhead {
            try wide.send("b", group: "g\(number)", dedup: "\(number)")
        }
        try wide.send("b", group: "a", dedup: "last")
        #expect(try wide.receive(2).map(\.entry.messageID) == ["m1", "m2"])
        #expect(wide.state.heldCount <= QueueLimits.heldAhead)
        var groups: [String?] = []
        while case let messages = try wide.receive(10), !messages.isEmpty {
            groups += messages.map(\.entry.group)
        }
        #expect(groups.count == QueueLimits.heldAhead - 1)
    }

    @Test("FIFO: a group that came back stands behind those that nobody has received, as on AWS")
    func turns() throws {
        func queue(_ groups: String) throws -> QueueBench {
            var queue = try QueueBench(Self.fifo)
            for (number, group) in groups.enumerated() {
                queue.now = queue.now + .milliseconds(1)
                try queue.send("b", group: String(group), dedup: "\(number)")
            }
            queue.now = queue.now + .milliseconds(1)
            return queue
        }
        var ended = try queue("aab")
        let first = try ended.receive(2)
        try ended.changeVisibility(first[0].handle.text, to: 0)
        #expect(try ended.receive(3).map(\.entry.messageID) == ["m3", "m1"])

        var over = try queue("aaaabc")
        #expect(try over.receive(2, timeout: 1).map(\.entry.messageID) == ["m1", "m2"])
        over.now = over.now + .milliseconds(1)
        #expect(try over.receive(1, timeout: 1).map(\.entry.messageID) == ["m5"])
        over.now = over.now + .seconds(2)
        #expect(
            try over.receive(10).map(\.entry.messageID) == ["m6", "m1", "m2", "m3", "m4", "m5"])

        var none = try queue("abbca")
        #expect(try none.receive(3, timeout: 0).map(\.entry.messageID) == ["m1", "m5", "m2"])
        #expect(
            try none.receive(10, timeout: 0).map(\.entry.messageID)
                == ["m4", "m1", "m5", "m2", "m3"])

        var deleted = try queue("ababaac")
        for message in try deleted.receive(2) { try deleted.delete(message.handle.text) }
        #expect(
            try deleted.receive(10).map(\.entry.messageID) == ["m2", "m4", "m5", "m6", "m7"])
    }

    @Test("FIFO: a group that fails again and again keeps no other back", arguments: [1, 10])
    func failing(limit: Int) throws {
        var queue = try QueueBench(Self.fifo)
        for number in 0..<12 { try queue.send("b", group: "failing", dedup: "\(number)") }
        for number in 0..<4 { try queue.send("b", group: "g\(number)", dedup: "g\(number)") }
        var groups: Set<String?> = []
        for _ in 0..<6 {
            queue.now = queue.now + .seconds(1)
            for message in try queue.receive(limit) {
                groups.insert(message.entry.group)
                guard message.entry.group == "failing" else { continue }
                try queue.changeVisibility(message.handle.text, to: 0)
            }
        }
        #expect(groups.count == 5)
        queue.checkBase()
    }

    @Test("FIFO: what stands before a group that came back is looked for, not without end")
    func lookingAhead() throws {
        var queue = try QueueBench(Self.fifo)
        queue.comparesEachStep = false
        queue.heldWaiting = 20
        for number in 0..<500 { try queue.send("b", group: "a", dedup: "\(number)") }
        try queue.send("b", group: "b", dedup: "b")
        var receives = 0
        var group: String?
        while group != "b", receives < 100 {
            queue.now = queue.now + .seconds(1)
            let before = queue.reads.count
            let message = try #require(try queue.receive(1, timeout: 0).first)
            #expect(queue.reads.count - before <= QueueLimits.heldAhead + 2)
            #expect(queue.state.heldCount <= 21)
            group = message.entry.group
            receives += 1
        }
        #expect(receives == 6)
        queue.checkBase()
    }

    @Test("FIFO: an id counts for five minutes, also after the message is deleted")
    func deduplication() throws {
        var queue = try QueueBench(Self.fifo)
        let first = try queue.send("a", group: "g", dedup: "x")
        try queue.delete(try #require(try queue.receive().first).handle.text)
        #expect(try queue.send("b", group: "h", dedup: "x") == first)
        #expect(try queue.receive().isEmpty)
        queue.now = queue.now + .seconds(300)
        #expect(try queue.send("c", group: "g", dedup: "x") != first)
        #expect(try queue.receive().count == 1)
    }

    @Test("FIFO: a handle whose time has passed is refused")
    func expiredHandle() throws {
        var queue = try QueueBench(Self.fifo)
        try queue.send("a", group: "g", dedup: "x")
        let handle = try #require(try queue.receive(timeout: 5).first).handle.text
        queue.now = queue.now + .seconds(5)
        let error = #expect(throws: SQSError.self) { try queue.delete(handle) }
        #expect(error?.message.hasSuffix("Reason: The receipt handle has expired.") == true)
    }

    @Test("visibility: twelve hours in all, and only of what is in flight")
    func changeVisibility() throws {
        var queue = try QueueBench()
        try queue.send("a")
        let handle = try #require(try queue.receive(timeout: 7200).first).handle.text
        queue.now = queue.now + .seconds(3600)
        #expect(throws: SQSError.self) { try queue.changeVisibility(handle, to: 43_200) }
        try queue.changeVisibility(handle, to: 39_600)
        try queue.changeVisibility(handle, to: 0)
        #expect(throws: SQSError.messageNotInFlight) { try queue.changeVisibility(handle, to: 10) }
        #expect(try queue.receive().count == 1)
    }

    @Test("a purge empties everything, once a minute")
    func purge() throws {
        var queue = try QueueBench()
        for _ in 0..<5 { try queue.send("a") }
        _ = try queue.receive(2)
        queue.append(try queue.state.purge("Q", at: queue.now))
        #expect(queue.state.messageCount == 0)
        #expect(throws: SQSError.self) { try queue.state.purge("Q", at: queue.now) }
        try queue.send("b")
        #expect(try queue.receive(10).count == 1)
        queue.checkBase()
    }

    @Test("what has left for another queue is no longer this queue's to purge")
    func purgeOfDeadLetters() throws {
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        var queue = try QueueBench(settings)
        try queue.send("a")
        _ = try queue.receive(1)
        queue.now = queue.now + .seconds(30)
        queue.append(try #require(queue.state.deadLetters(at: queue.now)))
        let transfers = queue.state.transfers
        try queue.send("b")
        queue.append(try queue.state.purge("Q", at: queue.now))
        #expect(queue.state.transfers == transfers && queue.state.messageCount == 1)
        #expect(queue.state.counters.purged == 1 && queue.state.counters.deadLettered == 1)
        queue.checkBase()
        queue.append(.transferred(number: transfers[0].number))
        #expect(queue.state.isEmpty)
    }

    @Test("FIFO: what has a purged message's deduplication id is a message of its own")
    func purgedIDs() throws {
        var queue = try QueueBench(Self.fifo)
        try queue.send("a", group: "g", dedup: "x")
        queue.append(try queue.state.purge("Q", at: queue.now))
        let sent = try queue.send("b", group: "g", dedup: "x")
        #expect(try queue.send("c", group: "g", dedup: "x") == sent)
        #expect(try queue.receive(10).map(\.entry.messageID) == [sent.messageID])
        queue.checkBase()
    }

    @Test(
        "refusals, each in SQS's words",
        arguments: [
            ("", nil, nil, "MissingParameter"),
            ("a", "g h", nil, "InvalidParameterValue"),
            ("a", "", nil, "InvalidParameterValue"),
            ("a", nil, "x", "MissingParameter"),
            ("a", "g", nil, "InvalidParameterValue"),
            ("a", "g", String(repeating: "x", count: 129), "InvalidParameterValue"),
        ] as [(String, String?, String?, String)])
    func refusals(body: String, group: String?, dedup: String?, code: String) throws {
        var queue = try QueueBench(Self.fifo)
        let error = #expect(throws: SQSError.self) {
            try queue.send(body, group: group, dedup: dedup)
        }
        #expect(error?.queryCode == code)
        #expect(queue.state.messageCount == 0)
    }

    @Test("sizes at the limit", arguments: [1023, 1024, 1025])
    func sizes(bytes: Int) throws {
        var settings = QueueSettings()
        settings.maximumMessageSize = 1024
        var queue = try QueueBench(settings)
        let outcome = queue.send(SendEntry(escapedBody: [0x61], size: bytes))[0]
        #expect((try? outcome.get()) != nil || bytes == 1025)
    }

    @Test(arguments: [
        "", "garbage", String(repeating: "0", count: 33), String(repeating: "f", count: 34),
        String(repeating: "0", count: 36), String(repeating: "0", count: 42),
        String(repeating: "0", count: 34) + "000000G1",
    ])
    func forgedHandles(text: String) throws {
        #expect(ReceiptHandle(text) == nil)
        let queue = try QueueBench()
        let none = ReceiptHandle(place: Place(n: 1, index: 0), bits: 1)
        #expect(throws: SQSError.self) {
            try queue.state.changeVisibility(none, toSeconds: 0, at: queue.now)
        }
    }

    @Test(arguments: [0, 1, 0x0a0b, .max] as [UInt32])
    func handleText(mark: UInt32) {
        let handle = ReceiptHandle(place: Place(n: 300, index: 9), bits: .max - 1, mark: mark)
        #expect(ReceiptHandle(handle.text) == handle)
        #expect(handle.text.utf8.count == (mark == 0 ? 34 : 42))
    }
}
