/// Text for the wire, written piece by piece into room that does for all of it: appended to an
/// array, each piece would ask for room again. Who writes more than there is room for is stopped.
struct WireText {
    private let room: UnsafeMutableRawBufferPointer
    private var count = 0

    /// Appends what `write` writes, at most `limit` bytes.
    static func append(
        upTo limit: Int, to output: inout [UInt8], _ write: (inout WireText) -> Void
    ) {
        output.append(addingCapacity: limit) { span in
            span.withUnsafeMutableBufferPointer { room, count in
                var text = WireText(room: UnsafeMutableRawBufferPointer(room))
                write(&text)
                count = text.count
            }
        }
    }

    private init(room: UnsafeMutableRawBufferPointer) { self.room = room }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= room.count - count, "there is room for every piece")
        UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ byte: UInt8) {
        precondition(count < room.count, "there is room for every piece")
        room[count] = byte
        count += 1
    }

    /// A number that is not negative.
    mutating func append(_ number: Int) {
        if number >= 10 { append(number / 10) }
        append(UInt8(48 + number % 10))
    }

    mutating func endLine() {
        append(0x0D as UInt8)
        append(0x0A as UInt8)
    }
}
