import Posix

/// Waits for a condition, up to 20 s.
package func eventually<Failure>(
    _ condition: () throws(Failure) -> Bool
) throws(Failure) -> Bool {
    let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
    while try !condition() {
        if SystemClock.monotonicNanoseconds() > deadline { return false }
        SystemClock.pause(microseconds: 2000)
    }
    return true
}
