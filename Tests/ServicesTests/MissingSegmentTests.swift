import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// A segment that is gone although it is still to be read: damage, wherever somebody comes to it.
@Suite struct MissingSegmentTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("missing") }

    /// Each one a process of its own.
    private func directory() -> QueueDirectory {
        var options = JournalOptions()
        options.segmentBytes = 4000
        var environment = QueueEnvironment()
        environment.heldWaiting = 15
        return QueueDirectory(
            stateDirectory: folder.path, environment: environment, options: options)
    }

    /// Sixty messages in some segments.
    private func make(_ name: String) throws -> Queue {
        var settings = QueueSettings()
        settings.isFIFO = name.hasSuffix(".fifo")
        let directory = directory()
        try directory.create(name, settings)
        let queue = try directory.queue(name)
        for number in 0..<60 {
            let body = "m\(number)" + String(repeating: ".", count: 300)
            var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
            if settings.isFIFO {
                entry.group = "g"
                entry.deduplicationID = "d\(number)"
            }
            _ = try queue.send([entry])[0].get()
        }
        return queue
    }

    private func segments(of queue: Queue) throws -> [UInt64] {
        try FileSystem.list("\(folder.path)/queues/\(queue.name)").compactMap(SegmentName.parse)
    }

    private func path(_ segment: UInt64, of queue: Queue) -> String {
        "\(folder.path)/queues/\(queue.name)/\(SegmentName.file(segment))"
    }

    /// - Throws: what is no damage.
    private func isDamaged(_ body: () throws -> Void) throws -> Bool {
        do {
            try body()
            return false
        } catch JournalError.damaged {
            return true
        }
    }

    @Test("what is in flight there cannot be received again, looked at or exported")
    func held() throws {
        let queue = try make("Q")
        let names = try segments(of: queue)
        var handle: String?
        while case let received = try queue.receive(upTo: 10, timeoutSeconds: 600, wait: .zero),
            !received.isEmpty
        {
            let inThere = received.first { names[1]..<names[2] ~= $0.received.entry.place.n }
            handle = handle ?? inThere?.receiptHandle
        }
        try queue.changeVisibility(of: try #require(handle), toSeconds: 0)
        queue.close()
        try FileSystem.remove(path(names[1], of: queue))
        let later = try directory().queue("Q")
        #expect(try isDamaged { try later.forEachMessage { _, _ in } })
        #expect(try isDamaged { _ = try later.peek(upTo: 1) })
        #expect(try isDamaged { _ = try later.receive(upTo: 1, wait: .zero) })
        #expect(try !directory().examine("Q").damages.isEmpty)
    }

    /// With the lock file, or with all there is.
    @Test("without any segment a queue is damaged, not empty", arguments: [false, true])
    func none(isEmpty: Bool) throws {
        try make("Q.fifo").close()
        var settings = QueueSettings()
        settings.isFIFO = true
        let path = "\(folder.path)/queues/Q.fifo"
        for file in try FileSystem.list(path)
        where isEmpty || file == "lock" || SegmentName.parse(file) != nil {
            try FileSystem.remove("\(path)/\(file)")
        }
        for _ in 1...2 {
            do {
                _ = try directory().queue("Q.fifo").statistics()
                Issue.record("it is taken for a new one")
            } catch QueueError.journal(.damaged(_, _, let reason), _) {
                #expect(reason == "its segments are missing")
            }
            #expect(try !directory().examine("Q.fifo").damages.isEmpty)
            #expect(throws: QueueError.self) { try directory().create("Q.fifo", settings) }
        }
        #expect(try directory().repair("Q.fifo").original != nil)
        #expect(try directory().queue("Q.fifo").settings.isFIFO)
        #expect(try directory().examine("Q.fifo").damages.isEmpty)
    }

    @Test("nor is a FIFO queue counted whose passed group begins there")
    func passed() throws {
        let queue = try make("Q.fifo")
        // The group is busy: the next look's head runs past it.
        _ = try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        _ = try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        queue.close()
        let names = try segments(of: queue)
        let found = try names[1..<(names.count - 1)].map { name in
            let bytes = try FileSystem.read(path(name, of: queue))
            try FileSystem.remove(path(name, of: queue))
            defer { try? FileSystem.replace(path(name, of: queue), with: bytes) }
            return try isDamaged { _ = try directory().queue("Q.fifo").statistics() }
        }
        #expect(found.contains(true))
        #expect(try directory().queue("Q.fifo").statistics().counts.visible == 59)
    }

    @Test("a replay that comes to it, or is to begin there, does not call it past retention")
    func replay() throws {
        let queue = try make("Q")
        let names = try segments(of: queue)
        queue.close()
        try FileSystem.remove(path(names[2], of: queue))
        let later = try directory().queue("Q")
        for start in [.oldest, .record(names[2]), .record(names[3] - 1)] as [JournalPoint] {
            var last: UInt64?
            #expect(
                try isDamaged {
                    try later.forEachSend(from: start, to: nil) { record in
                        last = record.n
                        return true
                    }
                }, "\(start)")
            #expect(last == (start == .oldest ? names[2] - 1 : nil))
        }
    }
}
