/// Connections by how long nothing has been asked on them. To look through all of them for each
/// newcomer would be dear; who is idle since later comes after all of these, so they can be used up
/// before anybody looks again.
struct IdleOrder: Sendable {
    /// The longest idle last.
    private var order: [(connection: CInt, since: UInt64)] = []

    init() {}

    init(_ idle: [(connection: CInt, since: UInt64)]) {
        order = idle.sorted { $0.since > $1.since }
    }

    /// The longest idle of those who are left; something may have been asked on it by now.
    mutating func next(since time: UInt64) -> (connection: CInt, since: UInt64)? {
        guard let next = order.last, next.since <= time else { return nil }
        return order.removeLast()
    }
}
