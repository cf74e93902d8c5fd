/// When the memory of a function that seems to hold too much is looked at closely: that takes a
/// while where there is much, and the loop has other work.
struct CloseLooks {
    /// After one, no other follows for so many times as long, …
    private static let rest: UInt64 = 20
    /// … in nanoseconds at most this long, …
    private static let longestRest: UInt64 = 1_000_000_000
    /// … unless it seems to hold so many times as much by then.
    private static let growth: UInt64 = 2

    /// Nanoseconds.
    private var restEnds: UInt64 = 0
    /// What it seemed to hold at the last one, in bytes.
    private var residentBytes: UInt64 = 0

    /// Whether it is time for one.
    ///
    /// - Parameters:
    ///   - bytes: what the function seems to hold.
    ///   - now: nanoseconds.
    func isDue(_ bytes: UInt64, at now: UInt64) -> Bool {
        now >= restEnds || bytes > Self.growth * residentBytes
    }

    /// One has been taken, from `start` to `end`.
    mutating func note(_ bytes: UInt64, from start: UInt64, to end: UInt64) {
        residentBytes = bytes
        restEnds = end + min(Self.longestRest, Self.rest * (end - start))
    }
}
