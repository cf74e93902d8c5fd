/// FIFO: the held messages of one group, in order.
struct MessageGroup: Equatable, Sendable {
    /// Sorted; those before `start` are gone. Most leave at the front, and none is searched for.
    private var places: [Place] = []
    private var start = 0
    /// Where it stands as `readyGroups` was last told; `nil` while it waits.
    var announced: DeadlineHeap.Entry?

    var live: ArraySlice<Place> { places[start...] }
    var first: Place? { start < places.count ? places[start] : nil }
    var isEmpty: Bool { start == places.count }

    mutating func insert(_ place: Place) {
        guard let last = places.last, place < last else { return places.append(place) }
        places.insert(place, at: index(of: place))
    }

    mutating func remove(_ place: Place) {
        let index = index(of: place)
        guard index < places.count, places[index] == place else { return }
        guard index == start else {
            places.remove(at: index)
            return
        }
        start += 1
        if start > 64, start > places.count / 2 {
            places.removeFirst(start)
            start = 0
        }
    }

    private func index(of place: Place) -> Int {
        var low = start
        var high = places.count
        while low < high {
            let middle = (low + high) / 2
            if places[middle] < place { low = middle + 1 } else { high = middle }
        }
        return low
    }

    static func == (lhs: MessageGroup, rhs: MessageGroup) -> Bool { lhs.live == rhs.live }
}
