import CCrypto

/// Digests by libcrypto.
package enum Digest {
    /// MD5, as SQS uses it to let clients check what arrived. Never for security.
    package static func md5(_ bytes: some Collection<UInt8>) -> [UInt8] {
        digest(bytes, fetchedMD5, length: 16)
    }
    package static func md5Hex(_ bytes: some Collection<UInt8>) -> String { hex(md5(bytes)) }

    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
        digest(bytes, fetchedSHA256, length: 32)
    }
    package static func sha256Hex(_ bytes: some Collection<UInt8>) -> String { hex(sha256(bytes)) }

    // libcrypto looks an algorithm up by its name for each digest, unless it is fetched once.
    nonisolated(unsafe) private static let fetchedMD5 = EVP_MD_fetch(nil, "MD5", nil)
    nonisolated(unsafe) private static let fetchedSHA256 = EVP_MD_fetch(nil, "SHA256", nil)

    /// Lower-case hexadecimal.
    package static func hex(_ bytes: [UInt8]) -> String {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
        return String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            for (index, byte) in bytes.enumerated() {
                text[2 * index] = digit(byte >> 4)
                text[2 * index + 1] = digit(byte & 15)
            }
            return 2 * bytes.count
        }
    }

    private static func digest(
        _ bytes: some Collection<UInt8>, _ algorithm: OpaquePointer?, length: Int
    ) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: length)
        func run(_ input: UnsafeBufferPointer<UInt8>) -> CInt {
            EVP_Digest(input.baseAddress, input.count, &output, nil, algorithm, nil)
        }
        let status =
            bytes.withContiguousStorageIfAvailable(run)
            ?? Array(bytes).withUnsafeBufferPointer(run)
        precondition(status == 1, "libcrypto knows MD5 and SHA-256")
        return output
    }
}
