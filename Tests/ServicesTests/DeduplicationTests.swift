import JSON
import Journal
import Posix
import QueueModel
import Synchronization
import TestSupport
import Testing

@testable import Services

/// Deduplication ids beyond the newest lie in files that follow from the journal.
@Suite struct DeduplicationTests {
    private static var small: JournalOptions {
        var options = JournalOptions()
        options.segmentBytes = 60_000
        options.historyBytes = 20_000
        options.checkpointBytes = 4000
        options.emptyBytes = 4000
        return options
    }

    private let folder: TemporaryFolder
    private let clock: SteppedClock

    init() throws {
        folder = try TemporaryFolder("deduplication")
        clock = SteppedClock()
        var settings = QueueSettings()
        settings.isFIFO = true
        settings.durability = .os
        try directory().create("Q.fifo", settings)
    }

    /// As another process sees it.
    private func directory() -> QueueDirectory {
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        return QueueDirectory(
            stateDirectory: folder.path, environment: environment, options: Self.small)
    }

    private func queue() throws -> Queue { try directory().queue("Q.fifo") }

    private func send(_ ids: Range<Int>, to queue: Queue) throws -> [SentMessage] {
        let entries = ids.map { id in
            var entry = SendEntry(escapedBody: Array("body \(id)".utf8), size: 9)
            entry.group = "g\(id % 3)"
            entry.deduplicationID = "id-\(id)"
            return entry
        }
        var sent: [SentMessage] = []
        try queue.sendBulk(entries) { sent.append(try $0.get()) }
        return sent
    }

    private var files: [String] {
        get throws {
            try FileSystem.list("\(folder.path)/queues/Q.fifo").filter { $0.hasSuffix(".ids") }
        }
    }

    private func path(_ name: String) -> String { "\(folder.path)/queues/Q.fifo/\(name)" }

    @Test("one who asks thousands of times is told the same as one who asks once")
    func bulk() throws {
        let queue = try queue()
        let sent = try send(0..<9000, to: queue)
        // By now the files have filters, and some have become one.
        #expect(try send(0..<9000, to: queue) == sent)
        let later = try send(9000..<12_000, to: queue)
        #expect(try send(9000..<12_000, to: try self.queue()) == later)
        #expect(try queue.statistics().counts.visible == 12_000)
    }

    @Test("each of 1500 ids counts for five minutes, in this process and the next, and not longer")
    func window() throws {
        let first = try queue()
        var sent: [SentMessage] = []
        for start in stride(from: 0, to: 1500, by: 50) {
            sent += try send(start..<(start + 50), to: first)
        }
        #expect(Set(sent.map(\.messageID)).count == 1500)
        #expect(try !files.isEmpty)
        #expect(try send(0..<1500, to: first) == sent)
        let second = try queue()
        #expect(try send(0..<1500, to: second) == sent)
        #expect(try second.statistics().counters.sent == 1500)
        // What is received and deleted counts too, though its segments could go.
        while case let some = try second.receive(upTo: 10, wait: .zero), !some.isEmpty {
            _ = try second.delete(some.map(\.received.handle.text))
        }
        #expect(try send(0..<1500, to: try queue()) == sent)
        #expect(try directory().verify("Q.fifo").problems.isEmpty)

        clock.step(.seconds(299))
        #expect(try send(0..<10, to: first) == Array(sent[0..<10]))
        clock.step(.seconds(2))
        #expect(try send(0..<10, to: first) != Array(sent[0..<10]))
        let anew = try send(0..<1500, to: try queue())
        #expect(Set(anew.map(\.messageID)).isDisjoint(with: sent.map(\.messageID)))
        #expect(try send(0..<1500, to: try queue()) == anew)
        // Old files and old segments are gone.
        let oldest = try #require(
            try files.compactMap { DeduplicationRun.range(ofName: $0)?.to }.min())
        #expect(oldest > 150)
        #expect(try files.count < 20)
    }

    @Test("of 600 ids from before a purge none counts, in this process and the next")
    func purged() throws {
        let first = try queue()
        let gone = try send(0..<600, to: first)
        #expect(try !files.isEmpty)
        _ = try first.purge()
        let sent = try send(0..<300, to: first)
        #expect(Set(sent.map(\.messageID)).isDisjoint(with: gone.map(\.messageID)))
        #expect(try send(0..<300, to: first) == sent)
        let second = try queue()
        let later = try send(300..<600, to: second)
        #expect(Set(later.map(\.messageID)).isDisjoint(with: gone.map(\.messageID)))
        #expect(try send(0..<600, to: try queue()) == sent + later)
        #expect(try second.statistics().counts.visible == 600)
    }

    @Test("the files are disposable: missing, cut or harmed, the journal says the same")
    func disposable() throws {
        let before = try queue()
        let count = 600
        var sent: [SentMessage] = []
        for start in stride(from: 0, to: count, by: 60) {
            sent += try send(start..<(start + 60), to: before)
        }
        #expect(try files.count > 1)
        func check(_ what: String, _ queue: Queue? = nil) throws {
            let queue = try queue ?? self.queue()
            #expect(try send(0..<count, to: queue) == sent, "\(what)")
            #expect(try queue.statistics().counters.sent == UInt64(count), "\(what)")
        }
        for name in try files { try FileSystem.remove(path(name)) }
        try check("all are gone", before)
        for name in try files { try FileSystem.remove(path(name)) }
        try check("all are gone, for who opens")
        try FileSystem.remove(path("checkpoint.json"))
        try check("no checkpoint either")
        for name in try files {
            try FileSystem.remove(path(name))
            try check("\(name) is gone")
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<15 {
            let name = try #require(try files.randomElement())
            var bytes = try FileSystem.read(path(name))
            let at = Int.random(in: bytes.indices, using: &random)
            bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try FileSystem.replace(path(name), with: bytes)
            try check("\(name), byte \(at)")
            let length = Int.random(in: 0..<bytes.count, using: &random)
            try FileSystem.replace(
                path(try #require(try files.first)), with: Array(bytes.prefix(length)))
            try check("cut to \(length)")
        }
    }

    @Test("files of another journal are not believed")
    func foreign() throws {
        let mine = try queue()
        _ = try send(0..<1500, to: mine)
        let kept = try files.map { ($0, try FileSystem.read(path($0))) }
        try directory().remove("Q.fifo", force: true)
        var settings = QueueSettings()
        settings.isFIFO = true
        settings.durability = .os
        try directory().create("Q.fifo", settings)
        clock.step(.milliseconds(5))
        let sent = try send(5000..<6500, to: try queue())
        for name in try files { try FileSystem.remove(path(name)) }
        for (name, bytes) in kept { try FileSystem.replace(path(name), with: bytes) }
        let again = try queue()
        #expect(try send(5000..<6500, to: again) == sent)
        #expect(try again.statistics().counters.sent == 1500)
    }

    @Test("segments that another process deleted meanwhile are not missed")
    func deletedBeside() throws {
        var options = Self.small
        options.emptyBytes = .max  // none is left early: the same one grows on
        func queue() throws -> Queue {
            var environment = QueueEnvironment()
            environment.clock = clock.clock
            return try QueueDirectory(
                stateDirectory: folder.path, environment: environment, options: options
            ).queue("Q.fifo")
        }
        func drain(_ queue: Queue) throws {
            while case let some = try queue.receive(upTo: 10, wait: .zero), !some.isEmpty {
                _ = try queue.delete(some.map(\.received.handle.text))
            }
        }
        let mine = try queue()
        for start in stride(from: 0, to: 600, by: 60) {
            _ = try send(start..<(start + 60), to: mine)
            try drain(mine)
        }
        let other = try queue()
        let before = try other.statistics().journalBytes
        clock.step(.seconds(301))
        _ = try send(1000..<1001, to: mine)
        try drain(mine)
        #expect(try mine.statistics().journalBytes < before)
        var sent: [SentMessage] = []
        for start in stride(from: 2000, to: 2200, by: 20) {
            sent += try send(start..<(start + 20), to: other)
        }
        #expect(try send(2000..<2200, to: other) == sent)
        #expect(try send(2000..<2200, to: mine) == sent)
    }

    @Test("two processes in turn: what one sent is a duplicate to the other")
    func inTurn() throws {
        let queues = [try queue(), try queue()]
        var sent: [SentMessage] = []
        for round in 0..<60 {
            sent += try send((round * 20)..<(round * 20 + 20), to: queues[round % 2])
            let past = Int.random(in: 0...round) * 20
            #expect(
                try send(past..<(past + 20), to: queues[(round + 1) % 2])
                    == Array(sent[past..<(past + 20)]))
        }
        #expect(try send(0..<1200, to: try queue()) == sent)
    }

    @Test("a file gives back each entry, also those that share a hash")
    func runs() throws {
        let storage = DiskStorage()
        for count in [0, 1, 126, 127, 128, 1000] {
            var entries = (0..<count).map { number in
                DeduplicationEntry(
                    hash: UInt64(number / 3) &* 0x0123_4567_89AB_CDEF,
                    record: RecordLocation(segment: 7, offset: UInt64(number), length: 9),
                    index: UInt8(number % 10))
            }
            entries.sort { $0.hash < $1.hash }
            let anchor = JournalAnchor(n: 20, segment: 7, offset: 99, checksum: 5)
            let header = DeduplicationRun.Header(
                from: 11, floor: 3, time: Timestamp(milliseconds: 17), anchor: anchor)
            let name = try DeduplicationRun.write(entries, header, in: folder.path, storage).name
            let run = try #require(try DeduplicationRun.open(name, in: folder.path, storage))
            #expect(run.header.floor == 3 && run.header.to == 20 && run.header.anchor == anchor)
            #expect(try run.all() == entries)
            for entry in entries {
                #expect(
                    try run.entries(entry.hash) == entries.filter { $0.hash == entry.hash })
            }
            #expect(try run.entries(12345) == [])
        }
    }
}
