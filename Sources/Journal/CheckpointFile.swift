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
    let exists: Bool
    /// What it claims. It counts if the file `isWhole`.
    let place: Place?
    private let whole: LongLine?

    init(folder: String, storage: any JournalStorage) {
        let file = try? storage.open("\(folder)/\(Self.name)", creating: false)
        exists = file != nil
        whole = file.flatMap { file in
            (try? file.status().size).flatMap { LongLine(file, at: 0, length: $0) }
        }
        place = (try? file?.bytes(at: 0, count: Self.maximumPlaceLength))
            .flatMap { try? Self.place(in: $0) }
    }

    /// Whether it is as it was written.
    var isWhole: Bool { place != nil && whole?.isWhole == true }

    /// Reads the state, which is that of its place.
    /// - Returns: the record that it stands behind, and the checkpoint's own length; `nil` if it is
    ///   harmed. Then the state is of no use.
    func read(_ state: inout some JournaledState) -> (record: RecordFrame, length: UInt64)? {
        guard let whole, let place else { return nil }
        let location = RecordLocation(segment: place.segment, offset: place.offset, length: 0)
        do throws(StateError) {
            try state.restore(whole, at: location)
        } catch {
            return nil
        }
        return (whole.start, UInt64(whole.length + 1))
    }

    /// The state as a record that stands at its place, without a length there; `nil` if it is
    /// harmed.
    var line: RecordLine? {
        guard let whole, let place, let bytes = try? whole.whole() else { return nil }
        return RecordLine(
            n: whole.start.n, time: whole.start.time,
            location: RecordLocation(segment: place.segment, offset: place.offset, length: 0),
            bytes: bytes)
    }

    /// Whether a record is the one that it means, wherever that lies by now.
    func stands(behind record: RecordFrame) -> Bool {
        whole?.start.n == record.n && place?.checksum == record.checksum
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

    /// What stands before the state, of which `start` may hold a part.
    private static func place(in start: [UInt8]) throws -> Place {
        guard let end = start.firstRange(of: Array(",\"op\":".utf8))?.lowerBound else {
            throw StateError("the checkpoint does not say where its state begins")
        }
        return try (start[..<end] + [UInt8(ascii: "}")]).withUnsafeBytes { raw in
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
