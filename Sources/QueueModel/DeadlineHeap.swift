import JSON

/// Places ordered by when they become visible. Entries are never searched for: whoever reads checks
/// each against the message it names, and stale ones are dropped as they surface.
struct DeadlineHeap: Equatable, Sendable {
    struct Entry: Hashable, Comparable, Sendable {
        var time: Timestamp
        var place: Place

        // By their numbers: times' own operators are another module's, and each a call.
        static func == (lhs: Entry, rhs: Entry) -> Bool {
            lhs.time.milliseconds == rhs.time.milliseconds && lhs.place == rhs.place
        }
        static func < (lhs: Entry, rhs: Entry) -> Bool {
            let (left, right) = (lhs.time.milliseconds, rhs.time.milliseconds)
            return left != right ? left < right : lhs.place < rhs.place
        }
    }

    private(set) var entries: [Entry] = []

    var first: Entry? { entries.first }
    var count: Int { entries.count }

    /// Makes room for so many entries.
    mutating func reserve(_ count: Int) { entries.reserveCapacity(count) }

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0, case let parent = (child - 1) / 2, entries[child] < entries[parent] {
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        let last = entries.removeLast()
        guard !entries.isEmpty else { return }
        var hole = 0
        while case var child = 2 * hole + 1, child < entries.count {
            if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
            guard entries[child] < last else { break }
            entries[hole] = entries[child]
            hole = child
        }
        entries[hole] = last
    }

    /// Visits every entry up to `time`, in no order; reads those and their children alone.
    func forEach(upTo time: Timestamp, _ visit: (Entry) -> Void) {
        guard let first = entries.first, first.time <= time else { return }
        var open = [0]
        while let index = open.popLast() {
            guard index < entries.count, entries[index].time <= time else { continue }
            visit(entries[index])
            open.append(2 * index + 1)
            open.append(2 * index + 2)
        }
    }

    /// Visits entries in order until told to stop; reads no further than it must.
    func inOrder(_ visit: (Entry) throws -> Bool) rethrows {
        var open = DeadlineHeap()
        var indices: [Entry: [Int]] = [:]
        func add(_ index: Int) {
            guard index < entries.count else { return }
            if indices[entries[index], default: []].isEmpty { open.insert(entries[index]) }
            indices[entries[index], default: []].append(index)
        }
        add(0)
        while let entry = open.first {
            open.removeFirst()
            for index in indices.removeValue(forKey: entry) ?? [] {
                guard try visit(entry) else { return }
                add(2 * index + 1)
                add(2 * index + 2)
            }
        }
    }

    /// The earliest entry later than `time` that `isTrue`; reads no further than it must.
    func first(after time: Timestamp, where isTrue: (Entry) -> Bool) -> Entry? {
        var found: Entry?
        var open = [0]
        while let index = open.popLast() {
            guard index < entries.count else { continue }
            let entry = entries[index]
            if let found, found < entry { continue }
            if entry.time > time, isTrue(entry) {
                found = entry
            } else {
                open.append(2 * index + 1)
                open.append(2 * index + 2)
            }
        }
        return found
    }
}
