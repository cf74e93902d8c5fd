import JSON
import Journal

/// The smallest state worth a journal: the numbers that were added, in order.
struct Tally: JournaledState, Equatable {
    var values: [Int64] = []

    mutating func apply(
        _ line: UnsafeRawBufferPointer, n: UInt64, time: Timestamp, at location: RecordLocation
    ) throws(StateError) {
        var operation = ""
        var read: [Int64] = []
        do throws(JSONError) {
            var scanner = JSONScanner(line)
            try scanner.object { (key, scanner) throws(JSONError) in
                if scanner.matches(key, "op") {
                    operation = scanner.text(try scanner.string())
                } else if scanner.matches(key, "v") {
                    try scanner.array { (scanner) throws(JSONError) in
                        read.append(try scanner.int())
                    }
                } else {
                    try scanner.skipValue()
                }
            }
        } catch {
            throw StateError(error.message)
        }
        switch operation {
        case "base": values = read
        case "add": values += read
        case "clear": values = []
        default: throw StateError("unknown record '\(operation)'")
        }
    }

    var oldestSegment: UInt64? { values.isEmpty ? nil : 0 }
    var isEmpty: Bool { values.isEmpty }

    func encodeBase<Failure: Error>(
        to bytes: inout [UInt8], spill: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) { Self.encode("base", values, to: &bytes) }

    static func add(_ values: Int64...) -> [UInt8] { add(values) }

    static let clear = Array("\"op\":\"clear\"".utf8)

    static func add(_ values: [Int64]) -> [UInt8] {
        var bytes: [UInt8] = []
        encode("add", values, to: &bytes)
        return bytes
    }

    private static func encode(_ operation: String, _ values: [Int64], to bytes: inout [UInt8]) {
        let list = values.map(String.init).joined(separator: ",")
        bytes.append(contentsOf: "\"op\":\"\(operation)\",\"v\":[\(list)]".utf8)
    }
}

extension Journal where State == Tally {
    /// Adds durably, as a command would.
    func add(_ values: Int64..., at milliseconds: Int64 = 1000) throws {
        for value in values {
            let (_, ticket) = try transact(now: Timestamp(milliseconds: milliseconds)) { session in
                _ = try session.append(Tally.add(value))
            }
            if let ticket { try waitDurable(ticket) }
        }
    }

    var values: [Int64] { get throws { try read { $0.state.values } } }
}

extension Journal<Tally> {
    /// Opens it at the dawn of time.
    convenience init(
        folder: String, options: JournalOptions = JournalOptions(),
        storage: any JournalStorage = DiskStorage()
    ) throws(JournalError) {
        try self.init(
            folder: folder, at: Timestamp(milliseconds: 0), options: options, storage: storage)
    }
}
