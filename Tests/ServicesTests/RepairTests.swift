import CPosix
import JSON
import Journal
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// Repairs in company, and of what is seldom harmed.
@Suite struct RepairTests {
    private func entry(_ body: String, group: String? = nil) -> SendEntry {
        var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
        entry.group = group
        entry.deduplicationID = group == nil ? nil : body
        return entry
    }

    /// Harms the first record of a kind.
    private func harm(_ operation: String, in folder: String, _ queue: String) throws {
        let path = "\(folder)/queues/\(queue)/\(SegmentName.file(1))"
        var bytes = try FileSystem.read(path)
        let place = try #require(bytes.firstRange(of: Array("\"op\":\"\(operation)\"".utf8)))
        bytes[place.lowerBound + 7] ^= 0x20
        // In place, for who has it open.
        try DiskStorage().open(path, creating: false).writeAll(bytes, at: 0)
    }

    @Test("a repair beside processes that look: the repaired queue is there")
    func beside() throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        for number in 0..<50 { _ = try queues.queue("Q").send([entry("m\(number)")]) }
        try harm("send", in: folder.path, "Q")
        let isOver = Atomic(false)
        let threads = try (0..<4).map { index in
            try Thread(name: "looks-\(index)") {
                while !isOver.load(ordering: .relaxed) {
                    // Each look as a process of its own: nothing is open before.
                    let other = QueueDirectory(stateDirectory: folder.path)
                    _ = try? other.queue("Q").statistics()
                }
            }
        }
        let report = try QueueDirectory(stateDirectory: folder.path).repair("Q")
        isOver.store(true, ordering: .relaxed)
        for thread in threads { thread.join() }
        #expect(report.kept == 49)
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(try later.names() == ["Q"])
        #expect(try later.queue("Q").statistics().counts.visible == 49)
    }

    @Test("a FIFO queue keeps each group's order, whatever of it is held, passed or waits")
    func groups() throws {
        let folder = try TemporaryFolder("repair")
        var environment = QueueEnvironment()
        environment.heldWaiting = 4
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        var settings = QueueSettings()
        settings.isFIFO = true
        try queues.create("Q.fifo", settings)
        let queue = try queues.queue("Q.fifo")
        for number in 0..<60 {
            _ = try queue.send([entry("\(number)", group: "g\(number % 3)")])[0].get()
        }
        // Two groups wait for their first messages; the third one's are received and deleted.
        let first = try queue.receive(upTo: 2, timeoutSeconds: 600, wait: .zero)
        var gone: Set<String> = []
        for _ in 0..<4 {
            for delivery in try queue.receive(upTo: 3, timeoutSeconds: 600, wait: .zero) {
                gone.insert(String(decoding: delivery.body, as: UTF8.self))
                _ = try queue.delete([delivery.received.handle.text])[0].get()
            }
        }
        #expect(!gone.isEmpty && !first.isEmpty)
        try harm("send", in: folder.path, "Q.fifo")
        let later = QueueDirectory(stateDirectory: folder.path)
        let report = try later.repair("Q.fifo")
        #expect(report.kept == 60 - 1 - gone.count)
        let repaired = try later.queue("Q.fifo")
        var last: [String: Int] = [:]
        var seen: Set<String> = []
        while case let deliveries = try repaired.receive(upTo: 10, wait: .zero), !deliveries.isEmpty
        {
            for delivery in deliveries {
                let body = String(decoding: delivery.body, as: UTF8.self)
                let number = try #require(Int(body))
                let group = try #require(delivery.message.group)
                #expect(group == "g\(number % 3)")
                #expect(last[group].map { $0 < number } ?? true, "\(group): \(number)")
                last[group] = number
                seen.insert(body)
                _ = try repaired.delete([delivery.received.handle.text])[0].get()
            }
        }
        #expect(seen.count == report.kept && seen.isDisjoint(with: gone))
        #expect(try repaired.messageCount == 0)
    }

    @Test(
        "a receipt handle of before is refused, by whoever has the queue open",
        arguments: ["Q", "Q.fifo"])
    func handles(name: String) throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.isFIFO = name.hasSuffix(".fifo")
        try queues.create(name, settings)
        let group = settings.isFIFO ? "g" : nil
        for body in ["lost", "kept"] {
            _ = try queues.queue(name).send([entry(body, group: group)])[0].get()
        }
        let old = try queues.queue(name).receive(upTo: 2, wait: .zero).map(\.receiptHandle)
        #expect(old.count == 2)
        try harm("send", in: folder.path, name)
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(try later.repair(name).kept == 1)
        let new = try later.queue(name).receive(upTo: 2, wait: .zero).map(\.receiptHandle)
        // The other process has not heard of the repair yet.
        let outcomes = try queues.withQueue(name) { try $0.delete(new + old) }
        #expect(throws: Never.self) { try outcomes[0].get() }
        for (outcome, handle) in zip(outcomes.dropFirst(), old) {
            #expect(throws: SQSError.receiptHandleOfAnother(handle)) { try outcome.get() }
            #expect(throws: SQSError.receiptHandleOfAnother(handle)) {
                try queues.queue(name).changeVisibility(of: handle, toSeconds: 9)
            }
        }
        #expect(outcomes.count == 3)
        #expect(try queues.queue(name).messageCount == 0)
        // It is known for good.
        _ = try queues.queue(name).send([entry("next", group: group)])[0].get()
        let next = try queues.queue(name).receive(upTo: 1, wait: .zero).map(\.receiptHandle)
        let anew = try QueueDirectory(stateDirectory: folder.path).queue(name)
        for outcome in try anew.delete(next) { try outcome.get() }
        #expect(try anew.messageCount == 0)
    }

    @Test("a FIFO queue whose settings are harmed stays one")
    func settings() throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        var settings = QueueSettings()
        settings.isFIFO = true
        settings.visibilityTimeoutSeconds = 77
        try queues.create("Q.fifo", settings)
        _ = try queues.queue("Q.fifo").send([entry("a", group: "g")])
        try harm("set", in: folder.path, "Q.fifo")
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(try later.repair("Q.fifo").kept == 1)
        #expect(try later.queue("Q.fifo").settings.isFIFO)
        _ = try later.queue("Q.fifo").send([entry("b", group: "g")])[0].get()
    }

    @Test(
        "a repair that waited while its queue was removed and made again leaves the new one alone")
    func another() throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        for number in 0..<3 { _ = try queues.queue("Q").send([entry("old\(number)")]) }
        try harm("send", in: folder.path, "Q")
        let path = "\(folder.path)/queues/Q"
        let lock = try FileDescriptor(reading: "\(path)/lock")
        #expect(try lock.tryLock())
        let report = ThreadCondition<RepairReport?>(nil)
        let thread = try Thread(name: "repairs") {
            let made = try? QueueDirectory(stateDirectory: folder.path).repair("Q")
            report.withLock { $0 = made }
        }
        #expect(eventually { lock.hasWaiters() })
        try FileSystem.rename(path, to: "\(folder.path)/old")
        let later = QueueDirectory(stateDirectory: folder.path)
        try later.create("Q", QueueSettings())
        _ = try later.queue("Q").send([entry("new")])[0].get()
        lock.unlock()
        thread.join()
        let made = try #require(report.withLock { $0 })
        #expect(made.losses.isEmpty && made.original == nil)
        // Who has the new one open since goes on in the same folder.
        _ = try later.queue("Q").send([entry("more")])[0].get()
        let seen = QueueDirectory(stateDirectory: folder.path)
        #expect(try seen.queue("Q").statistics().counts.visible == 2)
        #expect(try FileSystem.list("\(folder.path)/queues").allSatisfy { !$0.contains("damaged") })
    }

    @Test(
        "a repair that fails leaves the queue as it was, and nothing of its copy",
        arguments: ["open", "sync", "rename", "exchange"])
    func failing(call: String) throws {
        let folder = try TemporaryFolder("repair")
        let path = "\(folder.path)/queues"
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        for number in 0..<3 { _ = try queues.queue("Q").send([entry("m\(number)")]) }
        try harm("send", in: folder.path, "Q")
        func files() throws -> [String: [UInt8]] {
            try Dictionary(
                uniqueKeysWithValues: FileSystem.list("\(path)/Q").map {
                    ($0, try FileSystem.read("\(path)/Q/\($0)"))
                })
        }
        let (before, names) = (try files(), try FileSystem.list(path))
        var environment = QueueEnvironment()
        environment.storage = RefusingStorage { refused, path in
            guard refused == call else { return false }
            return path.contains("/.damaged-Q")
                || path.contains("/.new-Q") && (call == "sync" || path.hasSuffix(".jsonl"))
        }
        let failing = QueueDirectory(stateDirectory: folder.path, environment: environment)
        #expect(throws: (any Error).self) { try failing.repair("Q") }
        #expect(try files() == before)
        #expect(try Set(FileSystem.list(path)) == Set(names))
        #expect(try QueueDirectory(stateDirectory: folder.path).repair("Q").kept == 2)
    }

    /// The real files, but for the calls that `refuses` says.
    private struct RefusingStorage: JournalStorage {
        let disk = DiskStorage()
        let refuses: @Sendable (_ call: String, _ path: String) -> Bool

        private func check(_ call: String, _ path: String) throws(SystemError) {
            if refuses(call, path) { throw SystemError(call: call, code: ENOSPC) }
        }
        func open(_ path: String, creating: Bool) throws(SystemError) -> any JournalFile {
            try check("open", path)
            return try disk.open(path, creating: creating)
        }
        func list(_ folder: String) throws(SystemError) -> [String] { try disk.list(folder) }
        func isDirectory(_ path: String) throws(SystemError) -> Bool { try disk.isDirectory(path) }
        func makeDirectory(_ folder: String) throws(SystemError) { try disk.makeDirectory(folder) }
        func rename(_ source: String, to target: String) throws(SystemError) {
            try check("rename", target)
            try disk.rename(source, to: target)
        }
        func exchange(_ one: String, _ other: String) throws(SystemError) {
            try check("exchange", one)
            try disk.exchange(one, other)
        }
        func remove(_ path: String) throws(SystemError) { try disk.remove(path) }
        func removeTree(_ folder: String) throws(SystemError) { try disk.removeTree(folder) }
        func syncDirectory(_ folder: String) throws(SystemError) {
            try check("sync", folder)
            try disk.syncDirectory(folder)
        }
    }

    @Test("another journal that is in the place by now is not replaced")
    func replaced() throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        let path = "\(folder.path)/queues/Q"
        let lock = try FileDescriptor(reading: "\(path)/lock")
        #expect(try lock.tryLock())
        let failure = ThreadCondition<JournalError?>(nil)
        let thread = try Thread(name: "replaces") {
            do {
                try Salvage.replace(
                    folder: path, with: "\(folder.path)/copy", aside: "\(folder.path)/aside"
                ) { Issue.record("it began to") }
            } catch {
                failure.withLock { $0 = error as? JournalError }
            }
        }
        #expect(eventually { lock.hasWaiters() })
        try FileSystem.rename(path, to: "\(folder.path)/old")
        try QueueDirectory(stateDirectory: folder.path).create("Q", QueueSettings())
        lock.unlock()
        thread.join()
        #expect(failure.withLock { $0 } == .removed)
    }

    @Test("a repair does not bring back a queue whose removal was cut short")
    func ended() throws {
        struct Cut: Error {}
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        _ = try queues.queue("Q").send([entry("old")])
        #expect(throws: Cut.self) {
            try queues.queue("Q").journal.end(check: { _ in }) { throw Cut() }
        }
        try harm("send", in: folder.path, "Q")
        #expect(throws: QueueError.self) {
            try QueueDirectory(stateDirectory: folder.path).repair("Q")
        }
        #expect(try queues.names() == [])
    }

    @Test("who waits for a sync while a repair comes between is told of a message that it kept")
    func waiting() throws {
        let folder = try TemporaryFolder("repair")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        _ = try queue.send([entry("harmed")])
        let (outcomes, ticket) = try queue.journal.transact(now: StackClock().now()) {
            try queue.send([self.entry("waits")], &$0)
        }
        try harm("send", in: folder.path, "Q")
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(try later.repair("Q").kept == 1)
        try queue.journal.waitDurable(try #require(ticket))
        let id = try outcomes[0].get().messageID
        #expect(try later.queue("Q").peek(upTo: 10).map(\.entry.messageID) == [id])
        #expect(throws: JournalError.removed) { try queue.send([entry("more")]) }
    }

    @Test("so is who does not wait for its call")
    func submitted() throws {
        let folder = try TemporaryFolder("repair")
        let jobs = Mutex<[@Sendable () -> Void]>([])
        func work() { jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }?() }
        var environment = QueueEnvironment()
        environment.execute = { job in jobs.withLock { $0.append(job) } }
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        _ = try queue.send([entry("harmed")])
        let told = Mutex<[String]>([])
        for body in ["one", "two"] {
            queue.submitSend([entry(body)]) { result in
                let id = try? result.get()[0].get().messageID
                told.withLock { $0.append(id ?? "\(result)") }
            }
        }
        work()
        let early = told.withLock { $0 }
        #expect(early.isEmpty, "appended, and not on the disk")
        try harm("send", in: folder.path, "Q")
        let later = QueueDirectory(stateDirectory: folder.path)
        #expect(try later.repair("Q").kept == 2)
        work()
        let kept = try later.queue("Q").peek(upTo: 10).map(\.entry.messageID)
        let answers = told.withLock { $0 }
        #expect(answers == kept)
    }
}
