/// Messages by their place: all in one list, and a table that says where in it each stands. There
/// may be 120,000, and each is looked up several times.
package struct HeldMessages: Equatable, Sendable {
    /// In no order that means anything.
    package private(set) var values: [HeldMessage] = []
    /// A power of two of them, at least twice as many as messages; 0 is an empty one, else the
    /// message stands at that less 1. A message is in its own slot or in one of those behind it
    /// without an empty one between.
    private var slots: [UInt32] = []
    /// 64 less the number of bits of a slot's number.
    private var shift: UInt64 = 0

    package init() {}

    /// These; of several of one place the last.
    init(_ messages: consuming [HeldMessage]) {
        values = consume messages
        if !resize(for: values.count) {
            let all = values
            self = HeldMessages()
            for message in all { update(message) }
        }
    }

    package var count: Int { values.count }
    package var isEmpty: Bool { values.isEmpty }

    /// By their places; a copy of their numbers, not of them.
    var inOrder: some Sequence<HeldMessage> {
        let positions = (0..<UInt32(count)).sorted {
            values[Int($0)].entry.place < values[Int($1)].entry.place
        }
        return positions.lazy.map { values[Int($0)] }
    }

    /// How many to make room for. Where there are many it is as many as may be in flight: memory
    /// that is not used costs nothing, and grown step by step all would be there twice at times.
    static func room(for count: Int) -> Int {
        count < 8_192 ? 2 * count : max(count + count / 2, 131_072)
    }

    /// The message of a place; `nil` if there is none. Setting `nil` removes it.
    package subscript(place: Place) -> HeldMessage? {
        get { position(of: place).map { values[$0] } }
        set {
            if let newValue { update(newValue) } else { remove(place) }
        }
    }

    /// Where a place's message stands until the next change of another.
    func position(of place: Place) -> Int? {
        guard !values.isEmpty else { return nil }
        var slot = home(of: place)
        while slots[slot] != 0 {
            let position = Int(slots[slot]) - 1
            if values[position].entry.place == place { return position }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// The message that stands there. Its place must stay.
    subscript(at position: Int) -> HeldMessage {
        get { values[position] }
        _modify { yield &values[position] }
    }

    /// Puts a message in its place.
    mutating func update(_ message: HeldMessage) {
        if let position = position(of: message.entry.place) {
            values[position] = message
            return
        }
        if (values.count + 1) * 2 > slots.count { resize(for: values.count + 1) }
        if values.count == values.capacity { values.reserveCapacity(Self.room(for: count + 1)) }
        values.append(message)
        enter(values.count - 1)
    }

    @discardableResult
    mutating func remove(_ place: Place) -> HeldMessage? {
        guard let position = position(of: place) else { return nil }
        clear(slot(of: place, at: position))
        let last = values.count - 1
        if position < last {
            // The last one takes its place.
            slots[slot(of: values[last].entry.place, at: last)] = UInt32(position + 1)
            values.swapAt(position, last)
        }
        return values.removeLast()
    }

    package static func == (lhs: HeldMessages, rhs: HeldMessages) -> Bool {
        lhs.count == rhs.count && lhs.values.allSatisfy { rhs[$0.entry.place] == $0 }
    }

    // MARK: the table

    private func home(of place: Place) -> Int {
        // Places follow each other; Fibonacci's multiplier (Knuth, 6.4) scatters them.
        Int(truncatingIfNeeded: (place.packed &* 0x9E37_79B9_7F4A_7C15) >> shift)
    }

    private func slot(of place: Place, at position: Int) -> Int {
        var slot = home(of: place)
        while slots[slot] != UInt32(position + 1) { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    /// - Returns: `false` if another one of its place is there.
    @discardableResult
    private mutating func enter(_ position: Int) -> Bool {
        let place = values[position].entry.place
        var slot = home(of: place)
        while slots[slot] != 0 {
            if values[Int(slots[slot]) - 1].entry.place == place { return false }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = UInt32(position + 1)
        return true
    }

    /// Empties a slot, and moves those behind it up that may stand there.
    private mutating func clear(_ slot: Int) {
        let mask = slots.count - 1
        var hole = slot
        var next = (slot + 1) & mask
        while slots[next] != 0 {
            let home = home(of: values[Int(slots[next]) - 1].entry.place)
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = 0
    }

    /// - Returns: `false` if there are several of one place.
    @discardableResult
    private mutating func resize(for count: Int) -> Bool {
        guard count > 0 else { return true }
        var bits = 4
        while 1 << bits < 2 * count { bits += 1 }
        slots = [UInt32](repeating: 0, count: 1 << bits)
        shift = UInt64(64 - bits)
        return values.indices.allSatisfy { enter($0) }
    }
}
