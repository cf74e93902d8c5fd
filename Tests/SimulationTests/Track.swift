/// What a queue was, from the last moment that a power cut cannot undo until now.
struct Track {
    private(set) var states: [NaiveQueue]
    /// What led from each state to the next.
    private(set) var operations: [Operation?] = []
    /// The number of the first state.
    private var base = 0

    init(_ state: NaiveQueue) { states = [state] }

    var current: NaiveQueue { states[states.count - 1] }
    /// The number of the present state.
    var currentIndex: Int { base + states.count - 1 }

    mutating func append(_ state: NaiveQueue, by operation: Operation?) {
        states.append(state)
        operations.append(operation)
    }

    /// The same to whoever looks, but for its books.
    mutating func replaceCurrent(_ state: NaiveQueue) { states[states.count - 1] = state }

    /// A power cut cannot go back behind state `index` any more.
    mutating func makeDurable(upTo index: Int) {
        let count = min(index - base, states.count - 1)
        guard count > 0 else { return }
        states.removeFirst(count)
        operations.removeFirst(count)
        base += count
    }

    /// Whether a message ever came here from another queue.
    func hasArrived(_ token: String) -> Bool {
        states.contains { $0.arrived[token, default: 0] > 0 }
    }

    /// How often a message can have left by now, or in an operation that was cut off.
    func departures(of token: String, in cutOff: Operation?) -> Int {
        let count = states.map { $0.departed[token] ?? 0 }.max() ?? 0
        guard let cutOff, cutOff.queue == current.name, !cutOff.isSingle else { return count }
        return count + (current.messages.contains { $0.token == token } ? 1 : 0)
    }

    /// After a power cut: the newest state that `view` may show. What came behind it is forgotten.
    ///
    /// - Parameter hasArrived: whether a message that left was ever seen where it was to go.
    mutating func recover(
        _ view: QueueView, last: Operation?, isElsewhere: (String) -> Bool,
        hasArrived: (String) -> Bool, departures: (String) -> Int
    ) throws(Violation) {
        var reason: Violation?
        for index in states.indices.reversed() {
            let operation = index < operations.count ? operations[index] : last
            // What was under way then would be somewhere: the cut went back behind its departure.
            let underWay = states[index].underWay.subtracting(states[index].cancelled)
            guard
                !view.isThere
                    || underWay.allSatisfy({ isElsewhere($0) || hasArrived($0) })
            else { continue }
            // What had come by then, and was too old to be seen, would be known here.
            guard
                !view.isThere
                    || states[index].taken.allSatisfy({ view.taken[$0.key, default: 0] >= $0.value }
                    )
            else { continue }
            do throws(Violation) {
                let found = try states[index].explain(
                    view, by: operation, isElsewhere: isElsewhere, departures: departures)
                base += index
                states = [found.next]
                operations = []
                return
            } catch {
                reason = reason ?? error
            }
        }
        throw Violation(
            "after a power cut \(states[0].name) is none of \(states.count) states that it may be"
                + (reason.map { ": " + $0.text } ?? ""))
    }
}
