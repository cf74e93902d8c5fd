import JSON

/// Places ordered by when they become visible. Entries are never searched for: whoever reads checks
/// each against the message it names, and stale ones are dropped as they surface.
struct DeadlineHeap: Equatable, Sendable {
    struct Entry: Equatable, Comparable, Sendable {
        var time: Timestamp
        var place: Place

        static func < (lhs: Entry, rhs: Entry) -> Bool {
            lhs.time != rhs.time ? lhs.time < rhs.time : lhs.place < rhs.place
        }
    }

    private(set) var entries: [Entry] = []

    var first: Entry? { entries.first }
    var count: Int { entries.count }

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0, case let parent = (child - 1) / 2, entries[child] < entries[parent] {
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child] < entries[least] {
                least = child
            }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }

    /// Calls `body` in order for entries up to `time`, until it says stop. Reads only what it must.
    func forEach(upTo time: Timestamp, _ body: (Entry) -> Bool) {
        var frontier = [0]
        while let index = frontier.indices.min(by: { less(frontier[$0], frontier[$1]) }) {
            let node = frontier.remove(at: index)
            guard node < entries.count, entries[node].time <= time else { continue }
            guard body(entries[node]) else { return }
            frontier.append(2 * node + 1)
            frontier.append(2 * node + 2)
        }
    }

    private func less(_ lhs: Int, _ rhs: Int) -> Bool {
        guard lhs < entries.count else { return false }
        guard rhs < entries.count else { return true }
        return entries[lhs] < entries[rhs]
    }
}
