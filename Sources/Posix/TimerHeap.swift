/// Timers by time, those of one time in the order in which they were set.
struct TimerHeap {
    struct Entry {
        var time: UInt64
        var number: UInt64
        var work: EventLoop.Work

        static func < (lhs: Entry, rhs: Entry) -> Bool {
            (lhs.time, lhs.number) < (rhs.time, rhs.number)
        }
    }

    private var entries: [Entry] = []
    private var numbers: Set<UInt64> = []

    var first: Entry? { entries.first }
    var count: Int { entries.count }
    func contains(_ number: UInt64) -> Bool { numbers.contains(number) }

    /// Those that stay stay in their order.
    mutating func remove(_ gone: Set<UInt64>) {
        let left = entries.filter { !gone.contains($0.number) }
        self = TimerHeap()
        for entry in left { insert(entry) }
    }

    mutating func insert(_ entry: Entry) {
        numbers.insert(entry.number)
        entries.append(entry)
        var child = entries.count - 1
        while child > 0, entries[child] < entries[(child - 1) / 2] {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() {
        guard let first = entries.first else { return }
        numbers.remove(first.number)
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
}

/// State that only the loop's thread may touch; anything else is a mistake and stops the process.
///
/// Public, as `with` is: the compiler inlines nothing of package access into other modules.
public final class LoopConfined<State>: @unchecked Sendable {
    @usableFromInline
    struct Place {
        @usableFromInline var isInUse = false
        @usableFromInline var state: State
    }

    // Safe to share: `with` refuses every other thread, and whoever is in it already. Not in the
    // object, where the runtime would see to the latter, for a hundred instructions each time.
    @usableFromInline let place = UnsafeMutablePointer<Place>.allocate(capacity: 1)
    @usableFromInline let loop: EventLoop

    package init(_ state: State, loop: EventLoop) {
        place.initialize(to: Place(state: state))
        self.loop = loop
    }

    deinit {
        place.deinitialize(count: 1)
        place.deallocate()
    }

    @inlinable
    public func with<R>(_ body: (inout State) throws -> R) rethrows -> R {
        precondition(loop.isOnLoop, "only on the event loop")
        precondition(!place.pointee.isInUse, "only one at a time")
        place.pointee.isInUse = true
        defer { place.pointee.isInUse = false }
        return try body(&place.pointee.state)
    }
}
