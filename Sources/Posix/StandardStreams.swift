import CPosix
import Glibc

/// Standard input, output and error of this process.
package enum StandardStream: CInt, Sendable {
    case input = 0
    case output = 1
    case error = 2

    /// Whoever started us may have closed some: the next files that are opened must not take their
    /// places. What is written to a closed one fails, as it should.
    package static func fillClosed() {
        while true {
            let descriptor = open("/dev/null", O_RDONLY)
            guard descriptor >= 0, descriptor <= error.rawValue else {
                if descriptor > error.rawValue { _ = Glibc.close(descriptor) }
                return
            }
        }
    }

    package var isTerminal: Bool { isatty(rawValue) == 1 }

    /// Whether a pipe's other end is still open; everything else has a reader.
    package var hasReader: Bool {
        var entry = pollfd(fd: rawValue, events: 0, revents: 0)
        return poll(&entry, 1, 0) <= 0 || Int32(entry.revents) & POLLERR == 0
    }

    /// Writes all of `bytes`, where it does not matter whether anybody gets them.
    package func write(_ bytes: some Collection<UInt8>) { try? writeAll(bytes) }

    /// Writes all of `bytes`.
    /// - Throws: `isBrokenPipe` if nobody reads them any more.
    package func writeAll(_ bytes: some Collection<UInt8>) throws(SystemError) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { buffer in
                retrying { Glibc.write(rawValue, buffer.baseAddress, buffer.count) }
            }
            guard count >= 0 else { throw .last("write to standard output") }
            rest = rest.dropFirst(count)
        }
    }

    /// Up to `limit` bytes; empty at the end, and when a signal asks the process to end.
    package func read(upTo limit: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = bytes.withUnsafeMutableBytes { buffer in
            while true {
                let count = Glibc.read(rawValue, buffer.baseAddress, buffer.count)
                if count >= 0 || errno != EINTR { return count }
                if Signals.termination != nil { return 0 }
            }
        }
        guard count >= 0 else { throw .last("read") }
        bytes.removeLast(limit - count)
        return bytes
    }
}
