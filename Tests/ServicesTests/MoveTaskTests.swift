import JSON
import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

@Suite struct MoveTaskTests {
    private func entry(_ body: String) -> SendEntry {
        SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
    }

    /// Source queues and their dead-letter queue, which holds `count` messages of each.
    private func deadLetters(
        _ folder: TemporaryFolder, _ count: Int, from sources: [String] = ["Source"]
    ) throws -> QueueDirectory {
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "Dead", maxReceiveCount: 1)
        try queues.create("Dead", QueueSettings())
        for name in sources {
            try queues.create(name, settings)
            let source = try queues.queue(name)
            for number in 0..<count { _ = try source.send([entry("\(name)\(number)")]) }
            while try !source.receive(upTo: 10, timeoutSeconds: 0, wait: .zero, movingTo: queues)
                .isEmpty
            {}
        }
        return queues
    }

    /// Each batch in a process of its own, with segments so small that most begin one.
    private func batch(
        _ folder: TemporaryFolder, of name: String, start: Bool
    ) throws -> MoveTask? {
        var options = JournalOptions()
        options.segmentBytes = 2000
        let queues = QueueDirectory(stateDirectory: folder.path, options: options)
        if start { _ = try queues.startMoveTask(from: name, to: nil, rate: nil) }
        var isOver = false
        return try queues.runMoveTask(
            of: name, isCancelled: { isOver }, progress: { _ in isOver = true })
    }

    @Test("it ends though what it moved fails again and comes back", arguments: ["", ".fifo"])
    func arrivals(suffix: String) throws {
        let folder = try TemporaryFolder("arrivals")
        let (name, dead) = ("Source\(suffix)", "Dead\(suffix)")
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.isFIFO = !suffix.isEmpty
        try queues.create(dead, settings)
        settings.redrivePolicy = .init(deadLetterQueue: dead, maxReceiveCount: 1)
        try queues.create(name, settings)
        let source = try queues.queue(name)
        /// As a consumer does that fails.
        func fail() throws {
            while try !source.receive(upTo: 10, timeoutSeconds: 0, wait: .zero, movingTo: queues)
                .isEmpty
            {}
        }
        for number in 0..<25 {
            var message = entry("m\(number)")
            if settings.isFIFO {
                message.group = "g\(number % 3)"
                message.deduplicationID = "d\(number)"
            }
            _ = try source.send([message])[0].get()
        }
        try fail()
        // One is in flight, and comes back while the task runs. In a FIFO queue it would keep its
        // group back, and what comes back of the others would be moved before that.
        let looked =
            settings.isFIFO
            ? [] : try queues.queue(dead).receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        let old = try Set(queues.queue(dead).peek(upTo: 25).map(\.message.messageID))
        var task = try batch(folder, of: dead, start: true)
        for message in looked {
            try queues.queue(dead).changeVisibility(of: message.receiptHandle, toSeconds: 0)
        }
        var batches = 1
        while task?.status == .running, batches < 20 {
            try fail()
            task = try batch(folder, of: dead, start: false)
            batches += 1
        }
        try fail()
        #expect(task?.status == .completed && task?.moved == 25, "\(String(describing: task))")
        let left = try queues.queue(dead).peek(upTo: 50).map(\.message.messageID)
        #expect(left.count == 25 && old.isDisjoint(with: left))
        #expect(try queues.examine(dead).damages.isEmpty)
    }

    @Test("a queue whose dead letters are its own alone is no source")
    func ownDeadLetters() throws {
        let folder = try TemporaryFolder("own")
        defer { withExtendedLifetime(folder) {} }
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Dead", QueueSettings())
        try queues.change("Dead") {
            $0.redrivePolicy = .init(deadLetterQueue: "Dead", maxReceiveCount: 1)
        }
        for body in ["a", "b"] { _ = try queues.queue("Dead").send([entry(body)]) }
        #expect(
            throws: SQSError.invalidParameter(
                "Source queue arn and destination queue arn cannot be the same.")
        ) { try queues.startMoveTask(from: "Dead", to: nil, rate: nil) }
        #expect(try queues.moveTasks(of: "Dead").isEmpty)
    }

    private func redrive(
        _ queues: QueueDirectory, to target: String? = nil,
        progress: (MoveTask) -> Void = { _ in }
    ) throws -> MoveTask? {
        _ = try queues.startMoveTask(from: "Dead", to: target, rate: nil)
        return try queues.runMoveTask(
            of: "Dead", isCancelled: { false }, progress: progress)
    }

    private func bodies(_ queues: QueueDirectory, _ name: String) throws -> Set<String> {
        let messages = try queues.queue(name).peek(upTo: 1000)
        let bodies = messages.map { String(decoding: $0.message.escapedBody, as: UTF8.self) }
        #expect(Set(bodies).count == bodies.count)
        return Set(bodies)
    }

    @Test("redriven messages are new ones, none lost and none doubled")
    func all() throws {
        let folder = try TemporaryFolder("redrive")
        defer { withExtendedLifetime(folder) {} }
        let queues = try deadLetters(folder, 25)
        let dead = try queues.queue("Dead")
        let old = try Set(dead.peek(upTo: 25).map(\.message.messageID))
        #expect(old.count == 25)
        let task = try #require(try redrive(queues))
        #expect(task.status == .completed && task.moved == 25 && task.toMove == 25)
        #expect(try dead.messageCount == 0)
        #expect(try dead.statistics().counters.moved == 25)
        let back = try queues.queue("Source").peek(upTo: 50)
        #expect(old.isDisjoint(with: back.map(\.message.messageID)))
        #expect(back.allSatisfy { $0.message.receiveCount == 0 && $0.message.source == nil })
        #expect(try bodies(queues, "Source") == Set((0..<25).map { "Source\($0)" }))
    }

    @Test("of several sources each message goes back to its own")
    func severalSources() throws {
        let folder = try TemporaryFolder("sources")
        let queues = try deadLetters(folder, 12, from: ["A", "B"])
        #expect(try queues.queue("Dead").peek(upTo: 1).first?.message.source == "A")
        #expect(try redrive(queues)?.moved == 24)
        for name in ["A", "B"] {
            #expect(try bodies(queues, name) == Set((0..<12).map { "\(name)\($0)" }))
        }
    }

    @Test("a message that nobody knows the source of ends the task, and stays")
    func unknownSource() throws {
        let folder = try TemporaryFolder("unknown")
        defer { withExtendedLifetime(folder) {} }
        let queues = try deadLetters(folder, 2, from: ["A", "B"])
        _ = try queues.queue("Dead").send([entry("direct")])
        let task = try #require(try redrive(queues))
        #expect(task.status == .failed && task.failure == "CouldNotDetermineMessageSource")
        #expect(try bodies(queues, "Dead") == ["direct"])
        #expect(try redrive(queues, to: "A")?.status == .completed)
        #expect(try bodies(queues, "Dead").isEmpty)
    }

    @Test("a target that is removed meanwhile ends the task, which says so")
    func removedTarget() throws {
        let folder = try TemporaryFolder("removedtarget")
        let queues = try deadLetters(folder, 12)
        try queues.create("Target", QueueSettings())
        let task = try #require(
            try redrive(queues, to: "Target") { task in
                guard task.status == .running else { return }
                #expect(throws: Never.self) { try queues.remove("Target", force: true) }
            })
        #expect(task.status == .failed && task.moved == 10)
        #expect(task.failure == "AWS.SimpleQueueService.NonExistentQueue")
        #expect(try bodies(queues, "Dead").count == 2)
    }

    @Test("a task that is cut says that nobody runs it, and the next run goes on, once")
    func cut() throws {
        let folder = try TemporaryFolder("cutredrive")
        let queues = try deadLetters(folder, 25)
        let task = try queues.startMoveTask(from: "Dead", to: nil, rate: nil)
        // Decided, and nobody carried it out: as if the process had died here.
        let batch = try queues.queue("Dead").moveBatch(of: task.id, upTo: 10) { _ in "Source" }
        #expect(batch == 10)
        let later = QueueDirectory(stateDirectory: folder.path)
        let listed = try #require(try later.moveTasks(of: "Dead").first)
        #expect(listed.task.status == .running && !listed.isRun && listed.task.moved == 10)
        #expect(throws: SQSError.self) {
            try later.startMoveTask(from: "Dead", to: nil, rate: nil)
        }
        let end = try later.runMoveTask(of: "Dead", isCancelled: { false }, progress: { _ in })
        #expect(end?.status == .completed && end?.moved == 25)
        #expect(try bodies(later, "Source").count == 25)
        #expect(
            try later.runMoveTask(of: "Dead", isCancelled: { false }, progress: { _ in }) == nil)
    }

    @Test("one that is run is cancelled by whoever runs it, after its batch")
    func cancelled() throws {
        let folder = try TemporaryFolder("cancel")
        let queues = try deadLetters(folder, 40)
        let other = QueueDirectory(stateDirectory: folder.path)
        _ = try queues.startMoveTask(from: "Dead", to: nil, rate: nil)
        let task = try queues.runMoveTask(of: "Dead", isCancelled: { false }) { task in
            guard task.moved == 20, task.status == .running else { return }
            #expect((try? other.moveTasks(of: "Dead").first?.isRun) == true)
            #expect((try? other.cancelMoveTask(of: "Dead", id: nil).status) == .cancelling)
        }
        #expect(task?.status == .cancelled && task?.moved == 20)
        #expect(try bodies(queues, "Dead").count == 20)
        #expect(throws: QueueError.self) { try queues.cancelMoveTask(of: "Dead", id: nil) }
        _ = try queues.startMoveTask(from: "Dead", to: nil, rate: nil)
        #expect(try queues.cancelMoveTask(of: "Dead", id: nil).status == .cancelled)
        #expect(try queues.moveTasks(of: "Dead").count == 2)
    }

    @Test("a repair of the queue meanwhile does not end it")
    func repaired() throws {
        let folder = try TemporaryFolder("repaired")
        let queues = try deadLetters(folder, 40)
        let other = QueueDirectory(stateDirectory: folder.path)
        try queues.change("Dead") { $0.visibilityTimeoutSeconds = 77 }
        _ = try queues.startMoveTask(from: "Dead", to: nil, rate: nil)
        var repairs = 0
        let task = try queues.runMoveTask(of: "Dead", isCancelled: { false }) { task in
            guard task.moved == 20, repairs == 0 else { return }
            #expect(throws: Never.self) {
                try harm(folder.path + "/queues/Dead/00000000000000000001.jsonl", at: ":77")
                #expect(try other.repair("Dead").original != nil)
            }
            repairs += 1
        }
        #expect(repairs == 1)
        #expect(task?.status == .completed && task?.moved == 40, "\(String(describing: task))")
        #expect(try bodies(queues, "Dead").isEmpty)
        #expect(try bodies(queues, "Source").count == 40)
    }

    /// In its place, as a disk would.
    private func harm(_ path: String, at text: String) throws {
        let bytes = try FileSystem.read(path)
        let offset = try #require(bytes.firstRange(of: Array(text.utf8))?.lowerBound)
        try DiskStorage().open(path, creating: false).writeAll([0x7F], at: UInt64(offset))
    }

    @Test("one whose queue is removed meanwhile ends, also if another has its name")
    func removed() throws {
        let folder = try TemporaryFolder("removed")
        let queues = try deadLetters(folder, 40)
        let other = QueueDirectory(stateDirectory: folder.path)
        _ = try queues.startMoveTask(from: "Dead", to: nil, rate: nil)
        #expect(throws: JournalError.removed) {
            try queues.runMoveTask(of: "Dead", isCancelled: { false }) { _ in
                _ = try? other.remove("Dead", force: true)
                try? other.create("Dead", QueueSettings())
            }
        }
    }

    @Test("a rate holds, and ten tasks are remembered")
    func rate() throws {
        let folder = try TemporaryFolder("rate")
        defer { withExtendedLifetime(folder) {} }
        let queues = try deadLetters(folder, 30)
        let start = SystemClock.monotonicNanoseconds()
        _ = try queues.startMoveTask(from: "Dead", to: nil, rate: 100)
        _ = try queues.runMoveTask(of: "Dead", isCancelled: { false }, progress: { _ in })
        #expect(SystemClock.monotonicNanoseconds() - start >= 290_000_000)
        for _ in 0..<12 { _ = try redrive(queues) }
        #expect(try queues.moveTasks(of: "Dead").count == 10)
        let again = try queues.queue("Dead").journal.read { $0.state.queue.moveTasks.count }
        #expect(again == 10)
    }

    @Test("what cannot be is refused")
    func refusals() throws {
        let folder = try TemporaryFolder("refused")
        defer { withExtendedLifetime(folder) {} }
        let queues = try deadLetters(folder, 1)
        #expect(throws: QueueError.self) {
            try queues.startMoveTask(from: "Source", to: nil, rate: nil)
        }
        var fifo = QueueSettings()
        fifo.isFIFO = true
        try queues.create("Other.fifo", fifo)
        for target in ["Other.fifo", "Dead"] {
            #expect(throws: SQSError.self) {
                try queues.startMoveTask(from: "Dead", to: target, rate: nil)
            }
        }
    }
}
