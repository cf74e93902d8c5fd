/// First in, first out. Both ends cost the same however long the line is.
package struct WaitingLine<Element> {
    /// Those in front that have gone are cut off once there are so many, and as many as remain.
    private static var cut: Int { 32 }

    private var elements: [Element?] = []
    private var head = 0

    package init() {}

    package var count: Int { elements.count - head }
    package var isEmpty: Bool { head == elements.count }

    /// Whoever has waited longest.
    package var first: Element? { isEmpty ? nil : elements[head] }

    /// Changes those in front, so many at most.
    package mutating func change(first count: Int, _ body: (inout Element) -> Void) {
        for index in elements[head...].prefix(count).indices {
            guard var element = elements[index] else { continue }
            body(&element)
            elements[index] = element
        }
    }

    package mutating func append(_ element: Element) { elements.append(element) }

    /// - Returns: whoever has waited longest; `nil` if nobody waits.
    package mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let first = elements[head].take()
        head += 1
        if head >= Self.cut, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return first
    }

    /// Takes those out of whom `isUnwanted` says so; the rest keeps its turns.
    package mutating func remove(where isUnwanted: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for element in drain() {
            if isUnwanted(element) { removed.append(element) } else { append(element) }
        }
        return removed
    }

    /// Everybody who waits, in turn; the line is empty afterwards.
    package mutating func drain() -> [Element] {
        defer { self = WaitingLine() }
        return elements[head...].compactMap { $0 }
    }
}

extension WaitingLine: Sendable where Element: Sendable {}
