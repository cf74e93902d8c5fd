extension FileSystem {
    /// Gives every line of a file that is not empty to `body`, without its end; also a last one
    /// that has none.
    ///
    /// - Parameters:
    ///   - start: what comes before is not read.
    ///   - givesUnfinished: whether a last line without an end is given, too.
    ///   - blockBytes: so much of the file is in memory at once, unless a line is longer.
    /// - Returns: where the last line that was given ends.
    @discardableResult
    package static func readLines(
        _ path: String, from start: UInt64 = 0, givesUnfinished: Bool = true,
        blockBytes: Int = 1024 * 1024, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(SystemError) -> UInt64 {
        do throws(SystemError) {
            let file = try FileDescriptor(reading: path)
            let size = try file.status().size
            guard size > start else { return start }
            var bytes = [UInt8](repeating: 0, count: Int(min(UInt64(blockBytes), size - start)))
            var offset = start
            // Of a line whose end is not read yet; at the beginning of `bytes`.
            var kept = 0
            while true {
                if kept == bytes.count { bytes += [UInt8](repeating: 0, count: bytes.count) }
                let count = try bytes.withMutableBytes { buffer throws(SystemError) in
                    try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept...]), at: offset)
                }
                guard count > 0 else { break }
                offset += UInt64(count)
                let filled = kept + count
                let start = bytes.withUnsafeBytes { buffer in
                    giveLines(UnsafeRawBufferPointer(rebasing: buffer[..<filled]), body)
                }
                kept = filled - start
                guard start > 0, kept > 0 else { continue }
                bytes.withUnsafeMutableBytes { buffer in
                    buffer.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: buffer[start..<filled]))
                }
            }
            guard kept > 0, givesUnfinished else { return offset - UInt64(kept) }
            bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<kept])) }
            return offset
        } catch {
            throw error.naming(path)
        }
    }

    /// - Returns: where the line begins whose end is still to come.
    private static func giveLines(
        _ buffer: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Int {
        var start = 0
        while let end = buffer.firstIndex(of: UInt8(ascii: "\n"), from: start) {
            if end > start { body(UnsafeRawBufferPointer(rebasing: buffer[start..<end])) }
            start = end + 1
        }
        return start
    }
}
