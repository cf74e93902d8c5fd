import Journal
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// What is set aside as the end that a dead writer left, and may be more.
@Suite struct TornTests {
    private let folder: TemporaryFolder
    private var path: String { "\(folder.path)/queues/Q" }

    init() throws {
        folder = try TemporaryFolder("torn")
        var settings = QueueSettings()
        settings.durability = .os
        try QueueDirectory(stateDirectory: folder.path).create("Q", settings)
    }

    /// Each look as a process of its own.
    private func directory() -> QueueDirectory { QueueDirectory(stateDirectory: folder.path) }

    private func send(_ bodies: Range<Int>) throws {
        let queue = try directory().queue("Q")
        for body in bodies {
            let entry = SendEntry(escapedBody: Array("m\(body)".utf8), size: 2)
            _ = try queue.send([entry])[0].get()
        }
    }

    private func bodies() throws -> [String] {
        var bodies: [String] = []
        try directory().queue("Q").forEachMessage { _, message in
            bodies.append(String(decoding: message.escapedBody, as: UTF8.self))
        }
        return bodies
    }

    /// Flips a bit of the record that sends `body`.
    private func harm(_ body: String) throws {
        let file = "\(path)/\(SegmentName.file(1))"
        var bytes = try FileSystem.read(file)
        let place = try #require(bytes.firstRange(of: Array("\"\(body)\"".utf8)))
        bytes[place.lowerBound + 1] ^= 1
        try FileSystem.replace(file, with: bytes)
    }

    @Test("records behind a flipped bit can be sent again")
    func restored() throws {
        try send(0..<6)
        try harm("m2")
        try send(6..<7)
        #expect(try bodies() == ["m0", "m1", "m6"])
        let found = try directory().examine("Q")
        #expect(found.damages.isEmpty)
        #expect(found.torn.map(\.records) == [3])
        #expect(found.torn.map(\.messages.count) == [3])
        #expect(try #require(found.torn.first).harmedBytes > 0)
        let report = try directory().repair("Q")
        #expect(report.restored == 3 && report.original == nil && report.unreadable > 0)
        #expect(try bodies() == ["m0", "m1", "m6", "m3", "m4", "m5"])
        #expect(try directory().examine("Q").torn.isEmpty)
        #expect(try FileSystem.list(path).contains { $0.hasPrefix("restored-") })
        #expect(try directory().repair("Q").restored == 0)
    }

    @Test("of what was there when a purge came, what had left before it can be sent again")
    func purged() throws {
        let queue = try directory().queue("Q")
        var settings = try queue.settings
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queue.set(settings)
        try send(0..<3)
        _ = try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        _ = try queue.receive(upTo: 1, timeoutSeconds: 0, wait: .zero)
        _ = try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        #expect(try queue.purge() == 2)
        try harm("m0")
        #expect(try bodies() == [])
        #expect(try directory().repair("Q").restored == 1)
        #expect(try bodies() == ["m1"])
    }

    @Test("what was deleted there does not come again, and what is back stays single")
    func ended() throws {
        try send(0..<3)
        let queue = try directory().queue("Q")
        let received = try queue.receive(upTo: 2, wait: .zero)
        _ = try queue.delete([received[1].received.handle.text])
        try harm("m0")
        try send(3..<4)
        #expect(try bodies() == ["m3"])
        let torn = try #require(try directory().examine("Q").torn.first)
        #expect(torn.messages.map { String(decoding: $0.escapedBody, as: UTF8.self) } == ["m2"])
        // As if a restore had been cut before the file got its other name.
        let (count, _) = try directory().queue("Q").journal.transact(now: StackClock().now()) {
            try $0.restore([torn])
        }
        #expect(count == 1)
        #expect(try directory().repair("Q").restored == 0)
        #expect(try bodies() == ["m3", "m2"])
    }

    @Test("a damaged queue's repair restores them too, and its files stay with it")
    func damaged() throws {
        try send(0..<4)
        try harm("m2")
        try send(4..<6)
        try directory().queue("Q").settle()
        try harm("m4")
        let report = try directory().repair("Q")
        #expect(report.restored == 1)
        let original = try #require(report.original)
        #expect(try FileSystem.list(original).contains { $0.hasPrefix("torn-") })
        #expect(try bodies() == ["m0", "m1", "m5", "m3"])
    }

    /// Puts something before the `n`th line that is none: the records from there on are torn.
    private func tear(at n: Int) throws {
        let file = "\(path)/\(SegmentName.file(1))"
        var lines = try FileSystem.read(file).split(separator: 0x0A).map(Array.init)
        lines.insert(Array("harmed".utf8), at: n - 1)
        try FileSystem.replace(file, with: Array(lines.joined(separator: [0x0A])) + [0x0A])
    }

    @Test("what was put back there is followed: deleted in its new place, it does not come again")
    func requeued() throws {
        try send(0..<2)
        let queue = try directory().queue("Q")
        for _ in 0..<3 { _ = try queue.receive(upTo: 2, timeoutSeconds: 0, wait: .zero) }
        // Put behind the others by this one, which receives them there.
        let received = try queue.receive(upTo: 2, wait: .zero)
        let first = try #require(received.first { $0.message.escapedBody == Array("m0".utf8) })
        #expect(first.received.entry.place.n > 4)
        _ = try queue.delete([first.received.handle.text])
        // The base record and the settings stay.
        try tear(at: 3)
        try send(2..<3)
        #expect(try bodies() == ["m2"])
        let torn = try #require(try directory().examine("Q").torn.first)
        #expect(torn.messages.map { String(decoding: $0.escapedBody, as: UTF8.self) } == ["m1"])
    }

    @Test(
        "what is torn at the same record again is restored too, and no file takes another's place")
    func twice() throws {
        try send(0..<1)
        for round in 1...2 {
            try send(round * 2..<round * 2 + 2)
            try harm("m\(round * 2)")
            #expect(try bodies() == ["m0"])
        }
        #expect(try directory().examine("Q").torn.map(\.name) == ["torn-4.bin", "torn-4-2.bin"])
        #expect(try directory().repair("Q").restored == 2)
        #expect(try bodies() == ["m0", "m3", "m5"])
        let names = try FileSystem.list(path).filter { $0.hasPrefix("restored-") }
        #expect(Set(names) == ["restored-4.bin", "restored-4-2.bin"])
        // One of the same name that was restored before stays.
        try FileSystem.rename("\(path)/restored-4.bin", to: "\(path)/torn-4.bin")
        try FileSystem.replace("\(path)/restored-4.bin", with: [1])
        #expect(try directory().repair("Q").restored == 0)
        #expect(try FileSystem.read("\(path)/restored-4.bin") == [1])
    }

    @Test("torn files are in the order in which they were torn")
    func order() throws {
        let names = ["torn-5.bin", "torn-5-2.bin", "torn-5-10.bin", "torn-10.bin", "torn-10-2.bin"]
        for name in names { try FileSystem.replace("\(path)/\(name)", with: [1]) }
        #expect(try directory().examine("Q").torn.map(\.name) == names)
    }

    @Test("along a deep queue it looks for them while others work")
    func deep() throws {
        var options = JournalOptions()
        options.segmentBytes = 3000
        let small = QueueDirectory(stateDirectory: folder.path, options: options)
        for body in 10..<70 {
            let entry = SendEntry(escapedBody: Array("m\(body)".utf8), size: 3)
            _ = try small.queue("Q").send([entry])[0].get()
        }
        let segments = try FileSystem.list(path).filter { $0.hasSuffix(".jsonl") }.sorted()
        #expect(segments.count > 2)
        let newest = "\(path)/\(try #require(segments.last))"
        var lines = try FileSystem.read(newest).split(separator: 0x0A).map(Array.init)
        #expect(lines.count > 2)
        lines[lines.count - 2][20] ^= 1
        try FileSystem.replace(newest, with: Array(lines.joined(separator: [0x0A])) + [0x0A])
        try send(4..<5)
        let opened = Mutex<[String]>([])
        var environment = QueueEnvironment()
        var storage = ToldStorage { _ in }
        storage.willOpen = { path in opened.withLock { $0.append(path) } }
        environment.storage = storage
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        #expect(try queues.repair("Q").restored == 1)
        let paths = opened.withLock { $0 }
        let last = try #require(paths.lastIndex { $0.hasPrefix("\(path)/torn-") })
        let first = "\(path)/\(segments[0])"
        #expect(paths[..<last].contains(first) && !paths[last...].contains(first))
        #expect(try bodies().suffix(2) == ["m4", "m69"])
    }

    @Test("what is restored is read, sent and set aside alone among all processes")
    func alone() throws {
        try send(0..<4)
        try harm("m2")
        try send(4..<5)
        let isFree = Mutex<[Bool]>([])
        var environment = QueueEnvironment()
        var storage = ToldStorage { _ in }
        storage.willOpen = { [path] opened in
            guard opened.hasPrefix("\(path)/torn-") else { return }
            let lock = try? FileDescriptor(reading: "\(path)/lock").tryLock()
            isFree.withLock { $0.append(lock == true) }
        }
        environment.storage = storage
        let queues = QueueDirectory(stateDirectory: folder.path, environment: environment)
        #expect(try queues.repair("Q").restored == 1)
        #expect(
            isFree.withLock { $0 } == [true, true, false],
            "it is looked at, looked for, and then restored")
    }
}
