import JSON

/// Delayed messages beyond those that the state holds. They stay where the stream has them, and are
/// known by ranges of it, never by message: those that become visible in one second are a *lane*.
///
/// Lanes are consumed strictly in order. Those that are due become one where they can, so there are
/// never many more than the longest delay has seconds.
struct DelayedBacklog: Equatable, Sendable {
    struct Lane: Equatable, Sendable {
        /// Its messages become visible from `from` to `until`, both included: one moment as long as
        /// that lies ahead.
        var from: Timestamp
        var until: Timestamp
        /// All that stand from here on are still to be read.
        var cursor: Head
        var count: UInt64
        /// Messages of it that stand before its cursor are gone. Not the first lane alone can be:
        /// an earlier one may have come since.
        var isBegun = false
        /// FIFO: milliseconds by which a change of the queue's delay has moved it since its
        /// messages were sent.
        var shift: Int64 = 0

        /// When the last of its messages becomes visible.
        var visibleAt: Timestamp { visible(until) }

        /// When those become visible of which the journal says `due`.
        func visible(_ due: Timestamp) -> Timestamp {
            Timestamp(milliseconds: due.milliseconds + shift)
        }

        func holds(_ due: Timestamp) -> Bool { from <= due && due <= until }
    }

    /// In order of time.
    private(set) var lanes: [Lane] = []
    private(set) var count: UInt64 = 0

    var isEmpty: Bool { lanes.isEmpty }
    /// When the last one was to become visible.
    var last: Timestamp? { lanes.last?.until }
    /// By how much what comes is moved, as the last one is.
    var shift: Int64 { lanes.last?.shift ?? 0 }
    /// Where the first of them stands.
    var start: Head? { lanes.map(\.cursor).min() }

    func hasDue(at now: Timestamp) -> Bool { lanes.first.map { $0.visibleAt <= now } ?? false }

    /// Messages that are not yet visible.
    func undue(at now: Timestamp) -> UInt64 {
        lanes.reversed().prefix { $0.visibleAt > now }.reduce(0) { $0 + $1.count }
    }

    func nextDue(after now: Timestamp) -> Timestamp? {
        lanes.first { $0.visibleAt > now }?.visibleAt
    }

    /// Where the first of those stands that are visible.
    func visibleStart(at now: Timestamp) -> Head? {
        lanes.prefix { $0.visibleAt <= now }.map(\.cursor).min()
    }

    /// How many are left after a step.
    func count(after step: DelayedStep?) -> UInt64 {
        guard let step else { return count }
        return lanes.reduce(0) { sum, lane in
            if lane.until < step.until { return sum }
            return sum + (lane.until == step.until ? step.left : lane.count)
        }
    }

    func holds(_ due: Timestamp, at position: Head) -> Bool {
        visible(due, at: position) != nil
    }

    /// When what stands there and was to become visible at `due` does; `nil` if it is gone.
    func visible(_ due: Timestamp, at position: Head) -> Timestamp? {
        guard let lane = lanes.first(where: { $0.holds(due) }), lane.cursor <= position else {
            return nil
        }
        return lane.visible(due)
    }

    // MARK: changes, used by `apply` alone

    /// Moves those that are not yet visible.
    mutating func shift(by milliseconds: Int64, at time: Timestamp) {
        for index in lanes.indices where lanes[index].visibleAt > time {
            lanes[index].shift += milliseconds
        }
    }

    mutating func add(_ due: Timestamp, at position: Head) {
        count += 1
        let index = lanes.firstIndex { due <= $0.until } ?? lanes.count
        if index < lanes.count, lanes[index].holds(due) {
            lanes[index].count += 1
        } else {
            lanes.insert(
                Lane(from: due, until: due, cursor: position, count: 1, shift: shift), at: index)
        }
    }

    mutating func apply(_ step: DelayedStep) {
        lanes.removeAll { $0.until < step.until }
        if let first = lanes.first, first.until == step.until {
            lanes[0].cursor = step.cursor
            lanes[0].count = step.left
            lanes[0].isBegun = true
            if step.left == 0 { lanes.removeFirst() }
        }
        count = lanes.reduce(0) { $0 + $1.count }
    }

    /// Makes one of what is due, but for lanes whose cursor would go back to what is gone.
    mutating func merge(upTo time: Timestamp) {
        guard lanes.count > 1 else { return }
        var index = 0
        while index + 1 < lanes.count, lanes[index + 1].visibleAt <= time {
            let (lane, next) = (lanes[index], lanes[index + 1])
            // The first counts as begun, as it always has: what journals say of lanes rests on it.
            guard index > 0 && !lane.isBegun || lane.cursor <= next.cursor,
                !next.isBegun || next.cursor <= lane.cursor
            else {
                index += 1
                continue
            }
            lanes.remove(at: index + 1)
            lanes[index].until = next.until
            lanes[index].shift = next.shift
            lanes[index].cursor = min(lane.cursor, next.cursor)
            lanes[index].count += next.count
            lanes[index].isBegun = lane.isBegun || next.isBegun
        }
    }

    // MARK: in base records

    var json: JSONValue {
        .array(
            lanes.map { lane in
                let parts: [JSONValue] = [
                    .int(lane.from.milliseconds), .int(lane.until.milliseconds), lane.cursor.json,
                    .int(Int64(clamping: lane.count)), .bool(lane.isBegun),
                ]
                return .array(lane.shift == 0 ? parts : parts + [.int(lane.shift)])
            })
    }

    init() {}

    init(json: JSONValue?) {
        for value in json?.arrayValue ?? [] {
            guard let parts = value.arrayValue, parts.count >= 4, let from = parts[0].intValue,
                let until = parts[1].intValue, let cursor = Head(json: parts[2]),
                let count = parts[3].intValue, count > 0
            else { continue }
            // An earlier version did not say so, and began the first alone.
            let isBegun = parts.count > 4 ? parts[4] == .bool(true) : lanes.isEmpty
            lanes.append(
                Lane(
                    from: Timestamp(milliseconds: from), until: Timestamp(milliseconds: until),
                    cursor: cursor, count: UInt64(count), isBegun: isBegun,
                    shift: parts.count > 5 ? parts[5].intValue ?? 0 : 0))
            self.count += UInt64(count)
        }
    }
}

/// How far a receive came: lanes before that of `until` are done, and that one goes on at `cursor`
/// with `left` messages.
package struct DelayedStep: Equatable, Sendable {
    var until: Timestamp
    var cursor: Head
    var left: UInt64
}

extension DelayedStep {
    var json: JSONValue { [.int(until.milliseconds), cursor.json, .int(Int64(clamping: left))] }

    init?(json: JSONValue?) {
        guard let parts = json?.arrayValue, parts.count == 3, let until = parts[0].intValue,
            let cursor = Head(json: parts[1]), let left = parts[2].intValue
        else { return nil }
        self.init(
            until: Timestamp(milliseconds: until), cursor: cursor, left: UInt64(clamping: left))
    }
}

/// Walks along the lanes in order.
struct DelayedWalk<Stream: MessageStream> {
    private let lanes: [DelayedBacklog.Lane]
    private let origin: Stream
    private var index = 0
    /// Of the lane at `index`.
    private var cursor: Head
    private var left: UInt64
    private var stream: Stream?
    private var ahead: StreamEntry?

    /// `nil` if there is nothing to walk along.
    init?(_ backlog: DelayedBacklog, _ stream: Stream) {
        guard let first = backlog.lanes.first else { return nil }
        lanes = backlog.lanes
        origin = stream
        cursor = first.cursor
        left = first.count
    }

    /// The next message that is visible at `now`, without going past it; `nil` if there is none, or
    /// the budget is used up.
    mutating func peek(upTo now: Timestamp, _ budget: inout Int) throws -> StreamEntry? {
        if let ahead { return ahead }
        while budget > 0 {
            if left == 0 {
                guard index + 1 < lanes.count else { return nil }
                index += 1
                cursor = lanes[index].cursor
                left = lanes[index].count
                stream = nil
            }
            guard lanes[index].visibleAt <= now else { return nil }
            var stream = self.stream ?? origin.from(cursor)
            budget -= 1
            let next = try stream.next()
            self.stream = stream
            guard let next else {
                left = 0
                continue
            }
            if let due = next.past?.due, lanes[index].holds(due) {
                ahead = next
                return next
            }
            cursor = next.after
        }
        return nil
    }

    mutating func advance() {
        guard let next = ahead else { return }
        ahead = nil
        cursor = next.after
        left -= 1
    }

    /// How far it came; `nil` if nowhere.
    var step: DelayedStep? {
        let step = DelayedStep(until: lanes[index].until, cursor: cursor, left: left)
        let isStart = index == 0 && cursor == lanes[0].cursor && left == lanes[0].count
        return isStart ? nil : step
    }

}
