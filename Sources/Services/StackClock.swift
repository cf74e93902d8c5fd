import JSON
import Posix

/// Where a stack's time comes from: the one place above `Posix` that asks.
package struct StackClock: Sendable {
    package init() {}
    package func now() -> Timestamp { Timestamp(milliseconds: SystemClock.unixMilliseconds()) }
}
