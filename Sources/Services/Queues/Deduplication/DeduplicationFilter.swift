import Synchronization

/// Says of most ids that a file does not have them without reading a page of it: a Bloom filter,
/// made when one process has asked the file often enough. Two bytes an id.
final class DeduplicationFilter: Sendable {
    private struct State {
        var lookups = 0
        /// Bits, a power of two; none as long as the file itself is asked.
        var words: [UInt64] = []
        var isHopeless = false
    }

    /// Before it is worth reading the whole file.
    static let lookupsBefore = 256
    private static let bitsByID = 16
    private static let probes: UInt64 = 4

    private let state = Mutex(State())

    /// - Parameter all: the hashes that the file has; `nil` if it is harmed, which who reads the
    ///   page in question will notice.
    func mayHave<Failure: Error>(
        _ hash: UInt64, _ all: () throws(Failure) -> [UInt64]?
    ) throws(Failure) -> Bool {
        try state.withLock { state throws(Failure) in
            if state.words.isEmpty {
                state.lookups += 1
                guard state.lookups > Self.lookupsBefore, !state.isHopeless else { return true }
                guard let hashes = try all() else {
                    state.isHopeless = true
                    return true
                }
                state.words = Self.words(hashes)
            }
            let words = state.words
            return Self.bits(hash, words.count).allSatisfy { bit in
                words[Int(bit >> 6)] & (1 << (bit & 63)) != 0
            }
        }
    }

    private static func words(_ hashes: [UInt64]) -> [UInt64] {
        var count = 1
        while count * 64 < hashes.count * bitsByID { count *= 2 }
        var words = [UInt64](repeating: 0, count: count)
        for hash in hashes {
            for bit in bits(hash, count) { words[Int(bit >> 6)] |= 1 << (bit & 63) }
        }
        return words
    }

    /// The hash is mixed well already: its halves make all the probes there are.
    private static func bits(_ hash: UInt64, _ words: Int) -> [UInt64] {
        let mask = UInt64(words) * 64 - 1
        let step = (hash >> 32) | 1
        return (0..<probes).map { (hash &+ $0 &* step) & mask }
    }
}
