import JSON
import Synchronization

/// Failed sign-ins by name, so that nobody guesses at leisure: after five, a name is
/// locked for a second, and after each further one twice as long, up to a quarter of an hour
/// (Cognito developer guide, *sign-in lockout*). Names that nobody has are counted, too: a lock
/// must not tell. They have room of their own: else whoever makes many up would lift a user's lock.
final class SignInAttempts: Sendable {
    private static let free = 5
    private static let longest = Duration.seconds(15 * 60)
    /// Names that are remembered, of users and of others; the one that failed longest ago goes
    /// first.
    static let limitNames = UserStore.limitUsers

    private struct Failures {
        var count: Int
        var last: Timestamp
    }

    private struct Names {
        var users: [ExactText: Failures] = [:]
        var others: [ExactText: Failures] = [:]

        mutating func remove(_ key: ExactText) -> Failures? {
            let other = others.removeValue(forKey: key)
            return users.removeValue(forKey: key) ?? other
        }
    }

    private let state = Mutex(Names())

    func isLocked(_ name: String, at now: Timestamp) -> Bool {
        state.withLock { names in
            let key = User.key(name)
            guard let failures = names.users[key] ?? names.others[key] else { return false }
            return now < failures.last + Self.lock(failures.count)
        }
    }

    /// - Parameters:
    ///   - name: what may be a user's name; others are too long to be remembered.
    ///   - isUser: whether somebody has it.
    func failed(_ name: String, isUser: Bool, at now: Timestamp) {
        state.withLock { names in
            let key = User.key(name)
            var failures = names.remove(key) ?? Failures(count: 0, last: now)
            if failures.last + Self.longest <= now { failures.count = 0 }
            failures.count += 1
            failures.last = now
            if isUser {
                Self.add(failures, of: key, to: &names.users)
            } else {
                Self.add(failures, of: key, to: &names.others)
            }
        }
    }

    private static func add(
        _ failures: Failures, of key: ExactText, to names: inout [ExactText: Failures]
    ) {
        if names.count >= limitNames,
            let oldest = names.min(by: { $0.value.last < $1.value.last })
        {
            names[oldest.key] = nil
        }
        names[key] = failures
    }

    func succeeded(_ name: String) {
        state.withLock { _ = $0.remove(User.key(name)) }
    }

    private static func lock(_ failures: Int) -> Duration {
        guard failures >= free else { return .zero }
        return min(.seconds(1 << min(failures - free, 10)), longest)
    }
}
