import JSON

/// What a queue must know of transfers for none to arrive twice, and none to be taken for another.
///
/// A queue that is made where one was removed goes on from that one's: a giver may still try to
/// finish a transfer that the old one has taken, and a new giver must not use an old one's numbers.
package struct TransferNumbers: Equatable, Sendable {
    /// The highest that it gave.
    package var last: UInt64 = 0
    /// The highest that it took from each giver.
    package var taken: [String: UInt64] = [:]

    package init() {}

    package init(json: JSONValue) {
        last = UInt64(clamping: json["last"]?.intValue ?? 0)
        for (giver, number) in json["taken"]?.objectValue?.members ?? [] {
            taken[giver] = UInt64(clamping: number.intValue ?? 0)
        }
    }

    package var json: JSONObject {
        [
            "last": .int(Int64(last)),
            "taken": .object(
                JSONObject(
                    taken.sorted { $0.key < $1.key }.map { ($0.key, .int(Int64($0.value))) })),
        ]
    }
}

extension QueueState {
    package var transferNumbers: TransferNumbers {
        var numbers = TransferNumbers()
        numbers.last = lastTransfer
        numbers.taken = taken
        return numbers
    }

    /// The base record of this state with another queue's numbers.
    package func continuing(_ numbers: TransferNumbers) -> QueueRecord {
        var copy = self
        copy.lastTransfer = numbers.last
        copy.taken = numbers.taken
        return copy.base
    }
}
