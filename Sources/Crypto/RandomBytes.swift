import CCrypto
import Synchronization

/// Unpredictable bytes from libcrypto.
package enum RandomBytes {
    /// libcrypto's generator costs a microsecond a call, however few bytes it gives.
    private struct Stock: ~Copyable {
        private static let size = 4096
        private var bytes = [UInt8](repeating: 0, count: size)
        private var left = 0

        mutating func uint64() -> UInt64 {
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

    /// A version 4 UUID (RFC 9562), lower case.
    package static func uuid() -> String {
        let (high, low) = stock.withLock { ($0.uint64(), $0.uint64()) }
        return uuid(high & ~0xF000 | 0x4000, low & ~(0b11 << 62) | 0b10 << 62)
    }

    private static func uuid(_ high: UInt64, _ low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 36) { text in
            var at = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    text[at] = UInt8(ascii: "-")
                    at += 1
                }
                let half = digit < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: half >> UInt64(4 * (15 - digit % 16))) & 15
                text[at] = value < 10 ? 48 + value : 87 + value
                at += 1
            }
            return 36
        }
    }
}
