import JSON
import Posix

/// What a check of a whole journal found.
package struct Verification: Equatable, Sendable {
    package struct Problem: Equatable, Sendable {
        package var file: String
        package var offset: UInt64
        package var message: String
    }

    package var segments = 0
    package var records = 0
    package var bytes: UInt64 = 0
    package var problems: [Problem] = []
    package var tornFiles: [String] = []
    var lastN: UInt64 = 0
}

extension Journal {
    /// Reads every record of every segment: checksums, numbers without gaps, and that each base
    /// record is the state that the records before it make. Changes nothing, and needs no healthy
    /// journal: it does not open one.
    package static func verify(
        folder: String, storage: any JournalStorage = DiskStorage()
    ) throws(JournalError) -> Verification {
        let lockFile = try storing { () throws(SystemError) in
            try storage.open("\(folder)/lock", creating: true)
        }
        try lockFile.lock(JournalOptions())
        defer { lockFile.unlock() }
        let names = try storing { () throws(SystemError) in try storage.list(folder) }
        var report = Verification()
        report.tornFiles = names.filter { $0.hasPrefix("torn-") }
        var state: State?
        var last: UInt64?
        for name in names.compactMap(SegmentName.parse) {
            if let last, name != last + 1 {
                report.problems.append(
                    Verification.Problem(
                        file: SegmentName.file(name), offset: 0,
                        message: "the records \(last + 1) to \(name - 1) are missing before it"))
                state = nil
            }
            try verify(name, in: folder, storage, &state, &report)
            last = state == nil ? nil : report.lastN
        }
        if report.segments == 0 {
            report.problems.append(
                Verification.Problem(file: folder, offset: 0, message: "there is no segment"))
        }
        return report
    }

    private static func verify(
        _ name: UInt64, in folder: String, _ storage: any JournalStorage, _ state: inout State?,
        _ report: inout Verification
    ) throws(JournalError) {
        let fileName = SegmentName.file(name)
        let file = try storing { () throws(SystemError) in
            try storage.open("\(folder)/\(fileName)", creating: false)
        }
        report.segments += 1
        var lines = LineReader(file, at: 0)
        var expected = name
        var folded = State()
        func problem(_ message: String) -> Verification.Problem {
            Verification.Problem(file: fileName, offset: lines.offset, message: message)
        }
        reading: while true {
            switch try storing({ () throws(SystemError) in try lines.peek() }) {
            case .end: break reading
            case .fragment(let count):
                report.problems.append(problem("\(count) bytes without an end of line"))
                state = nil
                return
            case .line(let bytes):
                guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) else {
                    report.problems.append(problem("the record fails its checksum"))
                    state = nil
                    return
                }
                guard frame.n == expected else {
                    report.problems.append(
                        problem("record \(frame.n) stands where \(expected) should"))
                    state = nil
                    return
                }
                let place = RecordLocation(
                    segment: name, offset: lines.offset, length: UInt32(bytes.count + 1))
                let result = bytes.withUnsafeBytes { raw -> StateError? in
                    do throws(StateError) {
                        try folded.apply(raw, n: frame.n, time: frame.time, at: place)
                        return nil
                    } catch {
                        return error
                    }
                }
                if let result { report.problems.append(problem(result.message)) }
                if frame.n == name, let state, encoded(state) != encoded(folded) {
                    report.problems.append(
                        problem("the base record is not what the records before it make"))
                }
                report.records += 1
                report.bytes += UInt64(bytes.count + 1)
                report.lastN = frame.n
                expected += 1
                lines.advance(over: bytes)
            }
        }
        state = folded
    }

    private static func encoded(_ state: State) -> [UInt8] {
        var bytes: [UInt8] = []
        state.encodeBase(to: &bytes)
        return bytes
    }
}
