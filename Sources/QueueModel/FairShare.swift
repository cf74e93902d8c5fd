import JSON

/// How long a tenant's messages were in flight lately: the sum over them, in two windows.
struct BusyTime: Equatable, Sendable {
    /// Milliseconds.
    static let window: Int64 = 60_000

    private(set) var number: Int64
    private(set) var previous: Int64 = 0
    private(set) var current: Int64 = 0
    private(set) var since: Timestamp

    init(at time: Timestamp) {
        number = time.milliseconds / Self.window
        since = time
    }

    /// Counts the time up to `time`, all of it with `inFlight` messages.
    mutating func advance(to time: Timestamp, inFlight: Int) {
        let now = time.milliseconds / Self.window
        if now > number {
            previous = now == number + 1 ? current : 0
            current = 0
            number = now
        }
        guard time > since else { return }
        current += Int64(inFlight) * min(time.milliseconds - since.milliseconds, 2 * Self.window)
        since = time
    }

    func total(at time: Timestamp, inFlight: Int) -> Int64 {
        var copy = self
        copy.advance(to: time, inFlight: inFlight)
        return copy.previous + copy.current
    }

    var json: [JSONValue] {
        [.int(number), .int(previous), .int(current), .int(since.milliseconds)]
    }

    init?(json: ArraySlice<JSONValue>) {
        let numbers = json.compactMap(\.intValue)
        guard numbers.count == 4 else { return nil }
        number = numbers[0]
        previous = numbers[1]
        current = numbers[2]
        since = Timestamp(milliseconds: numbers[3])
    }
}

/// What a message group of a standard queue uses of its consumers.
struct Tenant: Equatable, Sendable {
    /// As of the last record.
    var inFlight = 0
    var busy: BusyTime
    var lastSent: Timestamp
}

/// Messages of one tenant that the head has passed without taking them: all that stand between
/// `cursor` and the head.
package struct PassedMessages: Equatable, Sendable {
    package var cursor: Head
    package var count: UInt64
}

/// Who uses how much of a standard queue, and whom the head has passed. Empty, and without cost,
/// for a queue whose messages have no group.
struct FairShare: Equatable, Sendable {
    var tenants: [String: Tenant] = [:]
    private(set) var passed: [String: PassedMessages] = [:]
    /// How many they are.
    private(set) var passedCount: UInt64 = 0
    /// Of all messages, since the first tenant came.
    private var busy = BusyTime(at: Timestamp(milliseconds: 0))

    var isActive: Bool { !tenants.isEmpty || !passed.isEmpty }

    /// Notes what is left of a group's messages that the head has passed.
    mutating func pass(_ group: String, _ messages: PassedMessages) {
        let old = passed.removeValue(forKey: group)
        passedCount = passedCount - (old?.count ?? 0) + messages.count
        if messages.count > 0 { passed[group] = messages }
    }

    mutating func forgetPassed() {
        passed = [:]
        passedCount = 0
    }

    /// A message goes into flight (1), or is no longer (-1).
    ///
    /// - Parameter all: how many were in flight before, in the whole queue.
    mutating func change(_ group: String?, by sign: Int, all: UInt64, at time: Timestamp) {
        guard group != nil || !tenants.isEmpty else { return }
        if tenants.isEmpty { busy = BusyTime(at: time) }
        let window = busy.number
        busy.advance(to: time, inFlight: Int(all))
        if busy.number != window { prune() }
        guard let group else { return }
        var tenant = tenants[group] ?? Tenant(busy: BusyTime(at: time), lastSent: time)
        tenant.busy.advance(to: time, inFlight: tenant.inFlight)
        tenant.inFlight += sign
        let isIdle = tenant.inFlight == 0 && passed[group] == nil
        tenants[group] = isIdle && tenants.count > QueueLimits.idleTenants ? nil : tenant
    }

    /// Forgets who is idle, and was for a window.
    private mutating func prune() {
        tenants = tenants.filter { group, tenant in
            tenant.inFlight > 0 || passed[group] != nil || tenant.busy.number + 1 >= busy.number
        }
    }

    mutating func sent(_ group: String?, at time: Timestamp) {
        guard let group, !tenants.isEmpty else { return }
        tenants[group]?.lastSent = time
    }

    mutating func count(_ group: String, at time: Timestamp) {
        tenants[group, default: Tenant(busy: BusyTime(at: time), lastSent: time)].inFlight += 1
    }

    /// SQS Developer Guide, *sqs-fair-queues-detailed*: more than 10 % of what is in flight and 30
    /// messages of its own, or more than 10 % of recent processing time; quiet again once its
    /// backlog is gone, or after five minutes without a send.
    func isNoisy(_ group: String, all: UInt64, at now: Timestamp) -> Bool {
        guard let tenant = tenants[group] else { return passed[group] != nil }
        guard now - tenant.lastSent < QueueLimits.noisyInterval else { return false }
        if passed[group] != nil { return true }
        if tenant.inFlight >= QueueLimits.noisyInFlight, UInt64(tenant.inFlight) * 10 > all {
            return true
        }
        let own = tenant.busy.total(at: now, inFlight: tenant.inFlight)
        return own >= QueueLimits.noisyProcessing.wholeMilliseconds
            && own * 10 > busy.total(at: now, inFlight: Int(all))
    }

    var json: JSONValue {
        let tenants = tenants.sorted { $0.key < $1.key }.map { group, tenant -> JSONValue in
            .array(
                [.string(group), .int(tenant.lastSent.milliseconds)] + tenant.busy.json)
        }
        return [
            "busy": .array(busy.json), "tenants": .array(tenants),
            "passed": .array(passed.sorted { $0.key < $1.key }.map { $0.value.json($0.key) }),
        ]
    }

    init() {}

    /// Those in flight are counted by the caller.
    init(json: JSONValue?) {
        busy = BusyTime(json: (json?["busy"]?.arrayValue ?? [])[...]) ?? busy
        for value in json?["tenants"]?.arrayValue ?? [] {
            guard let parts = value.arrayValue, parts.count == 6, let group = parts[0].stringValue,
                let sent = parts[1].intValue, let busy = BusyTime(json: parts[2...])
            else { continue }
            tenants[group] = Tenant(busy: busy, lastSent: Timestamp(milliseconds: sent))
        }
        for value in json?["passed"]?.arrayValue ?? [] {
            if let (group, messages) = PassedMessages.read(value) { pass(group, messages) }
        }
    }
}

extension PassedMessages {
    func json(_ group: String) -> JSONValue {
        [.string(group), cursor.json, .int(Int64(clamping: count))]
    }

    static func read(_ json: JSONValue) -> (group: String, PassedMessages)? {
        guard let parts = json.arrayValue, parts.count == 3, let group = parts[0].stringValue,
            let cursor = Head(json: parts[1]), let count = parts[2].intValue
        else { return nil }
        return (group, PassedMessages(cursor: cursor, count: UInt64(clamping: count)))
    }
}
