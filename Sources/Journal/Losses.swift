/// A record's claim on durability, to be waited for.
package struct DurabilityTicket: Sendable {
    var n: UInt64
    /// How many losses its journal had had when it was handed out.
    var epoch: Int
}

/// What a process has lost of its own records: those that it appended, and did not find again when
/// another file took the place of theirs. What follows a lost record is lost as well, or rests on
/// it; later records get its number again.
struct Losses: Sendable {
    /// Tickets that have seen fewer than all but so many losses count as lost.
    private static let limit = 16

    /// How many there were.
    private(set) var epoch = 0
    /// The first record of each of the last ones.
    private var firsts: [UInt64] = []

    mutating func add(_ first: UInt64) {
        epoch += 1
        if firsts.count == Self.limit { firsts.removeFirst() }
        firsts.append(first)
    }

    /// Whether what the ticket waits for is lost.
    func cover(_ ticket: DurabilityTicket) -> Bool {
        guard ticket.epoch < epoch else { return false }
        let since = firsts.suffix(epoch - ticket.epoch)
        return since.count < epoch - ticket.epoch || since.contains { $0 <= ticket.n }
    }
}
