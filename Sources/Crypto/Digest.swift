import CCrypto

/// Digests by libcrypto.
package enum Digest {
    /// MD5, as SQS uses it to let clients check what arrived. Never for security.
    package static func md5(_ bytes: some Collection<UInt8>) -> [UInt8] {
        digest(bytes, EVP_md5(), length: 16)
    }
    package static func md5Hex(_ bytes: some Collection<UInt8>) -> String { hex(md5(bytes)) }

    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
        digest(bytes, EVP_sha256(), length: 32)
    }
    package static func sha256Hex(_ bytes: some Collection<UInt8>) -> String { hex(sha256(bytes)) }

    /// Lower-case hexadecimal.
    package static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
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
