import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// What a repair makes of records that lie elsewhere than they were written, as bytes before them
/// were cut out, or came between.
@Suite struct DisplacedRepairTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("displaced") }

    private static func directory(
        _ folder: TemporaryFolder, segmentBytes: UInt64? = nil, checkpointBytes: UInt64? = nil
    ) -> QueueDirectory {
        var options = JournalOptions()
        if let segmentBytes { options.segmentBytes = segmentBytes }
        if let checkpointBytes { options.checkpointBytes = checkpointBytes }
        return QueueDirectory(stateDirectory: folder.path, options: options)
    }

    private func send(_ queue: Queue, _ bodies: [String], delaySeconds: Int64? = nil) throws {
        for body in bodies {
            var entry = SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
            entry.delaySeconds = delaySeconds
            if queue.name.hasSuffix(".fifo") {
                entry.group = "g"
                entry.deduplicationID = String(body.prefix(9))
            }
            _ = try queue.send([entry])[0].get()
        }
    }

    private func receive(
        _ queue: Queue, _ limit: Int, timeoutSeconds: Int64 = 600
    ) throws -> [Queue.Delivery] {
        let some = try queue.receive(upTo: limit, timeoutSeconds: timeoutSeconds, wait: .zero)
        #expect(some.count == limit)
        return some
    }

    private typealias Line = [UInt8]

    /// Changes the lines of a queue's first segment, and repairs it.
    /// - Returns: the bodies that it then has, in order.
    private func repair(
        _ queue: Queue, _ change: (inout [Line]) throws -> Void
    ) throws -> [String] {
        try queue.settle()
        let path = "\(folder.path)/queues/\(queue.name)/\(SegmentName.file(1))"
        var lines = try FileSystem.read(path).split(
            separator: 0x0A, omittingEmptySubsequences: false
        ).map(Array.init)
        try change(&lines)
        try FileSystem.replace(path, with: Array(lines.joined(separator: [0x0A])))
        let later = Self.directory(folder)
        let report = try later.repair(queue.name)
        var bodies: [String] = []
        try later.queue(queue.name).forEachMessage { _, message in
            bodies.append(String(decoding: message.escapedBody, as: UTF8.self))
        }
        #expect(report.kept == bodies.count && !report.losses.isEmpty)
        return bodies
    }

    /// Which line sent a message.
    private static func send(of body: String, in lines: [Line]) throws -> Int {
        try #require(
            lines.firstIndex { $0.firstRange(of: Array("\"body\":\"\(body)\"".utf8)) != nil })
    }

    private static let bodies = (0..<10).map { "m\($0)" }

    enum Damage: CaseIterable {
        case line
        case part
        case insertion
        case copy
        case exchange
        case emptyLines

        var loses: Bool { self == .line || self == .part }
    }

    private static func harm(_ lines: inout [Line], _ line: Int, _ damage: Damage) {
        switch damage {
        case .line: lines.remove(at: line)
        case .part: lines[line].removeSubrange(10..<40)
        case .insertion: lines.insert(Array("no record".utf8), at: line)
        case .copy: lines.insert(contentsOf: lines[(line - 2)...line], at: line + 1)
        case .exchange: lines.swapAt(line, line + 3)
        case .emptyLines:
            lines.insert(contentsOf: Array(repeating: [], count: 1000), at: line)
        }
    }

    @Test(
        "what was received, is delayed or leaves is kept, wherever its line lies now",
        arguments: Damage.allCases)
    func held(damage: Damage) throws {
        let queues = Self.directory(folder)
        try queues.create("D", QueueSettings())
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "D", maxReceiveCount: 1)
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        try send(queue, Self.bodies)
        try send(queue, ["delayed"], delaySeconds: 600)
        let done = try receive(queue, 5)
        for outcome in try queue.delete(done.prefix(2).map(\.receiptHandle)) { try outcome.get() }
        // Its dead letters cannot arrive.
        try queues.remove("D", force: true)
        _ = try receive(queue, 2, timeoutSeconds: 0)
        _ = try queue.receive(upTo: 1, timeoutSeconds: 600, wait: .zero)
        #expect(try queue.journal.read { $0.state.queue.transfers.map(\.messages.count) } == [2])
        let kept = try repair(queue) { lines in
            Self.harm(&lines, try Self.send(of: "m3", in: lines), damage)
        }
        let expected = Self.bodies.dropFirst(2).filter { !damage.loses || $0 != "m3" }
        #expect(kept.sorted() == ["delayed"] + expected)
        let state = try Self.directory(folder).queue("Q").journal.read { $0.state.queue }
        #expect(state.transfers.map(\.messages.count) == [2])
    }

    @Test(
        "what waits behind it is kept once, though later segments tell where the line goes on",
        arguments: Damage.allCases, ["Q", "Q.fifo"])
    func waiting(damage: Damage, name: String) throws {
        let queues = Self.directory(folder, segmentBytes: 8000)
        var settings = QueueSettings()
        settings.isFIFO = name.hasSuffix(".fifo")
        try queues.create(name, settings)
        let queue = try queues.queue(name)
        let bodies = (10..<30).map { "m\($0)" }
        try send(queue, bodies)
        let done = try receive(queue, 8)
        for outcome in try queue.delete(done.map(\.receiptHandle)) { try outcome.get() }
        let filler = String(repeating: "x", count: 3000)
        try send(queue, (0..<5).map { "\($0)\(filler)" })
        let files = try FileSystem.list("\(folder.path)/queues/\(name)")
        #expect(files.compactMap(SegmentName.parse).count > 1)
        let kept = try repair(queue) { lines in
            Self.harm(&lines, try Self.send(of: "m13", in: lines), damage)
        }
        #expect(kept.filter { $0.hasPrefix("m") } == Array(bodies.dropFirst(8)))
        #expect(kept.count == bodies.count - 8 + 5)
    }

    @Test("so is what nobody received, though the head stood among it, and not what was purged")
    func unknown() throws {
        let queue = try { () throws -> Queue in
            let queues = Self.directory(folder, segmentBytes: 8000)
            try queues.create("Q", QueueSettings())
            return try queues.queue("Q")
        }()
        try send(queue, ["purged"])
        try queue.purge()
        try send(queue, ["lost"])
        let done = try receive(queue, 1)
        for outcome in try queue.delete(done.map(\.receiptHandle)) { try outcome.get() }
        try send(queue, Self.bodies)
        let filler = String(repeating: "x", count: 3000)
        try send(queue, (0..<5).map { "\($0)\(filler)" })
        let kept = try repair(queue) { lines in
            lines.remove(at: try Self.send(of: "lost", in: lines))
        }
        #expect(kept.count == 15 && kept.starts(with: Self.bodies))
    }

    @Test("so is what stands behind a checkpoint, where the line before that was received")
    func checkpoint() throws {
        let queues = Self.directory(folder, checkpointBytes: 4000)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        try send(queue, ["harmed", String(repeating: "x", count: 5000)])
        #expect(try FileSystem.list("\(folder.path)/queues/Q").contains("checkpoint.json"))
        try send(queue, Self.bodies)
        let done = try receive(queue, 3)
        for outcome in try queue.delete(done.map(\.receiptHandle)) { try outcome.get() }
        let kept = try repair(queue) { lines in
            lines[try Self.send(of: "harmed", in: lines)][30] ^= 1
        }
        #expect(kept == Array(Self.bodies.dropFirst()))
    }

    @Test("so is what stands behind a later line's copy")
    func copyOfLater() throws {
        let queues = Self.directory(folder)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        try send(queue, Self.bodies)
        let kept = try repair(queue) { lines in
            lines[try Self.send(of: "m2", in: lines)] = lines[try Self.send(of: "m8", in: lines)]
        }
        #expect(kept == Self.bodies.filter { $0 != "m2" })
    }

    @Test("what a later segment's head is past is gone, though nothing tells where it was")
    func past() throws {
        let queues = Self.directory(folder, segmentBytes: 3000)
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        func take(_ count: Int) throws {
            let done = try receive(queue, count)
            for outcome in try queue.delete(done.map(\.receiptHandle)) { try outcome.get() }
        }
        try send(queue, ["first", "second"])
        try take(2)
        let bodies = (10..<30).map { "m\($0)" }
        try send(queue, bodies)
        try take(10)
        try take(9)
        let files = try FileSystem.list("\(folder.path)/queues/Q")
        #expect(files.compactMap(SegmentName.parse).count == 3)
        let kept = try repair(queue) { lines in
            // What sent the first, and what received and deleted both.
            let first = try Self.send(of: "first", in: lines)
            for line in [first, first + 2, first + 3] { lines[line][30] ^= 1 }
        }
        #expect(kept == ["m29"])
    }
}
