import JSON

/// How many messages were sent when, in slots of 1/256 of the retention period: what a queue knows
/// of its backlog's age without looking at it.
///
/// Bounded whatever the backlog: at most `slotLimit` slots.
struct SentTimes: Equatable, Sendable {
    struct Slot: Equatable, Sendable {
        /// The slot's beginning, in widths.
        var key: Int64
        var count: UInt64
    }

    /// A retention period has so many slots.
    static let slotsByRetention: Int64 = 256
    private static let slotLimit = 512

    /// Milliseconds.
    private(set) var width: Int64
    /// Oldest first, none empty.
    private(set) var slots: [Slot] = []

    init(retentionSeconds: Int64) {
        width = max(1, retentionSeconds * 1000 / Self.slotsByRetention)
    }

    var count: UInt64 { slots.reduce(0) { $0 + $1.count } }

    /// The earliest moment at which a message may have been sent.
    var oldest: Timestamp? { slots.first.map { Timestamp(milliseconds: $0.key * width) } }

    /// How many were certainly sent at or before `time`.
    func count(upTo time: Timestamp) -> UInt64 {
        var sum: UInt64 = 0
        for slot in slots {
            guard (slot.key + 1) * width <= time.milliseconds else { break }
            sum += slot.count
        }
        return sum
    }

    /// The earliest moment of sending among those that may have been sent after `time`.
    func oldest(after time: Timestamp) -> Timestamp? {
        let slot = slots.first { ($0.key + 1) * width > time.milliseconds }
        return slot.map { max(time, Timestamp(milliseconds: $0.key * width)) }
    }

    mutating func add(_ sent: Timestamp, _ count: UInt64 = 1) {
        let key = sent.milliseconds / width
        if let last = slots.last, last.key == key {
            slots[slots.count - 1].count += count
        } else if slots.last.map({ $0.key < key }) ?? true {
            slots.append(Slot(key: key, count: count))
        } else if case let index = index(of: key), slots[index].key == key {
            slots[index].count += count
        } else {
            slots.insert(Slot(key: key, count: count), at: index(of: key))
        }
        guard slots.count > Self.slotLimit else { return }
        // The oldest are past their retention; counted as younger, they expire no earlier.
        slots[1].count += slots[0].count
        slots.removeFirst()
    }

    /// One message less. Where its slot is not known any more, the next younger one gives way.
    mutating func remove(_ sent: Timestamp) {
        guard !slots.isEmpty else { return }
        let index = min(index(of: sent.milliseconds / width), slots.count - 1)
        slots[index].count -= 1
        if slots[index].count == 0 { slots.remove(at: index) }
    }

    /// So many less of the oldest.
    mutating func removeOldest(_ count: UInt64) {
        var left = count
        while left > 0, let first = slots.first {
            guard first.count <= left else {
                slots[0].count -= left
                return
            }
            left -= first.count
            slots.removeFirst()
        }
    }

    /// The same counts for another period.
    func resized(retentionSeconds: Int64) -> SentTimes {
        var other = SentTimes(retentionSeconds: retentionSeconds)
        guard other.width != width else { return self }
        // A message counts as sent at its slot's end: never as expired too early.
        for slot in slots {
            other.add(Timestamp(milliseconds: (slot.key + 1) * width - 1), slot.count)
        }
        return other
    }

    /// The first slot that is not before `key`.
    private func index(of key: Int64) -> Int {
        if let first = slots.first, first.key >= key { return 0 }
        var low = 0
        var high = slots.count
        while low < high {
            let middle = (low + high) / 2
            if slots[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    var json: JSONValue {
        .array(slots.map { [.int($0.key * width), .int(Int64(clamping: $0.count))] })
    }

    /// - Parameters:
    ///   - total: how many there are; what `json` does not tell of was sent at `time` or before.
    init(json: JSONValue?, retentionSeconds: Int64, total: UInt64, at time: Timestamp) {
        self.init(retentionSeconds: retentionSeconds)
        for value in json?.arrayValue ?? [] {
            guard let parts = value.arrayValue, parts.count == 2, let start = parts[0].intValue,
                let count = parts[1].intValue, count > 0
            else { continue }
            add(Timestamp(milliseconds: start), UInt64(count))
        }
        let known = count
        if known < total { add(time, total - known) }
        if known > total { removeOldest(known - total) }
    }
}
