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

    /// Seconds since the Unix epoch, which may turn some milliseconds late: less to ask for.
    package static func unixSeconds() -> Int64 { Int64(time(nil)) }

    /// Nanoseconds on a clock that never steps, for durations and deadlines.
    package static func monotonicNanoseconds() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    /// The same clock as it stood some milliseconds ago: less to ask for.
    package static func recentNanoseconds() -> UInt64 { nanoseconds(CLOCK_MONOTONIC_COARSE) }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Gives the processor away for about so long.
    package static func pause(microseconds: UInt32) { usleep(microseconds) }
}

extension Duration {
    /// Whole nanoseconds; none if it is negative.
    package var nanoseconds: UInt64 { UInt64(max(0, attoseconds) / 1_000_000_000) }
}
