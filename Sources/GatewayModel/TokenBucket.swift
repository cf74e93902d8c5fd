import JSON

/// How many requests a second, and how many at once (API Gateway guide, *request throttling*).
package struct ThrottleSettings: Equatable, Sendable {
    /// What an account has in a region.
    package static let standard = ThrottleSettings(rate: 10_000, burst: 5_000)

    /// Requests a second.
    package var rate: Int64
    /// Requests that may come at once.
    package var burst: Int64

    package init(rate: Int64, burst: Int64) {
        self.rate = rate
        self.burst = burst
    }
}

/// A token bucket: holds up to `burst` requests, and gains `rate` of them each second.
package struct TokenBucket: Equatable, Sendable {
    private let settings: ThrottleSettings
    /// In thousandths, so that a millisecond of a rate of one counts.
    private var thousandths: Int64
    private var filled: Timestamp

    package init(_ settings: ThrottleSettings, at now: Timestamp) {
        self.settings = settings
        thousandths = settings.burst * 1000
        filled = now
    }

    /// Whether there is one; call `take` for it.
    package mutating func hasToken(at now: Timestamp) -> Bool {
        let elapsed = now.milliseconds - filled.milliseconds
        if elapsed > 0 {
            let full = settings.burst * 1000
            // Beyond this it is full whatever the rate: the product below stays small.
            let counted = min(elapsed, full)
            thousandths = min(full, thousandths + counted * settings.rate)
        }
        // A clock that steps back refills from there.
        filled = now
        return thousandths >= 1000
    }

    package mutating func take() { thousandths -= 1000 }
}
