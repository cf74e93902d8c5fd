import Posix

/// Waiting for what somebody may want to cut short.
enum PatientWait {
    /// How soon it is noticed that somebody is in a hurry.
    private static let step = Duration.milliseconds(100)

    /// Blocks until it is so, or `end` has passed, by the monotonic clock, in nanoseconds.
    ///
    /// - Parameters:
    ///   - isHurried: whether nobody wants to wait any more.
    ///   - isSo: may block for as long as it is given.
    /// - Returns: whether it is so.
    @discardableResult
    static func until(
        _ end: UInt64, unless isHurried: () -> Bool, _ isSo: (Duration) -> Bool
    ) -> Bool {
        while !isHurried(), SystemClock.monotonicNanoseconds() < end {
            if isSo(step) { return true }
        }
        return false
    }
}
