import JSON

/// So many requests in a period (API Gateway guide, *usage plans*).
package struct QuotaSettings: Equatable, Sendable {
    package enum Period: String, CaseIterable, Sendable {
        case day = "DAY"
        case week = "WEEK"
        case month = "MONTH"
    }

    package var limit: Int64
    package var period: Period
    /// Days by which a period begins later: 1 lets a week begin on Monday.
    package var offset: Int64

    package init(limit: Int64, period: Period, offset: Int64 = 0) {
        self.limit = limit
        self.period = period
        self.offset = offset
    }

    /// Names the period that a moment lies in, in UTC; days begin at midnight, weeks on Sunday.
    package func window(at now: Timestamp) -> String {
        let shifted = now - .seconds(offset * 86_400)
        switch period {
        case .day: return shifted.date
        case .month: return String(shifted.date.prefix(7))
        case .week:
            // 1 January 1970 was a Thursday.
            let days = shifted.seconds / 86_400 + 4
            return "week \(days / 7)"
        }
    }
}

/// Who may still call: the token buckets of a stage, its routes and keys, and what is left of
/// quotas. A value; its owner keeps it behind a lock.
package struct Admission: Sendable {
    /// A bucket that a request needs a token of.
    package struct Demand: Equatable, Sendable {
        /// Tells buckets apart: `stage`, a route's key, a plan with a key.
        package var name: String
        package var settings: ThrottleSettings

        package init(_ name: String, _ settings: ThrottleSettings) {
            self.name = name
            self.settings = settings
        }
    }

    /// A quota that a request counts in.
    package struct QuotaDemand: Equatable, Sendable {
        /// The plan and the key.
        package var name: String
        package var settings: QuotaSettings

        package init(_ name: String, _ settings: QuotaSettings) {
            self.name = name
            self.settings = settings
        }
    }

    private struct Usage: Sendable {
        var window: String
        var count: Int64
    }

    private var buckets: [String: (settings: ThrottleSettings, bucket: TokenBucket)] = [:]
    private var usage: [String: Usage] = [:]

    package init() {}

    /// Takes one token of every bucket, and one request of the quota, or nothing at all.
    /// - Throws: `throttled`, `quotaExceeded`.
    package mutating func admit(
        _ demands: [Demand], quota: QuotaDemand? = nil, at now: Timestamp
    ) throws(GatewayFailure) {
        for demand in demands {
            var entry =
                buckets[demand.name] ?? (demand.settings, TokenBucket(demand.settings, at: now))
            // Settings change by a deployment; the bucket begins anew.
            if entry.settings != demand.settings {
                entry = (demand.settings, TokenBucket(demand.settings, at: now))
            }
            let hasToken = entry.bucket.hasToken(at: now)
            buckets[demand.name] = entry
            guard hasToken else { throw .throttled }
        }
        if let quota {
            let window = quota.settings.window(at: now)
            var used = usage[quota.name] ?? Usage(window: window, count: 0)
            if used.window != window { used = Usage(window: window, count: 0) }
            guard used.count < quota.settings.limit else {
                usage[quota.name] = used
                throw .quotaExceeded
            }
            used.count += 1
            usage[quota.name] = used
        }
        for demand in demands { buckets[demand.name]?.bucket.take() }
    }

    /// What quotas have counted: kept over restarts.
    package var json: JSONValue {
        .object(
            JSONObject(
                usage.sorted { $0.key < $1.key }.map { name, used in
                    (
                        key: name,
                        value: ["window": .string(used.window), "count": .int(used.count)]
                    )
                }))
    }

    /// Goes on counting where `json` was.
    package mutating func restore(_ json: JSONValue) {
        for (name, value) in json.objectValue?.members ?? [] {
            guard let window = value["window"]?.stringValue, let count = value["count"]?.intValue
            else { continue }
            usage[name] = Usage(window: window, count: count)
        }
    }

    /// How much a quota has counted in the period of `now`.
    package func used(_ quota: QuotaDemand, at now: Timestamp) -> Int64 {
        guard let used = usage[quota.name], used.window == quota.settings.window(at: now) else {
            return 0
        }
        return used.count
    }
}
