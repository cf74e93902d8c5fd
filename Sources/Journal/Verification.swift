import JSON
import Posix

/// What a check of a whole journal found.
package struct Verification: Equatable, Sendable {
    /// Damage: records that were there are harmed or missing.
    package struct Problem: Equatable, Sendable {
        package var file: String
        package var offset: UInt64
        /// How much of the file is no record any more, or one that came before; 0 if it is missing.
        package var bytes: UInt64 = 0
        /// The numbers of the records that are not there, as far as they are known.
        package var records: ClosedRange<UInt64>?
        package var message: String
        /// What cannot be understood is whole: a newer msorch may have written it.
        package var mayBeNewer = false
    }

    /// A file, or a part of one, that the queue does without: it can be derived, or was never
    /// acknowledged.
    package struct Note: Equatable, Sendable {
        package var file: String
        package var message: String

        package init(file: String, message: String) {
            self.file = file
            self.message = message
        }
    }

    package var segments = 0
    package var records = 0
    package var bytes: UInt64 = 0
    /// The last record's number.
    package var lastN: UInt64 = 0
    package var problems: [Problem] = []
    package var ignored: [Note] = []
    package var tornFiles: [String] = []
}

extension Journal {
    /// Reads every record of every segment: checksums, numbers without gaps, that each base record
    /// is the state that the records before it make, and that nothing is missing which was there.
    /// Changes nothing, and needs no healthy journal: it does not open one. Others wait while it
    /// reads the newest segment, and not for the others.
    /// - Throws: `newerFormat`: a state that cannot be understood is not damaged. `removed`: there
    ///   is no journal any more, or, once it was this one's turn, another was in the place.
    package static func verify(
        folder: String, storage: any JournalStorage = DiskStorage()
    ) throws(JournalError) -> Verification {
        let lockFile = try storingInPlace { () throws(SystemError) in
            try storage.open("\(folder)/lock", creating: true)
        }
        var check = JournalCheck<State>(folder: folder, storage: storage)
        // Others work on meanwhile: what is sealed never changes, and is deleted at most.
        let sealed = try storingInPlace { () throws(SystemError) in try storage.list(folder) }
            .compactMap(SegmentName.parse).dropLast()
        for name in sealed { try check.read(name, isNewest: false) }
        try lockFile.lock(JournalOptions())
        defer { lockFile.unlock() }
        let isThere = try storing { () throws(SystemError) in
            try lockFile.isInPlace(at: "\(folder)/lock", storage)
        }
        guard isThere else { throw JournalError.removed }
        let names = try storing { () throws(SystemError) in try storage.list(folder) }
        let words = LockWords(
            try storing { () throws(SystemError) in
                try lockFile.bytes(at: 0, count: LockWords.length)
            })
        check.durable = max(check.durable, words.durable ?? 0)
        check.report.problems.removeAll { !names.contains($0.file) }
        check.report.tornFiles = names.filter(TornName.isTorn)
        let segments = names.compactMap(SegmentName.parse)
        if let last = sealed.last, !segments.contains(last) { check.forget() }
        for name in segments where sealed.last.map({ $0 < name }) ?? true {
            try check.read(name, isNewest: name == segments.last)
        }
        check.finish(segments)
        if words.isBlank {
            check.ignore("lock", "it does not say what it should; written again by the next use")
        }
        for part in words.harmed {
            check.ignore("lock", "its \(part) is harmed; written again by the next use")
        }
        try check.checkpoint(segments)
        return check.report
    }
}

/// A check while it goes on.
private struct JournalCheck<State: JournaledState> {
    let folder: String
    let storage: any JournalStorage
    var report = Verification()
    /// The highest `n` that anything says was on the disk.
    var durable: UInt64 = 0
    /// What the records make; `nil` where one is missing.
    private var state: State?
    /// The number that the next record must have; `nil` before the first.
    private var expected: UInt64?
    /// A problem whose last record the next good one tells.
    private var open: Verification.Problem?

    init(folder: String, storage: any JournalStorage) {
        self.folder = folder
        self.storage = storage
    }

    mutating func ignore(_ file: String, _ message: String) {
        report.ignored.append(Verification.Note(file: file, message: message))
    }

    /// What was read last has been consumed and deleted since, as is all before it: nothing follows
    /// from it for what comes.
    mutating func forget() {
        state = nil
        expected = nil
        open = nil
    }

    mutating func read(_ name: UInt64, isNewest: Bool) throws(JournalError) {
        let fileName = SegmentName.file(name)
        let file: any JournalFile
        do throws(SystemError) {
            file = try storage.open("\(folder)/\(fileName)", creating: false)
        } catch  where error.isNotFound {
            return forget()
        } catch {
            throw .storage(error)
        }
        report.segments += 1
        closeProblem(before: name, in: fileName)
        expected = name
        var lines = LineReader(file, at: 0)
        while true {
            let piece = try storing { () throws(SystemError) in try lines.peek() }
            switch piece {
            case .end: return
            case .fragment(let count):
                return harmed(fileName, lines.offset, UInt64(count), "bytes without an end of line")
            case .line(let bytes) where bytes.isEmpty && isNewest:
                return try readRoom(fileName, file, lines.offset)
            case .line(let bytes):
                let length = UInt64(bytes.count + 1)
                if let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) {
                    let place = RecordLocation(
                        segment: name, offset: lines.offset, length: UInt32(length))
                    try good(bytes, frame, fileName, place)
                } else {
                    durable = max(durable, RecordFrame.durable(claimedWithin: bytes))
                    harmed(fileName, lines.offset, length, "the record fails its checksum")
                }
                lines.advance(over: bytes)
            }
        }
    }

    /// Where the records end and prepared room begins: anything else behind that is torn.
    private mutating func readRoom(
        _ fileName: String, _ file: any JournalFile, _ start: UInt64
    ) throws(JournalError) {
        let end = try storing { () throws(SystemError) in try file.endOfContent(from: start) }
        guard end > start else { return }
        var lines = LineReader(file, at: start, limit: end)
        while case .line(let bytes) = try storing({ () throws(SystemError) in try lines.peek() }) {
            durable = max(durable, RecordFrame.durable(claimedWithin: bytes))
            lines.advance(over: bytes)
        }
        harmed(fileName, start, end - start, "bytes that are no record")
    }

    private mutating func good(
        _ bytes: [UInt8], _ frame: RecordFrame, _ file: String, _ place: RecordLocation
    ) throws(JournalError) {
        durable = max(durable, frame.durable)
        if let expected, frame.n != expected {
            let message = "record \(frame.n) stands where \(expected) should"
            guard frame.n > expected else {
                return harmed(file, place.offset, UInt64(place.length), message)
            }
            if open == nil {
                report.problems.append(
                    Verification.Problem(
                        file: file, offset: place.offset, records: expected...(frame.n - 1),
                        message: message))
                state = nil
            }
        }
        closeProblem(before: frame.n, in: file)
        try fold(bytes, frame, file, place)
        report.records += 1
        report.bytes += UInt64(place.length)
        report.lastN = frame.n
        expected = frame.n + 1
    }

    private mutating func fold(
        _ bytes: [UInt8], _ frame: RecordFrame, _ file: String, _ place: RecordLocation
    ) throws(JournalError) {
        let isFirst = frame.n == place.segment
        // Taken out: while another has it too, each record would copy it.
        guard var folded = isFirst ? State() : state.take() else { return }
        let refusal = bytes.withUnsafeBytes { raw -> StateError? in
            do throws(StateError) {
                try folded.apply(raw, n: frame.n, time: frame.time, at: place)
                return nil
            } catch {
                return error
            }
        }
        if let refusal {
            if isFirst, refusal.isNewer {
                throw .newerFormat(file: "\(folder)/\(file)", reason: refusal.message)
            }
            report.problems.append(
                Verification.Problem(
                    file: file, offset: place.offset, bytes: UInt64(place.length),
                    records: frame.n...frame.n, message: refusal.message,
                    mayBeNewer: refusal.isNewer))
            state = nil
            return
        }
        if isFirst, let state, Self.checksum(state) != Self.checksum(folded) {
            report.problems.append(
                Verification.Problem(
                    file: file, offset: place.offset,
                    message: "the base record is not what the records before it make"))
        }
        if folded.isIndexDue { folded.dropIndex() }
        state = folded
    }

    private mutating func harmed(
        _ file: String, _ offset: UInt64, _ bytes: UInt64, _ message: String
    ) {
        state = nil
        if open?.file == file {
            open?.bytes += bytes
        } else {
            open = Verification.Problem(
                file: file, offset: offset, bytes: bytes, message: message)
        }
    }

    /// A good record, or a segment, tells which numbers are missing before it.
    private mutating func closeProblem(before n: UInt64, in file: String) {
        guard let expected else { return }
        let missing = expected < n ? expected...(n - 1) : nil
        if var problem = open {
            problem.records = missing
            report.problems.append(problem)
            open = nil
        } else if let missing, report.problems.last?.records != missing {
            report.problems.append(
                Verification.Problem(
                    file: file, offset: 0, records: missing,
                    message: "\(Self.numbers(missing)) missing before it"))
            state = nil
        }
        self.expected = n
    }

    /// Nothing follows: what is missing now, the records and the lock file must tell.
    mutating func finish(_ segments: [UInt64]) {
        let next = expected ?? 1
        let missing = next <= durable ? next...durable : nil
        if var problem = open {
            if missing == nil, report.lastN >= (segments.last ?? 1) {
                ignore(
                    problem.file,
                    "torn at byte \(problem.offset): \(problem.bytes) bytes of record \(next) and "
                        + "what followed, never known to be on the disk; the next use sets them "
                        + "aside")
            } else {
                problem.records = missing ?? next...next
                report.problems.append(problem)
            }
        } else if let missing {
            report.problems.append(
                Verification.Problem(
                    file: segments.last.map(SegmentName.file) ?? folder, offset: 0,
                    records: missing, message: "\(Self.numbers(missing)) missing at the end"))
        } else if segments.isEmpty {
            report.problems.append(
                Verification.Problem(file: folder, offset: 0, message: "there is no segment"))
        } else if report.records == 0 {
            report.problems.append(
                Verification.Problem(
                    file: SegmentName.file(segments[0]), offset: 0,
                    message: "there is no record"))
        }
        if let needed = state?.oldestSegment, needed > 0, let first = segments.first, needed < first
        {
            report.problems.insert(
                Verification.Problem(
                    file: SegmentName.file(needed), offset: 0, records: needed...(first - 1),
                    message: "the segment is missing, and its messages are still to be read"),
                at: 0)
        }
    }

    /// Whether the checkpoint is as it was written, and of this journal.
    mutating func checkpoint(_ segments: [UInt64]) throws(JournalError) {
        let checkpoint = CheckpointFile(folder: folder, storage: storage)
        guard checkpoint.exists else { return }
        guard let place = checkpoint.place, checkpoint.isWhole else {
            return ignore(CheckpointFile.name, "it is harmed; passed over, and written anew")
        }
        // One of a segment that was followed by another is merely old.
        guard place.segment == segments.last else { return }
        let file = try storing { () throws(SystemError) in
            try storage.open("\(folder)/\(SegmentName.file(place.segment))", creating: false)
        }
        if !checkpoint.fits(file) {
            ignore(CheckpointFile.name, "it does not fit the journal; passed over")
        }
    }

    private static func numbers(_ range: ClosedRange<UInt64>) -> String {
        range.count == 1
            ? "record \(range.lowerBound) is"
            : "the records \(range.lowerBound) to \(range.upperBound) are"
    }

    /// Of its base record's members.
    private static func checksum(_ state: State) -> UInt32 {
        var checksum: UInt32 = 0
        var bytes: [UInt8] = []
        func take(_ bytes: inout [UInt8]) {
            checksum = bytes.withUnsafeBytes { RecordFrame.checksum(of: $0, behind: checksum) }
            bytes.removeAll(keepingCapacity: true)
        }
        state.encodeBase(to: &bytes) { take(&$0) }
        take(&bytes)
        return checksum
    }
}
