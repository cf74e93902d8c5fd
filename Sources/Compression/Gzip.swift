import CZlib

/// gzip (RFC 1952) by zlib: what `gunzip`, `zcat` and Python's `gzip` read as it stands.
package enum Gzip {
    /// Why bytes cannot be unpacked.
    package enum Failure: Error, Equatable, Sendable {
        /// Not gzip, cut short, harmed, or with something else behind its end.
        case malformed
        /// Unpacked, it would be larger than the caller allows.
        case tooLarge(limit: Int)
    }

    /// `windowBits` of zlib's manual: the largest window, in gzip's frame.
    private static let gzipWindow: CInt = 15 + 16
    /// The last eight levels of memory use that zlib knows; its default.
    private static let memoryLevel: CInt = 8
    /// Bytes that one step unpacks.
    private static let pieceBytes = 64 * 1024

    /// One member without name and time: the same bytes always give the same result.
    package static func compress(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        let status = deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzipWindow, memoryLevel,
            Z_DEFAULT_STRATEGY, zlibVersion(), CInt(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib lacks memory, or is another than was linked")
        defer { deflateEnd(&stream) }
        var output = [UInt8](
            repeating: 0, count: Int(deflateBound(&stream, uLong(bytes.count))))
        var input = bytes
        let result = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = uInt(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = uInt(target.count)
                return deflate(&stream, Z_FINISH)
            }
        }
        precondition(result == Z_STREAM_END, "deflateBound is enough for all of it")
        output.removeLast(Int(stream.avail_out))
        return output
    }

    /// Unpacks whole members, one or several in a row (RFC 1952, 2.2).
    ///
    /// - Parameter limit: bytes; what would unpack to more is refused before it takes more memory.
    package static func decompress(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        let status = inflateInit2_(
            &stream, gzipWindow, zlibVersion(), CInt(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib lacks memory, or is another than was linked")
        defer { inflateEnd(&stream) }
        var input = bytes
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: pieceBytes)
        var consumed = 0
        while true {
            let result = input.withUnsafeMutableBufferPointer { source in
                piece.withUnsafeMutableBufferPointer { target in
                    stream.next_in = source.baseAddress.map { $0 + consumed }
                    stream.avail_in = uInt(source.count - consumed)
                    stream.next_out = target.baseAddress
                    stream.avail_out = uInt(target.count)
                    return inflate(&stream, Z_NO_FLUSH)
                }
            }
            consumed = bytes.count - Int(stream.avail_in)
            let made = piece.count - Int(stream.avail_out)
            guard output.count + made <= limit else { throw .tooLarge(limit: limit) }
            output.append(contentsOf: piece.prefix(made))
            if result == Z_STREAM_END {
                guard consumed < bytes.count else { return output }
                guard inflateReset(&stream) == Z_OK else { throw .malformed }
                continue
            }
            // Z_BUF_ERROR: all is read, and the end has not come.
            guard result == Z_OK, made > 0 || consumed < bytes.count else { throw .malformed }
        }
    }
}
