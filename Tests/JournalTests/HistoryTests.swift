import JSON
import Posix
import TestSupport
import Testing

@testable import Journal

/// Reading what a journal retains, without the lock.
@Suite struct HistoryTests {
    /// 100 records at 10 ms from each other over many segments, one of them long.
    private func journal(_ folder: TemporaryFolder) throws -> Journal<Tally> {
        var options = JournalOptions()
        options.segmentBytes = 1500
        let journal = try Journal<Tally>(folder: folder.path, options: options)
        for value in Int64(1)...100 {
            let time = Timestamp(milliseconds: 1000 + 10 * value)
            let long = [Int64](repeating: value, count: value == 50 ? 60_000 : 1)
            _ = try journal.transact(now: time) { session in
                let list = long.map(String.init).joined(separator: ",")
                try session.append(Array("\"op\":\"add\",\"v\":[\(list)]".utf8))
            }
        }
        return journal
    }

    private func lines(_ history: JournalHistory) throws -> [RecordLine] {
        var records = history.records(from: history.start)
        var lines: [RecordLine] = []
        while let line = try records.next() { lines.append(line) }
        return lines
    }

    @Test("every number and every moment is found where reading on would find it")
    func search() throws {
        let folder = try TemporaryFolder("found")
        let journal = try journal(folder)
        let history = JournalHistory(try journal.read { $0 })
        let all = try lines(history)
        #expect(history.segments.count > 20)
        #expect(all.map(\.n) == Array(1...UInt64(all.count)))
        for line in all {
            #expect(try history.record(line.n)?.bytes == line.bytes)
            let first = all.first { $0.time >= line.time }?.location.offset
            #expect(try history.first { _, time in time >= line.time }.offset == first)
        }
        #expect(try history.record(0) == nil)
        #expect(try history.record(UInt64(all.count) + 1) == nil)
        #expect(try history.first { _, time in time.milliseconds > 3000 } == history.end)
        #expect(try history.first { _, _ in true } == history.start)
    }

    @Test("backwards is forwards, reversed")
    func backwards() throws {
        let folder = try TemporaryFolder("backwards")
        let history = JournalHistory(try journal(folder).read { $0 })
        let all = try lines(history)
        var back: [RecordLine] = []
        try history.backwards { line in
            back.append(line)
            return true
        }
        #expect(back.reversed().map(\.bytes) == all.map(\.bytes))
        #expect(back.reversed().map(\.location) == all.map(\.location))
        back = []
        try history.backwards { line in
            back.append(line)
            return back.count < 3
        }
        #expect(back.map(\.n) == all.suffix(3).reversed().map(\.n))
    }

    @Test("it stands still while others append, and goes on past segments that vanish")
    func moving() throws {
        let folder = try TemporaryFolder("moving")
        let journal = try journal(folder)
        let history = JournalHistory(try journal.read { $0 })
        let all = try lines(history)
        for value in Int64(0)..<100 { try journal.add(value, at: 5000) }
        #expect(try lines(history).count == all.count)
        var records = history.records(from: history.start)
        _ = try records.next()
        for name in history.segments.prefix(5) {
            try FileSystem.remove("\(folder.path)/\(SegmentName.file(name))")
        }
        let kept = all.filter { $0.location.segment >= history.segments[5] }
        #expect(try lines(history).map(\.n) == kept.map(\.n))
        #expect(try history.oldest()?.n == kept.first?.n)
        #expect(try history.base(of: history.segments[0]) == nil)
        #expect(try history.record(3) == nil)
        #expect(try history.first { _, _ in true }.segment == history.segments[5])
    }

    @Test("a harmed record is damage, not skipped")
    func harmed() throws {
        let folder = try TemporaryFolder("harmed")
        let history = JournalHistory(try journal(folder).read { $0 })
        let path = "\(folder.path)/\(SegmentName.file(history.segments[2]))"
        var bytes = try FileSystem.read(path)
        bytes[20] ^= 1
        try FileSystem.replace(path, with: bytes)
        #expect(throws: JournalError.self) { try lines(history) }
        #expect(throws: JournalError.self) { try history.backwards { _ in true } }
    }
}
