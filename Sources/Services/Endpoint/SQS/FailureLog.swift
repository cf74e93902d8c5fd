import JSON
import Synchronization

/// Says why calls were answered `InternalFailure`, and does not say it over and over.
final class FailureLog: Sendable {
    /// The same sentence is said once in this time.
    static let interval: Duration = .seconds(60)
    /// So many different ones are said in that time.
    static let limit = 32

    private let clock: StackClock
    private let warn: @Sendable (String) -> Void
    private let said = Mutex<[String: Timestamp]>([:])

    init(clock: StackClock, warn: @escaping @Sendable (String) -> Void) {
        self.clock = clock
        self.warn = warn
    }

    func say(_ sentence: String) {
        let now = clock.now()
        let isNews = said.withLock { said in
            said = said.filter { $0.value <= now && now - $0.value < Self.interval }
            guard said[sentence] == nil, said.count < Self.limit else { return false }
            said[sentence] = now
            return true
        }
        if isNews { warn(sentence) }
    }
}
