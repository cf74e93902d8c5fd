import JSON
import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// What a repair makes of journals that were damaged at random, by seed. A plain model says what
/// is to come out: what a good record brought and no good record ended, once each.
@Suite struct RandomDamageTests {
    /// `MSORCH_DAMAGE_SEEDS` runs so many instead.
    private static let seeds: [UInt64] = {
        let wanted = ProcessEnvironment.value("MSORCH_DAMAGE_SEEDS").flatMap { UInt64($0) }
        return Array(1...max(1, wanted ?? 6))
    }()

    @Test("what a good record brought and none ended is kept, and nothing else", arguments: seeds)
    func random(seed: UInt64) throws {
        let folder = try TemporaryFolder("damage")
        var run = try DamagedRun(seed: seed, in: folder.path)
        try run.check()
    }
}

/// A queue with a past, and damages of it.
private struct DamagedRun {
    struct Line {
        var n: UInt64
        var segment: UInt64
        var bytes: [UInt8]
        var record: QueueRecord
    }

    private static let damages = 4

    private var random: DamageGenerator
    private let name: String
    private let path: String
    private let clock = SteppedClock()
    /// The queue's files as they were, and the records in there, oldest first.
    private var files: [String: [UInt8]] = [:]
    private var lines: [Line] = []

    init(seed: UInt64, in path: String) throws {
        self.path = path
        random = DamageGenerator(state: seed)
        name = random.below(3) == 0 ? "Q.fifo" : "Q"
        var options = JournalOptions()
        options.segmentBytes = [2500, 6000, 40_000][random.below(3)]
        options.checkpointBytes = 500
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        let queues = QueueDirectory(
            stateDirectory: path, environment: environment, options: options)
        try Self.live(name, in: queues, clock, &random)
        for file in try FileSystem.list("\(path)/queues/\(name)") {
            let bytes = try FileSystem.read("\(path)/queues/\(name)/\(file)")
            files[file] = bytes
            guard let segment = SegmentName.parse(file) else { continue }
            for line in bytes.split(separator: 0x0A) {
                let frame = try #require(line.withUnsafeBytes { RecordFrame(checking: $0) })
                lines.append(
                    Line(
                        n: frame.n, segment: segment, bytes: Array(line),
                        record: try line.withUnsafeBytes { try QueueRecord(line: $0) }))
            }
        }
        lines.sort { $0.n < $1.n }
    }

    // MARK: its past

    private static func live(
        _ name: String, in queues: QueueDirectory, _ clock: SteppedClock,
        _ random: inout DamageGenerator
    ) throws {
        let isFIFO = name.hasSuffix(".fifo")
        let target = isFIFO ? "D.fifo" : "D"
        var settings = QueueSettings()
        settings.durability = .os
        settings.isFIFO = isFIFO
        try queues.create(target, settings)
        settings.redrivePolicy = .init(deadLetterQueue: target, maxReceiveCount: 2)
        try queues.create(name, settings)
        let queue = try queues.queue(name)
        var handles: [String] = []
        for number in 0..<(30 + random.below(90)) {
            switch random.below(20) {
            case 0..<9:
                let entries = (0...random.below(4)).map { index in
                    let body =
                        Array("m\(1000 + number)-\(index).".utf8)
                        + Array(repeating: UInt8(ascii: "x"), count: random.below(60))
                    var entry = SendEntry(escapedBody: body, size: body.count)
                    if isFIFO {
                        entry.group = "g\(random.below(4))"
                        entry.deduplicationID = "\(number)-\(index)"
                    } else if random.below(12) == 0 {
                        entry.delaySeconds = 600
                    }
                    return entry
                }
                for outcome in try queue.send(entries) { _ = try outcome.get() }
            case 9..<15:
                let deliveries = try queue.receive(
                    upTo: 1 + random.below(10), timeoutSeconds: random.below(4) == 0 ? 0 : 600,
                    wait: .zero)
                handles += deliveries.map(\.receiptHandle)
            case 15..<18:
                let some = handles.filter { _ in random.below(2) == 0 }.prefix(10)
                handles.removeAll { some.contains($0) }
                if !some.isEmpty { _ = try queue.delete(Array(some)) }
            case 18: try queues.finishTransfers(of: queue)
            default:
                guard random.below(3) == 0 else { continue }
                clock.step(.seconds(61))
                try queue.purge()
            }
        }
        try queue.settle()
        queue.close()
    }

    // MARK: its damage

    mutating func check() throws {
        for number in 0..<Self.damages {
            var segments = files.filter { SegmentName.parse($0.key) != nil }
            for _ in 0...random.below(4) { harm(&segments) }
            let hasCheckpoint = random.below(4) > 0
            let folder = "\(path)/\(number)"
            try FileSystem.makeDirectory("\(folder)/queues/\(name)")
            for (file, bytes) in files where hasCheckpoint || file != "checkpoint.json" {
                try FileSystem.replace(
                    "\(folder)/queues/\(name)/\(file)", with: segments[file] ?? bytes)
            }
            var environment = QueueEnvironment()
            environment.clock = clock.clock
            let queues = QueueDirectory(stateDirectory: folder, environment: environment)
            let report = try queues.repair(name)
            // What was never known to be on the disk is no damage.
            guard !report.losses.isEmpty else { continue }
            var kept: [String] = []
            try queues.queue(name).forEachMessage { _, message in
                kept.append(DamageModel.name(of: message))
            }
            let model = try DamageModel(
                lines, in: segments, checkpoint: hasCheckpoint ? files["checkpoint.json"] : nil)
            let comment: Comment = "damage \(number)"
            let told = report.losses.compactMap(\.problem.records)
            // Numbers may be unknown where lines that are out of order follow.
            let isTold = report.losses.contains { $0.problem.records == nil }
            let untold = model.harmed.filter { n in !told.contains { $0.contains(n) } }
            #expect(isTold || untold == [], comment)
            #expect(report.kept == kept.count, comment)
            #expect(Set(kept).count == kept.count, comment)
            #expect(model.expected.subtracting(kept).sorted() == [], comment)
            #expect(
                Set(kept).subtracting(model.expected).subtracting(model.untold).sorted() == [],
                comment)
        }
    }

    private mutating func harm(_ segments: inout [String: [UInt8]]) {
        let names = segments.keys.sorted()
        let name = names[random.below(names.count)]
        var lines = Self.split(segments[name] ?? [])
        guard !lines.isEmpty else { return }
        let start = random.below(lines.count)
        let block = start..<min(lines.count, start + [1, 1, 2, 5, 12][random.below(5)])
        switch random.below(9) {
        case 0: lines.removeSubrange(block)
        case 1: lines[start].removeSubrange(0..<random.below(lines[start].count + 1))
        case 2: lines.insert(Array("no record".utf8), at: start)
        case 3:
            lines.insert(contentsOf: Array(repeating: [], count: 1 + random.below(2000)), at: start)
        case 4: lines.insert(contentsOf: lines[block], at: random.below(lines.count + 1))
        case 5: lines.swapAt(start, random.below(lines.count))
        case 6:
            for line in block where !lines[line].isEmpty {
                lines[line][random.below(lines[line].count)] ^= 1
            }
        case 7: for line in block { lines[line] = Array(repeating: 0x0A, count: lines[line].count) }
        default:
            // A block of one segment is written over another's.
            let other = names[random.below(names.count)]
            var others = Self.split(segments[other] ?? [])
            guard !others.isEmpty, other != name else { return }
            let place = random.below(others.count)
            others.replaceSubrange(
                place..<min(others.count, place + block.count), with: lines[block])
            segments[other] = Self.joined(others)
        }
        segments[name] = Self.joined(lines)
    }

    private static func split(_ bytes: [UInt8]) -> [[UInt8]] {
        bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().map(Array.init)
    }

    private static func joined(_ lines: [[UInt8]]) -> [UInt8] {
        Array(lines.map { $0 + [0x0A] }.joined())
    }
}

/// What is to come out of a damaged journal.
private struct DamageModel {
    /// What good records brought, and none ended.
    private(set) var expected: Set<String> = []
    /// What only a state says that it is gone, by where its record stood, which may not be known.
    private(set) var untold: Set<String> = []

    /// The numbers of the records that are none any more, up to the last good one.
    private(set) var harmed: [UInt64] = []

    private var brought: [Place: String] = [:]
    private var ended: Set<Place> = []
    private var endedByState: Set<Place> = []
    private var leaving: [UInt64: [Place]] = [:]
    /// As it was, with all records.
    private var alive: Set<Place> = []
    private var left: [UInt64: [Place]] = [:]
    private var head: UInt64 = 0

    init(
        _ lines: [DamagedRun.Line], in segments: [String: [UInt8]], checkpoint: [UInt8]?
    ) throws {
        let good = Set(segments.values.flatMap { $0.split(separator: 0x0A).map(Array.init) })
        var isHarmed: Set<UInt64> = []
        let state = try checkpoint.flatMap { try Self.state($0, good, segments) }
        for line in lines {
            live(line.record, line.n)
            if good.contains(line.bytes) {
                tell(line.record, line.n)
            } else {
                isHarmed.insert(line.segment)
                harmed.append(line.n)
            }
            if let state, state.n == line.n { tell(state.record, line.n) }
        }
        let last = lines.last { good.contains($0.bytes) }?.n ?? 0
        harmed.removeAll { $0 > last }
        let origins = Dictionary(uniqueKeysWithValues: lines.map { ($0.n, $0.segment) })
        for (place, body) in brought where !ended.contains(place) {
            if !endedByState.contains(place) {
                expected.insert(body)
            } else if let origin = origins[place.n], origin >= head, isHarmed.contains(origin) {
                untold.insert(body)
            }
        }
    }

    /// What its body begins with; no two have the same.
    static func name(of message: QueueRecord.NewMessage) -> String {
        String(decoding: message.escapedBody.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)
    }

    /// A checkpoint's, if the record that it stands behind is still to be known.
    private static func state(
        _ checkpoint: [UInt8], _ good: Set<[UInt8]>, _ segments: [String: [UInt8]]
    ) throws -> (n: UInt64, record: QueueRecord)? {
        let line = checkpoint.dropLast()
        let json = try JSONValue.parse(Array(line))
        let frame = try #require(line.withUnsafeBytes { RecordFrame(checking: $0) })
        let suffix = Array(",\"crc\":\"\(json["before"]?.stringValue ?? "")\"}".utf8)
        let offset = Int(json["offset"]?.intValue ?? 0)
        let file = segments[SegmentName.file(UInt64(json["segment"]?.intValue ?? 0))] ?? []
        let stands =
            file.count >= offset && file[..<offset].suffix(19).elementsEqual(suffix + [0x0A])
        let start = Array("{\"n\":\(frame.n),".utf8)
        let isThere = good.contains {
            $0.starts(with: start) && $0.suffix(18).elementsEqual(suffix)
        }
        guard stands || isThere else { return nil }
        return (frame.n, try line.withUnsafeBytes { try QueueRecord(line: $0) })
    }

    private mutating func live(_ record: QueueRecord, _ n: UInt64) {
        switch record {
        case .send(let messages):
            for index in messages.indices { alive.insert(Place(n: n, index: UInt8(index))) }
        case .delete(let places): alive.subtract(places)
        case .transfer(let number, _, _, let places): left[number] = places
        case .transferred(let number): alive.subtract(left.removeValue(forKey: number) ?? [])
        case .purge(_, let keepsLeaving):
            if !keepsLeaving { left = [:] }
            alive.formIntersection(left.values.joined())
        default: break
        }
    }

    private mutating func tell(_ record: QueueRecord, _ n: UInt64) {
        switch record {
        case .send(let messages), .carry(let messages):
            for (index, message) in messages.enumerated() {
                let place = message.place ?? Place(n: n, index: UInt8(index))
                brought[place] = Self.name(of: message)
            }
        case .delete(let places): ended.formUnion(places)
        case .transfer(let number, _, _, let places): leaving[number] = places
        case .transferred(let number): ended.formUnion(leaving.removeValue(forKey: number) ?? [])
        case .purge(_, let keepsLeaving):
            if !keepsLeaving { leaving = [:] }
            ended.formUnion(Set(brought.keys).subtracting(leaving.values.joined()))
        case .base(let state, _):
            endedByState.formUnion(Set(brought.keys).subtracting(alive))
            // A purge whose transfers were lost did not say what goes on.
            ended.subtract(alive)
            leaving = left
            head = UInt64(clamping: state["head"]?.arrayValue?.first?.intValue ?? 0)
        default: break
        }
    }
}

private struct DamageGenerator {
    var state: UInt64

    /// SplitMix64. 0 to `limit` - 1.
    mutating func below(_ limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(limit))
    }
}
