import JSON

/// What the lock file says: the generation, the highest `n` that any process has synced, and how
/// often segments were deleted, each with its own checksum (docs/journal.md, *Durable*), as they
/// are written apart.
///
/// Nobody syncs the file, and nothing rests on it alone: a harmed part counts as not known.
struct LockWords: Equatable, Sendable {
    /// `nil` if it is not there, or harmed.
    var generation: UInt64?
    var durable: UInt64?
    var deletions: UInt64?
    /// Whether there is nothing, or only the zeros that a crash may leave.
    var isBlank = true
    /// Parts that are not as they were written.
    var harmed: [String] = []
    var isWhole: Bool { !isBlank && harmed.isEmpty }

    /// `<generation> <durable> <its checksum> <deletions> <its checksum> <generation's checksum>`
    static let length = 89
    /// Where the part begins that is written with each sync, and the one of deletions.
    static let durableOffset: UInt64 = 20
    static let deletionsOffset: UInt64 = 50
    /// Files of earlier versions have these lengths, and no checksums.
    private static let shortLength = 41
    private static let plainLength = 62

    /// The journal was ended: whoever has it open must not use it.
    static let ended = UInt64.max
    /// A repair puts another folder in its place. If it is still in its own, that was cut short.
    static let replaced = UInt64.max - 1

    init(_ bytes: [UInt8]) {
        isBlank = bytes.allSatisfy { $0 == 0 }
        guard !isBlank else { return }
        generation = Self.number(bytes, at: 0)
        durable = Self.number(bytes, at: 21)
        let isPlain = bytes.count == Self.shortLength || bytes.count == Self.plainLength
        if isPlain {
            deletions = bytes.count == Self.plainLength ? Self.number(bytes, at: 42) : 0
            // That a journal is over must be certain: a newer one may have been cut to that length.
            if let known = generation, known >= Self.replaced { generation = nil }
        } else {
            if !Self.matches(bytes, digitsAt: 21, checksumAt: 42) { durable = nil }
            deletions = Self.number(bytes, at: 51)
            if !Self.matches(bytes, digitsAt: 51, checksumAt: 72) { deletions = nil }
            if !Self.matches(bytes, digitsAt: 0, checksumAt: 81) { generation = nil }
        }
        if generation == nil { harmed.append("generation") }
        if durable == nil { harmed.append("last durable record") }
        if deletions == nil { harmed.append("count of deletions") }
    }

    /// The whole file.
    static func encode(generation: UInt64, durable: UInt64, deletions: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        append(digitsOf: generation, to: &bytes)
        bytes += encode(durable: durable) + encode(deletions: deletions)
        appendChecksum(ofDigitsAt: 0, to: &bytes)
        return bytes
    }

    /// The part from `durableOffset` on.
    static func encode(durable: UInt64) -> [UInt8] { part(durable) }
    /// The part from `deletionsOffset` on.
    static func encode(deletions: UInt64) -> [UInt8] { part(deletions) }

    private static func part(_ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = [0x20]
        append(digitsOf: number, to: &bytes)
        appendChecksum(ofDigitsAt: 1, to: &bytes)
        return bytes
    }

    /// All 20 of them.
    private static func append(digitsOf number: UInt64, to bytes: inout [UInt8]) {
        JSONWriter.gather(upTo: 24, to: &bytes) { pieces in
            pieces.append(number / 10_000_000_000_000_000, digits: 4)
            pieces.append(number / 100_000_000, digits: 8)
            pieces.append(number, digits: 8)
        }
    }

    private static func appendChecksum(ofDigitsAt start: Int, to bytes: inout [UInt8]) {
        let checksum = checksum(bytes, digitsAt: start)
        bytes.append(0x20)
        JSONWriter.appendHexadecimal(UInt64(checksum), digits: 8, to: &bytes)
    }

    private static func number(_ bytes: [UInt8], at start: Int) -> UInt64? {
        guard bytes.count >= start + 20 else { return nil }
        var value: UInt64 = 0
        for byte in bytes[start..<start + 20] {
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, exceeds) = product.addingReportingOverflow(UInt64(byte &- 0x30))
            guard byte &- 0x30 < 10, !overflows, !exceeds else { return nil }
            value = sum
        }
        return value
    }

    private static func checksum(_ bytes: [UInt8], digitsAt start: Int) -> UInt32 {
        bytes.withUnsafeBytes {
            RecordFrame.checksum(of: UnsafeRawBufferPointer(rebasing: $0[start..<start + 20]))
        }
    }

    /// Whether the digits' checksum stands at `place`, with spaces before both.
    private static func matches(
        _ bytes: [UInt8], digitsAt start: Int, checksumAt place: Int
    ) -> Bool {
        guard bytes.count >= place + 8, start == 0 || bytes[start - 1] == 0x20,
            bytes[place - 1] == 0x20
        else { return false }
        let stated = bytes.withUnsafeBytes { Hexadecimal.value($0, at: place) }
        return stated == checksum(bytes, digitsAt: start)
    }
}
