import JSON
import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// Every bit, cut and deleted file of a small queue's folder.
@Suite struct DamageTests {
    private static let options: JournalOptions = {
        var options = JournalOptions()
        options.segmentBytes = 1500
        options.checkpointBytes = 400
        options.reserveBytes = 16
        return options
    }()

    /// `MSORCH_EVERY_BIT=1`: eight bits of each byte, and not one of them in turn. The lock file's
    /// are always all.
    private static let everyBit = ProcessEnvironment.value("MSORCH_EVERY_BIT") == "1"

    private func directory(_ folder: String) -> QueueDirectory {
        QueueDirectory(stateDirectory: folder, options: Self.options)
    }

    private func entry(_ body: String) -> SendEntry {
        SendEntry(escapedBody: Array(body.utf8), size: body.utf8.count)
    }

    /// Nine messages in some segments; of three that were received one is deleted.
    ///
    /// - Parameter isInUse: whether somebody has the queue open, with room behind its records.
    private func make(_ folder: String, isInUse: Bool = false) throws -> [String: [UInt8]] {
        let queues = directory(folder)
        try fill(queues)
        if !isInUse { queues.close() }
        return try contents("\(folder)/queues/Q")
    }

    private func fill(_ queues: QueueDirectory) throws {
        try queues.create("Q", QueueSettings())
        let queue = try queues.queue("Q")
        for number in 0..<9 { _ = try queue.send([entry("m\(number)")]) }
        let received = try queue.receive(upTo: 3, wait: .zero)
        _ = try queue.delete([received[0].received.handle.text])
        _ = try queue.send([entry("last")])
    }

    private func contents(_ folder: String) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try FileSystem.list(folder) {
            files[name] = try FileSystem.read("\(folder)/\(name)")
        }
        return files
    }

    private func restore(_ files: [String: [UInt8]], _ folder: String) throws {
        let path = "\(folder)/queues/Q"
        for name in try FileSystem.list(path) where files[name] == nil {
            try FileSystem.remove("\(path)/\(name)")
        }
        for (name, bytes) in files { try put(bytes, "\(path)/\(name)") }
    }

    /// Without a sync, of which there would be thousands.
    private func put(_ bytes: [UInt8], _ path: String) throws {
        let file = try DiskStorage().open(path, creating: true)
        try file.writeAll(bytes, at: 0)
        try file.truncate(to: UInt64(bytes.count))
    }

    private static let all = (1..<9).map { "m\($0)" } + ["last"]

    /// What a fresh process finds: every message, in order; or why it will not serve.
    private func bodies(_ folder: String) throws -> [String] {
        let queue = try directory(folder).queue("Q")
        var bodies: [String] = []
        try queue.forEachMessage { _, message in
            bodies.append(String(decoding: message.escapedBody, as: UTF8.self))
        }
        return bodies
    }

    private func check(_ what: String, _ folder: String, isFound: Bool, opens: Bool = true) throws {
        let found = try directory(folder).examine("Q")
        #expect(!isFound || !found.damages.isEmpty || !found.journal.ignored.isEmpty, "\(what)")
        guard opens else { return }
        // Damage or not: never a wrong message, and none missing in silence.
        let seen: [String]
        do {
            seen = try bodies(folder)
        } catch QueueError.journal(.damaged, _) {
            #expect(!found.damages.isEmpty, "\(what): refused, and not found")
            return
        } catch JournalError.damaged {
            #expect(!found.damages.isEmpty, "\(what): refused, and not found")
            return
        }
        #expect(Set(seen) == Set(Self.all) && seen.count == Self.all.count, "\(what): \(seen)")
    }

    @Test(
        "every bit of every file: found, or harmless and said so; no message wrong or missing",
        arguments: [false, true])
    func everyBit(isInUse: Bool) throws {
        let folder = try TemporaryFolder("bits")
        let files = try make(folder.path, isInUse: isInUse)
        let newest = files.keys.filter { $0.hasSuffix(".jsonl") }.max() ?? ""
        #expect(files[newest]?.suffix(9).allSatisfy { $0 == 0x0A } == isInUse)
        #expect(files.keys.count { $0.hasSuffix(".jsonl") } > 1)
        #expect(files["checkpoint.json"] != nil && files["lock"]?.count == 89)
        #expect(try directory(folder.path).examine("Q").journal.ignored.isEmpty)
        for (name, bytes) in files where name != "reserve" {
            for offset in bytes.indices {
                for bit in Self.everyBit || name == "lock" ? Array(0..<8) : [offset % 8] {
                    var harmed = bytes
                    harmed[offset] ^= 1 << UInt8(bit)
                    try put(harmed, "\(folder.path)/queues/Q/\(name)")
                    // Opening takes longer, and may write: now and then.
                    let opens = offset % 97 == 0
                    try check(
                        "\(name) \(offset).\(bit)", folder.path, isFound: true, opens: opens)
                    if opens { try restore(files, folder.path) }
                }
                try put(bytes, "\(folder.path)/queues/Q/\(name)")
            }
        }
    }

    @Test("every cut of every segment, and every file deleted: found, or nothing is missing")
    func everyCut() throws {
        let folder = try TemporaryFolder("cuts")
        let files = try make(folder.path)
        for (name, bytes) in files where name.hasSuffix(".jsonl") {
            for length in stride(from: 0, to: bytes.count, by: 29) {
                try restore(files, folder.path)
                try put(Array(bytes.prefix(length)), "\(folder.path)/queues/Q/\(name)")
                try check("\(name) cut at \(length)", folder.path, isFound: true)
                #expect(try !directory(folder.path).examine("Q").damages.isEmpty)
            }
        }
        for name in files.keys where name != "reserve" {
            try restore(files, folder.path)
            try FileSystem.remove("\(folder.path)/queues/Q/\(name)")
            try check("\(name) deleted", folder.path, isFound: name.hasSuffix(".jsonl"))
        }
        try restore(files.filter { !$0.key.hasSuffix(".jsonl") }, folder.path)
        let problem = try #require(try directory(folder.path).examine("Q").damages.first?.problem)
        #expect(problem.records?.lowerBound == 1)
        #expect(throws: QueueError.self) { try directory(folder.path).queue("Q") }
    }

    @Test("a repair says what was lost, and leaves the original byte for byte")
    func repaired() throws {
        let folder = try TemporaryFolder("lost")
        let files = try make(folder.path)
        let before = try directory(folder.path).repair("Q")
        #expect(before.original == nil && before.losses.isEmpty)
        #expect(try contents("\(folder.path)/queues/Q") == files, "a sound one stays as it is")
        let counters = try directory(folder.path).queue("Q").statistics().counters
        let name = try #require(files.keys.filter { $0.hasSuffix(".jsonl") }.sorted().first)
        var harmed = files
        let text = try #require(files[name])
        let place = try #require(
            text.indices.first { text[$0...].starts(with: Array(#""body":"m1""#.utf8)) })
        harmed[name]?[place + 1] ^= 1
        try restore(harmed, folder.path)
        let report = try directory(folder.path).repair("Q")
        let loss = try #require(report.losses.first)
        #expect(report.losses.count == 1 && loss.sends == 1 && loss.recordCount == 1)
        #expect(loss.messages.count == 1)
        #expect(try contents(try #require(report.original)) == harmed)
        #expect(try directory(folder.path).examine("Q").damages.isEmpty)
        #expect(Set(try bodies(folder.path)) == Set(Self.all).subtracting(["m1"]))
        #expect(try directory(folder.path).queue("Q").statistics().counters == counters)
    }

    @Test("a message on its way to the dead-letter queue is neither lost nor doubled by a repair")
    func transfers() throws {
        let folder = try TemporaryFolder("onitsway")
        let queues = directory(folder.path)
        var settings = QueueSettings()
        settings.redrivePolicy = .init(deadLetterQueue: "Dead", maxReceiveCount: 1)
        try queues.create("Dead", QueueSettings())
        try queues.create("Q", settings)
        let queue = try queues.queue("Q")
        _ = try queue.send([entry("moves")])
        _ = try queue.send([entry("stays")])
        // The transfer is decided, and waits for somebody to carry it out.
        for _ in 0..<2 { _ = try queue.receive(upTo: 1, timeoutSeconds: 0, wait: .zero) }
        let path = "\(folder.path)/queues/Q/\(SegmentName.file(1))"
        var bytes = try FileSystem.read(path)
        bytes[20] ^= 1
        try FileSystem.replace(path, with: bytes)
        _ = try directory(folder.path).repair("Q")
        let after = directory(folder.path)
        try after.finishTransfers(of: try after.queue("Q"))
        try after.finishTransfers(of: try after.queue("Q"))
        let total = try after.queue("Q").messageCount + after.queue("Dead").messageCount
        #expect(total == 2)
        #expect(try after.examine("Q").damages.isEmpty)
    }

    @Test("a newer msorch's journal is not damaged: neither a check nor a repair touches it")
    func newer() throws {
        let folder = try TemporaryFolder("newer")
        try directory(folder.path).create("Q", QueueSettings())
        try change(#""format":1"#, to: #""format":2"#, folder.path)
        let before = try contents("\(folder.path)/queues/Q")
        #expect(throws: (any Error).self) { try directory(folder.path).examine("Q") }
        #expect(throws: (any Error).self) { try directory(folder.path).repair("Q") }
        #expect(try contents("\(folder.path)/queues/Q") == before)
    }

    @Test(
        "a line that comes again is in the way, and nothing is missing", arguments: [false, true])
    func again(isLast: Bool) throws {
        let folder = try TemporaryFolder("again")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try fill(queues)
        queues.close()
        let path = "\(folder.path)/queues/Q/\(SegmentName.file(1))"
        var lines = try FileSystem.read(path).split(separator: 0x0A)
        let count = lines.count
        lines.insert(lines[2], at: isLast ? count : 3)
        try FileSystem.replace(path, with: Array(lines.map { $0 + [0x0A] }.joined()))
        let found = try queues.examine("Q")
        #expect(found.journal.records == count && found.journal.lastN == UInt64(count))
        #expect(found.damages.map(\.problem.records) == (isLast ? [] : [nil]))
        #expect(found.journal.ignored.count == (isLast ? 1 : 0))
        let report = try queues.repair("Q")
        #expect(report.kept == (isLast ? 0 : Self.all.count))
        for loss in report.losses {
            #expect(loss.sends == 0 && loss.endings == 0 && loss.unknown == 0)
            #expect(loss.messages.isEmpty)
        }
        #expect(try bodies(folder.path).sorted() == Self.all.sorted())
        #expect(try directory(folder.path).examine("Q").damages.isEmpty)
    }

    @Test("a base record that is whole, and not what the records before it make, is damage")
    func otherBase() throws {
        let folder = try TemporaryFolder("otherbase")
        let names = try make(folder.path).keys.filter { $0.hasSuffix(".jsonl") }.sorted()
        try change(#""lastTransfer":0"#, to: #""lastTransfer":7"#, folder.path, in: names[1])
        let damages = try directory(folder.path).examine("Q").damages
        #expect(damages.first?.problem.file == names[1])
        #expect(
            damages.first?.problem.message
                == "the base record is not what the records before it make")
    }

    /// In the first line that has it, whose checksum is made right.
    private func change(
        _ old: String, to new: String, _ folder: String, in name: String = SegmentName.file(1)
    ) throws {
        let path = "\(folder)/queues/Q/\(name)"
        var lines = try FileSystem.read(path).split(separator: 0x0A).map { Array($0) }
        let number = try #require(lines.firstIndex { $0.firstRange(of: Array(old.utf8)) != nil })
        var line = Array(lines[number].dropLast(18))
        line.replaceSubrange(try #require(line.firstRange(of: Array(old.utf8))), with: new.utf8)
        let sum = line.withUnsafeBytes { RecordFrame.checksum(of: $0) }
        let digits = String(sum, radix: 16)
        let zeros = String(repeating: "0", count: 8 - digits.utf8.count)
        lines[number] = line + Array(",\"crc\":\"\(zeros)\(digits)\"}".utf8)
        try FileSystem.replace(path, with: Array(lines.map { $0 + [0x0A] }.joined()))
    }

    @Test("so may a record of an unknown kind be: named, and a repair tells that it is lost")
    func unknownKind() throws {
        let folder = try TemporaryFolder("unknownkind")
        let queues = QueueDirectory(stateDirectory: folder.path)
        try fill(queues)
        queues.close()
        try change(#""op":"send""#, to: #""op":"zap""#, folder.path)
        try FileSystem.remove("\(folder.path)/queues/Q/checkpoint.json")
        let later = directory(folder.path)
        do {
            _ = try later.queue("Q").messageCount
            Issue.record("a record of an unknown kind was passed over")
        } catch QueueError.journal(let error, _) {
            guard case .newerFormat = error else { throw error }
        }
        let found = try later.examine("Q").damages
        #expect(found.map(\.problem.records) == [2...2])
        #expect(found.map(\.messages.count) == [1])
        let report = try later.repair("Q")
        #expect(report.losses.reduce(0) { $0 + $1.unknown } == 1)
        #expect(report.kept == Self.all.count, "m0, which was deleted, is the one that is lost")
        #expect(try later.examine("Q").damages.isEmpty)
    }

    @Test("a harmed index file is told of, and not needed")
    func index() throws {
        let folder = try TemporaryFolder("harmedindex")
        var settings = QueueSettings()
        settings.isFIFO = true
        let queues = directory(folder.path)
        try queues.create("Q.fifo", settings)
        for number in 0..<150 {
            var entry = entry("m\(number)")
            entry.group = "g"
            entry.deduplicationID = "d\(number)"
            _ = try queues.queue("Q.fifo").send([entry])
        }
        let path = "\(folder.path)/queues/Q.fifo"
        let names = try FileSystem.list(path).filter { $0.hasSuffix(".ids") }
        #expect(!names.isEmpty)
        for name in names.prefix(3) {
            let bytes = try FileSystem.read("\(path)/\(name)")
            for offset in stride(from: 0, to: bytes.count, by: 331) {
                var harmed = bytes
                harmed[offset] ^= 1 << UInt8(offset % 8)
                try put(harmed, "\(path)/\(name)")
                let found = try directory(folder.path).examine("Q.fifo")
                #expect(found.journal.ignored.map(\.file) == [name], "\(name) \(offset)")
                #expect(found.damages.isEmpty)
            }
            try put(bytes, "\(path)/\(name)")
        }
    }
}
