import JSON
import Posix

/// Where a stack's time comes from: the one place above `Posix` that asks.
package struct StackClock: Sendable {
    private let read: @Sendable () -> Timestamp

    /// The system's clock.
    package init() {
        self.init { Timestamp(milliseconds: SystemClock.unixMilliseconds()) }
    }

    /// A clock that somebody else moves; it may step back.
    package init(_ read: @escaping @Sendable () -> Timestamp) { self.read = read }

    package func now() -> Timestamp { read() }
}
