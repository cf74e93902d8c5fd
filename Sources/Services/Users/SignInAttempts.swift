import JSON
import Synchronization

/// Failed sign-ins by name, so that nobody guesses at leisure: after five, a name is
/// locked for a second, and after each further one twice as long, up to a quarter of an hour
/// (Cognito developer guide, *sign-in lockout*). Names that nobody has are counted, too: a lock
/// must not tell.
final class SignInAttempts: Sendable {
    private static let free = 5
    private static let longest = Duration.seconds(15 * 60)
    /// Names that are remembered; the one that failed longest ago goes first.
    private static let limitNames = 10_000

    private struct Failures {
        var count: Int
        var last: Timestamp
    }

    private let state = Mutex<[String: Failures]>([:])

    func isLocked(_ name: String, at now: Timestamp) -> Bool {
        state.withLock { names in
            guard let failures = names[User.key(name)] else { return false }
            return now < failures.last + Self.lock(failures.count)
        }
    }

    func failed(_ name: String, at now: Timestamp) {
        state.withLock { names in
            var failures = names[User.key(name)] ?? Failures(count: 0, last: now)
            if failures.last + Self.longest <= now { failures.count = 0 }
            failures.count += 1
            failures.last = now
            if names.count >= Self.limitNames, names[User.key(name)] == nil,
                let oldest = names.min(by: { $0.value.last < $1.value.last })
            {
                names[oldest.key] = nil
            }
            names[User.key(name)] = failures
        }
    }

    func succeeded(_ name: String) {
        state.withLock { $0[User.key(name)] = nil }
    }

    private static func lock(_ failures: Int) -> Duration {
        guard failures >= free else { return .zero }
        return min(.seconds(1 << min(failures - free, 10)), longest)
    }
}
