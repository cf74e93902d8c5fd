import CCrypto

/// A large number of libcrypto's.
final class BigNumber {
    let pointer: OpaquePointer

    /// - Parameter bytes: big end first.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= PublicKey.mostModulusBits / 8 + 1,
            let pointer = BN_bin2bn(bytes, CInt(bytes.count), nil)
        else { return nil }
        self.pointer = pointer
    }

    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { BN_free(pointer) }

    var bits: Int { Int(BN_num_bits(pointer)) }
    var isOdd: Bool { BN_is_odd(pointer) == 1 }

    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: (bits + 7) / 8)
        BN_bn2bin(pointer, &bytes)
        return bytes
    }

    /// The primes of such keys are powers of 65537 modulo many small primes, and so are their
    /// products; by chance one number in a hundred million is.
    var isFromFaultyChip: Bool {
        let primes: [UInt] = [
            11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
        ]
        return primes.allSatisfy { prime in
            let rest = UInt(BN_mod_word(pointer, prime))
            var power: UInt = 1
            for _ in 0..<prime {
                if power == rest { return true }
                power = power * 65_537 % prime
            }
            return false
        }
    }
}
