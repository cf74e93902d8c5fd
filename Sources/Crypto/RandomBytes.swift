import CCrypto
import Synchronization

/// Unpredictable bytes from libcrypto; a process's first few ids come from the system's own source.
package enum RandomBytes {
    /// libcrypto's generator costs a microsecond a call, however few bytes it gives; its first call
    /// costs a millisecond, since it reads its configuration and sets generators up. A command that
    /// sends one message is done before that pays.
    private struct Stock: ~Copyable {
        private static let size = 4096
        private var bytes: [UInt8] = []
        private var left = 0
        private var fromSystem = 32

        mutating func uint64() -> UInt64 {
            if fromSystem > 0 {
                fromSystem -= 1
                var system = SystemRandomNumberGenerator()
                return system.next()
            }
            if bytes.isEmpty { bytes = [UInt8](repeating: 0, count: Self.size) }
            if left < 8 {
                precondition(
                    RAND_bytes(&bytes, CInt(Self.size)) == 1, "the system has randomness")
                left = Self.size
            }
            left -= 8
            let value = bytes.withUnsafeBytes {
                $0.loadUnaligned(fromByteOffset: left, as: UInt64.self)
            }
            // What was given out must not be found in memory.
            for index in left..<left + 8 { bytes[index] = 0 }
            return value
        }
    }

    private static let stock = Mutex(Stock())

    /// For keys and secrets: never from a stock.
    package static func make(count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        precondition(RAND_bytes(&bytes, CInt(count)) == 1, "the system has randomness")
        return bytes
    }

    package static func uint64() -> UInt64 { stock.withLock { $0.uint64() } }

    /// The 128 bits of a version 4 UUID (RFC 9562).
    package static func uuidBits() -> (high: UInt64, low: UInt64) {
        let (high, low) = stock.withLock { ($0.uint64(), $0.uint64()) }
        return (high & ~0xF000 | 0x4000, low & ~(0b11 << 62) | 0b10 << 62)
    }
}
