import JSON
import Journal
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// Looking back while segments are deleted: nothing is left out in silence.
@Suite struct DeletedMeanwhileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("meanwhile") }

    private func directory(
        history: UInt64 = 10_000_000, _ environment: QueueEnvironment = QueueEnvironment()
    ) -> QueueDirectory {
        var options = JournalOptions()
        options.segmentBytes = 4000
        options.historyBytes = history
        return QueueDirectory(
            stateDirectory: folder.path, environment: environment, options: options)
    }

    private func make(_ directory: QueueDirectory) throws -> Queue {
        var settings = QueueSettings()
        settings.durability = .os
        try directory.create("Q", settings)
        return try directory.queue("Q")
    }

    private func entry(_ body: String) -> SendEntry {
        let body = body + String(repeating: ".", count: 300)
        return SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
    }

    private func path(_ segment: UInt64) -> String {
        "\(folder.path)/queues/Q/\(SegmentName.file(segment))"
    }

    private func segments() throws -> [UInt64] {
        try FileSystem.list("\(folder.path)/queues/Q").compactMap(SegmentName.parse)
    }

    /// The error's record.
    private func notRetained(_ body: () throws -> Void) throws -> UInt64? {
        do {
            try body()
            return nil
        } catch QueueError.notRetained(_, _, let n) {
            return n
        }
    }

    @Test("a replay ends where what it comes to was deleted, and names what is there")
    func replay() throws {
        let queue = try make(directory())
        for number in 0..<60 { _ = try queue.send([entry("m\(number)")])[0].get() }
        let names = try segments()
        #expect(names.count > 4)
        var seen: [UInt64] = []
        let stop = try notRetained {
            try queue.forEachSend(from: .oldest, to: nil) { record in
                if seen.isEmpty { for name in names[0...2] { try FileSystem.remove(path(name)) } }
                seen.append(record.n)
                return true
            }
        }
        #expect(stop == names[3])
        #expect(seen.last == names[1] - 1)
        // Nor does one begin behind what it was to begin with.
        for start in [.record(names[1]), .record(names[3] - 1)] as [JournalPoint] {
            #expect(
                try notRetained { try queue.forEachSend(from: start, to: nil) { _ in true } }
                    == names[3])
        }
        var count = 0
        #expect(
            try notRetained {
                try queue.forEachSend(from: .record(names[3]), to: nil) { _ in
                    count += 1
                    return true
                }
            } == nil)
        #expect(count > 0)
    }

    @Test("all that is retained begins with what is")
    func oldest() throws {
        let queue = try make(directory())
        for number in 0..<60 { _ = try queue.send([entry("m\(number)")])[0].get() }
        let names = try segments()
        try FileSystem.remove(path(names[0]))
        #expect(
            try notRetained { try queue.forEachSend(from: .record(1), to: nil) { _ in true } }
                == names[1])
        var first: UInt64?
        try queue.forEachSend(from: .oldest, to: nil) { record in
            first = first ?? record.n
            return true
        }
        #expect(first.map { $0 > names[1] && $0 < names[2] } == true)
    }

    @Test("the counts of a past moment need no file that is gone")
    func counts() throws {
        let path = self.path(1)
        let removes = Atomic(false)
        let gone = Mutex<[String]>([])
        var environment = QueueEnvironment()
        environment.storage = ToldStorage(
            willRemove: { _ in },
            willOpen: { opened in
                guard opened == path, removes.load(ordering: .relaxed) else { return }
                gone.withLock { $0.append(opened) }
                try? FileSystem.remove(path)
            })
        let queue = try make(directory(environment))
        for number in 0..<60 { _ = try queue.send([entry("m\(number)")])[0].get() }
        let now = StackClock().now()
        removes.store(true, ordering: .relaxed)
        #expect(try queue.statistics(at: now).counts.visible == 60)
        #expect(gone.withLock { !$0.isEmpty })
    }

    @Test(
        "a queue that is removed while it is verified is none, and the one in its place is verified",
        arguments: [false, true], [false, true])
    func verified(isOpen: Bool, isMadeAnew: Bool) throws {
        _ = try make(directory())
        let lock = folder.path + "/queues/Q/lock"
        let isDone = Atomic(false)
        let other = directory()
        @Sendable func remove(_ opened: String) {
            guard opened == lock, !isDone.exchange(true, ordering: .relaxed) else { return }
            _ = try? other.remove("Q", force: true)
            if isMadeAnew { try? other.create("Q", QueueSettings()) }
        }
        var environment = QueueEnvironment()
        environment.storage = ToldStorage(
            willRemove: { _ in },
            willOpen: { if !isOpen { remove($0) } },
            didOpen: { if isOpen { remove($0) } })
        let queues = directory(environment)
        if isMadeAnew {
            #expect(try queues.examine("Q").journal.problems.isEmpty)
        } else {
            #expect {
                try queues.examine("Q")
            } throws: { error in
                if case QueueError.noSuchQueue = error { true } else { false }
            }
        }
        let wasRemoved = isDone.load(ordering: .relaxed)
        #expect(wasRemoved)
    }

    @Test("a message's history says what is missing, and makes nothing of it")
    func search() throws {
        let queue = try make(directory())
        let id = try queue.send([entry("followed")])[0].get().messageID
        let delivery = try queue.receive(upTo: 1, timeoutSeconds: 1, wait: .zero)[0]
        func pass() throws {
            for number in 0..<20 { _ = try queue.send([entry("m\(number)")])[0].get() }
        }
        try pass()
        try queue.changeVisibility(of: delivery.received.handle.text, toSeconds: 3600)
        try pass()
        let names = try segments()
        var history = MessageSearch(.id(id), in: "Q", try QueueHistory(queue))
        for name in names[1..<(names.count - 1)] { try FileSystem.remove(path(name)) }
        let later = StackClock().now() + .seconds(60)
        let events = try #require(try history.run(now: later).first).events
        #expect(events.map(\.name) == ["sent", "received", "notRetained"])
        let missing = try #require(names.last) - names[1]
        #expect(events.last?.kind == .notRetained(records: missing))
    }

    @Test("who follows a queue does without a body that was carried on meanwhile")
    func carried() throws {
        let queue = try make(directory(history: 12_000))
        _ = try queue.send([entry("held")])[0].get()
        let held = try queue.receive(upTo: 1, timeoutSeconds: 40_000, wait: .zero)[0]
        func pass() throws {
            _ = try queue.send([entry("passes")])[0].get()
            let handles = try queue.receive(upTo: 1, wait: .zero).map(\.received.handle.text)
            _ = try queue.delete(handles)
        }
        while try segments() == [1] { try pass() }
        #expect(try segments().contains(1))
        var history = try QueueHistory(queue)
        for _ in 0..<1000 where try segments().contains(1) { try pass() }
        #expect(try !segments().contains(1), "it was not carried on")
        #expect(try history.message(at: held.received.entry.place) == nil)
        var newer = try QueueHistory(queue)
        #expect(try newer.message(at: held.received.entry.place) != nil)
    }

    @Test("a check keeps nobody out while it reads what is sealed")
    func check() throws {
        let folder = self.folder.path
        let isFree = Mutex<[String: Bool]>([:])
        var environment = QueueEnvironment()
        environment.storage = ToldStorage(
            willRemove: { _ in },
            willOpen: { opened in
                guard opened.hasSuffix(".jsonl") else { return }
                let lock = try? FileDescriptor(reading: "\(folder)/queues/Q/lock")
                let taken = (try? lock?.tryLock()) ?? false
                lock?.unlock()
                isFree.withLock { $0[opened] = taken }
            })
        let queue = try make(directory())
        for number in 0..<60 { _ = try queue.send([entry("m\(number)")])[0].get() }
        let names = try segments()
        let report = try directory(environment).verify("Q")
        #expect(report.problems.isEmpty && report.segments == names.count)
        for name in names {
            #expect(isFree.withLock { $0[path(name)] } == (name != names.last), "\(name)")
        }
    }

    @Test("nor that all that there was is gone, and others have come")
    func replaced() throws {
        let queue = try make(directory(history: 0))
        for number in 0..<60 { _ = try queue.send([entry("m\(number)")])[0].get() }
        let names = try segments()
        let last = path(names[names.count - 2])
        var environment = QueueEnvironment()
        environment.storage = ToldStorage(
            willRemove: { _ in },
            didOpen: { opened in
                guard opened == last else { return }
                for _ in 0..<3000 {
                    guard let now = try? self.segments(), !names.allSatisfy({ !now.contains($0) })
                    else { break }
                    _ = try? queue.send([self.entry("passes")])
                    let received = (try? queue.receive(upTo: 10, wait: .zero)) ?? []
                    _ = try? queue.delete(received.map(\.receiptHandle))
                }
            })
        let found = try directory(environment).examine("Q")
        #expect(try segments().allSatisfy { !names.contains($0) })
        #expect(found.damages.isEmpty && found.journal.ignored.isEmpty, "\(found)")
    }

    @Test("nor is it damage that segments were consumed and deleted meanwhile", arguments: [1, 2])
    func reclaimed(remaining: Int) throws {
        let queue = try make(directory())
        for number in 0..<60 { _ = try queue.send([entry("m\(number)")])[0].get() }
        while case let received = try queue.receive(upTo: 10, wait: .zero), !received.isEmpty {
            _ = try queue.delete(received.map(\.received.handle.text))
        }
        let names = try segments()
        let paths = names.map(path)
        // One of them is harmed, too.
        var bytes = try FileSystem.read(paths[0])
        bytes[bytes.count - 30] ^= 1
        try FileSystem.replace(paths[0], with: bytes)
        var environment = QueueEnvironment()
        environment.storage = ToldStorage(
            willRemove: { _ in },
            willOpen: { opened in
                guard opened == paths[2] else { return }
                for path in paths.dropLast(remaining) { try? FileSystem.remove(path) }
            })
        let found = try directory(environment).examine("Q")
        #expect(found.damages.isEmpty && found.journal.ignored.isEmpty, "\(found)")
        #expect(try segments().count == remaining)
    }
}
