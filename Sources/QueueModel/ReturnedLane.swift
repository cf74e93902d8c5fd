import JSON

/// Places in the order in which they became visible. As in `DeadlineHeap`, an entry counts only
/// while it still speaks of its message; whoever reads checks that.
struct ReturnedLane: Sendable {
    private(set) var entries: [DeadlineHeap.Entry] = []
    /// Where the entries begin; those before it are gone.
    private var start = 0

    var isEmpty: Bool { start == entries.count }
    var live: ArraySlice<DeadlineHeap.Entry> { entries[start...] }

    mutating func append(_ entry: DeadlineHeap.Entry) { entries.append(entry) }

    /// Drops what is stale at the front, and all that is once it outnumbers `true` entries.
    mutating func dropStale(atMost true: Int, where isStale: (DeadlineHeap.Entry) -> Bool) {
        while start < entries.count, isStale(entries[start]) { start += 1 }
        if start == entries.count {
            entries.removeAll(keepingCapacity: start < 1024)
            start = 0
        } else if entries.count - start > 2 * `true` + 64 {
            entries = entries[start...].filter { !isStale($0) }
            start = 0
        } else if start > 1024, start > entries.count / 2 {
            entries.removeFirst(start)
            start = 0
        }
    }
}
