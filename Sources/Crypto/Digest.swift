import CCrypto

/// Digests by libcrypto.
package enum Digest {
    /// MD5, as SQS uses it to let clients check what arrived. Never for security.
    package static func md5Hex(_ bytes: [UInt8]) -> String { hexDigest(bytes, length: 16, md5) }
    /// The 128 bits of an MD5, its first byte the highest.
    package static func md5Bits(_ bytes: [UInt8]) -> (high: UInt64, low: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { output in
            md5(bytes, to: output)
            let bits = UnsafeRawBufferPointer(output)
            return (
                UInt64(bigEndian: bits.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bits.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { output, count in
            sha256(bytes, to: output)
            count = 32
        }
    }
    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] { sha256(Array(bytes)) }
    package static func sha256Hex(_ bytes: [UInt8]) -> String {
        hexDigest(bytes, length: 32, sha256)
    }

    // libcrypto looks an algorithm up by its name for each digest, unless it is fetched once.
    nonisolated(unsafe) private static let fetchedSHA256 = EVP_MD_fetch(nil, "SHA256", nil)

    /// Lower-case hexadecimal.
    package static func hex(_ bytes: [UInt8]) -> String { bytes.withUnsafeBufferPointer(hex) }

    private static func hex(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
        return String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            for (index, byte) in bytes.enumerated() {
                text[2 * index] = digit(byte >> 4)
                text[2 * index + 1] = digit(byte & 15)
            }
            return 2 * bytes.count
        }
    }

    private static func hexDigest(
        _ bytes: [UInt8], length: Int,
        _ digest: ([UInt8], UnsafeMutableBufferPointer<UInt8>) -> Void
    ) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length) { output in
            digest(bytes, output)
            return hex(UnsafeBufferPointer(output))
        }
    }

    private static func md5(_ bytes: [UInt8], to output: UnsafeMutableBufferPointer<UInt8>) {
        let status = msorch_md5(bytes, bytes.count, output.baseAddress)
        precondition(status == 1, "libcrypto knows MD5")
    }

    private static func sha256(_ bytes: [UInt8], to output: UnsafeMutableBufferPointer<UInt8>) {
        let status = EVP_Digest(
            bytes, bytes.count, output.baseAddress, nil, fetchedSHA256, nil)
        precondition(status == 1, "libcrypto knows SHA-256")
    }
}
