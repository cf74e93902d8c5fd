import CPosix
import Glibc

extension UnsafeRawBufferPointer {
    /// The first place of `byte` from `start` on.
    package func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        guard start < count, let base = baseAddress,
            let found = memchr(base + start, CInt(byte), count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    package func isSame(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard count > 0, let base = baseAddress, let start = other.baseAddress else { return true }
        return memcmp(base, start, count) == 0
    }
}

/// Typed throws through the standard library's untyped `withUnsafe…`.
extension Array where Element == UInt8 {
    package func withBytes<R, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> R
    ) throws(Failure) -> R {
        let result = withUnsafeBytes { buffer -> Result<R, Failure> in
            do throws(Failure) {
                return .success(try body(buffer))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    package mutating func withMutableBytes<R, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> R
    ) throws(Failure) -> R {
        let result = withUnsafeMutableBytes { buffer -> Result<R, Failure> in
            do throws(Failure) {
                return .success(try body(buffer))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

extension UnsafeRawBufferPointer {
    /// Whether `bytes` stand somewhere in it, one after the other.
    package func contains(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { memmem(baseAddress, count, $0.baseAddress, $0.count) != nil }
    }
}
