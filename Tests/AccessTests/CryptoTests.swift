import Crypto
import Testing

/// Keys and password hashes, as far as what uses them does not show it.
@Suite struct CryptoTests {
    @Test("a key that was kept signs as before; a forged signature is none")
    func keys() throws {
        let key = PrivateKey.makeRSA()
        let kept = try #require(PrivateKey(encoded: key.encoded))
        let signature = kept.sign([1, 2, 3])
        let owner = try #require(PublicKey(modulus: key.modulus, exponent: key.exponent))
        #expect(owner.verify(signature, of: [1, 2, 3], .sha256))
        #expect(!owner.verify(signature, of: [1, 2], .sha256))
        #expect(!owner.verify(signature, of: [1, 2, 3], .sha384))
        #expect(!owner.verify([], of: [1, 2, 3], .sha256))
        #expect(PrivateKey(encoded: [0x30, 0]) == nil)
        #expect(PrivateKey(encoded: []) == nil)
    }

    @Test("a small key, an even exponent, an exponent of one and no number at all are no keys")
    func weak() {
        let modulus = PrivateKey.makeRSA().modulus
        for (modulus, exponent) in [
            (Array(modulus.prefix(128)), [1, 0, 1]), (modulus, [1]), (modulus, [2]), (modulus, []),
            ([], [1, 0, 1]), ([UInt8](repeating: 0xFF, count: 4096), [1, 0, 1]),
        ] as [([UInt8], [UInt8])] {
            #expect(PublicKey(modulus: modulus, exponent: exponent) == nil)
        }
        #expect(PublicKey(curve: .p256, x: [1], y: [2]) == nil)
        let zeros = [UInt8](repeating: 0, count: 32)
        #expect(PublicKey(curve: .p256, x: zeros, y: zeros) == nil)
    }

    @Test("a password matches its hash, and no other does")
    func passwords() throws {
        let hash = PasswordHash(of: "Correct-Horse-1")
        #expect(hash.matches("Correct-Horse-1"))
        #expect(!hash.matches("correct-Horse-1"))
        #expect(!hash.matches(""))
        #expect(PasswordHash(of: "Correct-Horse-1").hash != hash.hash, "salts differ")
    }

    @Test("scrypt as RFC 7914 has it")
    func vector() throws {
        // Section 12, third vector; the first half of its 64 bytes, as a block of output is.
        let hash = try #require(
            PasswordHash(
                salt: Array("SodiumChloride".utf8), rounds: 16_384, blockSize: 8, parallelism: 1,
                hash: [
                    0x70, 0x23, 0xBD, 0xCB, 0x3A, 0xFD, 0x73, 0x48, 0x46, 0x1C, 0x06, 0xCD, 0x81,
                    0xFD, 0x38, 0xEB, 0xFD, 0xA8, 0xFB, 0xBA, 0x90, 0x4F, 0x8E, 0x3E, 0xA9, 0xB5,
                    0x43, 0xF6, 0x54, 0x5D, 0xA1, 0xF2,
                ]))
        #expect(hash.matches("pleaseletmein"))
    }

    @Test("a record that asks for more than the machine should give is none")
    func costs() {
        let hash = [UInt8](repeating: 0, count: 32)
        for (rounds, blockSize, parallelism) in [
            (0, 8, 1), (1, 8, 1), (3, 8, 1), (1 << 30, 8, 1), (1 << 14, 0, 1), (1 << 14, 8, 0),
            (1 << 14, 8, 1000), (1 << 63, 64, 16),
        ] as [(UInt64, UInt64, UInt64)] {
            #expect(
                PasswordHash(
                    salt: [], rounds: rounds, blockSize: blockSize, parallelism: parallelism,
                    hash: hash) == nil)
        }
    }

    @Test("base64url has one spelling for a value")
    func base64() {
        for bytes in [[], [0], [0xFF, 0xFE], [0xFB, 0xEF, 0xBE]] as [[UInt8]] {
            #expect(Base64.decodeURL(Base64.encodeURL(bytes)) == bytes)
        }
        for text in ["A", "AB", "AA=", "AA==", "A A", "+/", "AAA\n", "ÄÄÄÄ"] {
            #expect(Base64.decodeURL(text) == nil, "\(text)")
        }
    }
}
