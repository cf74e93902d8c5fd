import JSON
import Services
import Synchronization

/// A clock that stands until it is moved.
final class SteppedClock: Sendable {
    private let time = Mutex(Timestamp(milliseconds: 1_800_000_000_000))

    var clock: StackClock {
        StackClock { [self] in time.withLock { $0 } }
    }

    func step(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}
