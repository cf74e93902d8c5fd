import JSON
import Posix

/// A journal's checkpoint as a file: whether it is whole, and the place that it speaks of.
struct CheckpointFile {
    /// A checkpoint's claim: its state is that before `offset` of `segment`, and the line that ends
    /// there has this checksum.
    struct Place {
        var segment: UInt64
        var offset: UInt64
        var checksum: UInt32
    }

    static let name = "checkpoint.json"

    /// Whether there is one at all.
    private(set) var exists = false
    private(set) var place: Place?
    private var frame: RecordFrame?
    private var bytes: [UInt8] = []

    init(folder: String, storage: any JournalStorage) {
        guard let file = try? storage.open("\(folder)/\(Self.name)", creating: false) else {
            return
        }
        exists = true
        guard let size = try? file.status().size, size > 1, size < RecordFrame.maximumBaseLength,
            let line = try? file.bytes(at: 0, count: Int(size)), line.last == 0x0A
        else { return }
        bytes = consume line
        bytes.removeLast()  // in place: there may be a great many of them
        guard let frame = bytes.withUnsafeBytes({ RecordFrame(checking: $0) }) else { return }
        self.frame = frame
        place = try? Self.place(in: bytes)
    }

    /// The state as a record that stands at `offset`, if it is that place's.
    func line(at offset: UInt64, in segment: UInt64, _ file: any JournalFile) -> RecordLine? {
        guard let place, let frame, place.segment == segment, place.offset == offset,
            fits(file)
        else { return nil }
        return RecordLine(
            n: frame.n, time: frame.time,
            location: RecordLocation(segment: segment, offset: offset, length: 0), bytes: bytes)
    }

    /// Whether the line that it stands behind is the one that it means.
    func fits(_ file: any JournalFile) -> Bool {
        let length = RecordFrame.suffixLength + 1
        guard let place, place.offset >= UInt64(length),
            let before = try? file.bytes(at: place.offset - UInt64(length), count: length),
            before.last == 0x0A
        else { return false }
        return before.dropLast().withUnsafeBytes { RecordFrame.checksum(inSuffixOf: $0) }
            == place.checksum
    }

    /// Three numbers, a place and a checksum.
    private static let maximumPlaceLength = 250

    /// What stands before the state, which may be large.
    static func place(in bytes: [UInt8]) throws -> Place {
        let start = bytes.prefix(maximumPlaceLength)
        guard let end = start.firstRange(of: Array(",\"op\":".utf8))?.lowerBound else {
            throw StateError("the checkpoint does not say where its state begins")
        }
        return try (bytes[..<end] + [UInt8(ascii: "}")]).withUnsafeBytes { raw in
            var scanner = JSONScanner(raw)
            var segment: Int64 = 0
            var offset: Int64 = 0
            var checksum = ""
            try scanner.object { (key, scanner) throws(JSONError) in
                if scanner.matches(key, "segment") {
                    segment = try scanner.int()
                } else if scanner.matches(key, "offset") {
                    offset = try scanner.int()
                } else if scanner.matches(key, "before") {
                    checksum = scanner.text(try scanner.string())
                } else {
                    try scanner.skipValue()
                }
            }
            guard let value = UInt32(checksum, radix: 16) else {
                throw StateError("the checkpoint does not say what stands before it")
            }
            return Place(
                segment: UInt64(clamping: segment), offset: UInt64(clamping: offset),
                checksum: value)
        }
    }
}
