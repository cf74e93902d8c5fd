import CCrypto

/// A password as it is kept: what scrypt (RFC 7914) makes of it, and how. scrypt costs memory, so
/// that guessing many at once on special hardware does not pay.
package struct PasswordHash: Equatable, Sendable {
    /// OWASP's *Password Storage Cheat Sheet*, for 16 MB; a fifth of a second or so.
    package static let rounds: UInt64 = 1 << 14
    package static let blockSize: UInt64 = 8
    package static let parallelism: UInt64 = 5
    /// What the work may take, whoever wrote the record.
    private static let memoryBytes: UInt64 = 64 << 20
    private static let mostParallelism: UInt64 = 16
    private static let length = 32

    package var salt: [UInt8]
    package var rounds: UInt64
    package var blockSize: UInt64
    package var parallelism: UInt64
    package var hash: [UInt8]

    /// Of a stored record. `nil` if scrypt does not take such parameters, or they cost too much.
    package init?(
        salt: [UInt8], rounds: UInt64, blockSize: UInt64, parallelism: UInt64, hash: [UInt8]
    ) {
        guard rounds > 1, rounds & (rounds - 1) == 0, (1...64).contains(blockSize),
            (1...Self.mostParallelism).contains(parallelism), hash.count == Self.length,
            rounds <= Self.memoryBytes / (128 * blockSize)
        else { return nil }
        self.salt = salt
        self.rounds = rounds
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.hash = hash
    }

    /// Blocks for as long as the work takes.
    package init(of password: String) {
        salt = RandomBytes.make(count: 16)
        rounds = Self.rounds
        blockSize = Self.blockSize
        parallelism = Self.parallelism
        hash = []
        hash = derive(password)
    }

    /// Whether it is of this password. Blocks for as long as the work takes.
    package func matches(_ password: String) -> Bool {
        MessageAuthentication.isEqual(derive(password), hash)
    }

    private func derive(_ password: String) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Self.length)
        let password = Array(password.utf8)
        let status = password.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { bytes in
                EVP_PBE_scrypt(
                    bytes.baseAddress, bytes.count, salt, salt.count, rounds, blockSize,
                    parallelism, 2 * Self.memoryBytes, &output, output.count)
            }
        }
        precondition(status == 1, "libcrypto derives by scrypt, with parameters that were checked")
        return output
    }
}
