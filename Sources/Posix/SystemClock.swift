import CPosix
import Glibc

/// The two clocks of the system, and the one way to pause a thread.
package enum SystemClock {
    /// Milliseconds since the Unix epoch.
    package static func unixMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Nanoseconds on a clock that never steps, for durations and deadlines.
    package static func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Gives the processor away for about so long.
    package static func pause(microseconds: UInt32) { usleep(microseconds) }
}

extension Duration {
    /// Whole nanoseconds; none if it is negative.
    package var nanoseconds: UInt64 { UInt64(max(0, attoseconds) / 1_000_000_000) }
}
