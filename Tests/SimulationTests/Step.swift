/// One thing that happens in a simulation, with everything that it needs to happen again: steps
/// can be left out without changing what the others do.
struct Step {
    struct Entry {
        var bytes: Int
        var group: String?
        var deduplicationID: String?
        var delaySeconds: Int64?
    }

    enum Setting {
        case visibilityTimeout(Int64)
        case retention(Int64)
        case maxReceiveCount(Int64)
        case delay(Int64)
    }

    /// What somebody does to a checkpoint. None of it may matter.
    enum Harm: CaseIterable {
        case remove
        /// Keeps a copy of today's.
        case keepOld
        /// Puts the copy in place of today's.
        case putOldBack
        case flipBit
        case cut
        case zeroEnd
    }

    enum Action: CustomStringConvertible {
        case send([Entry])
        /// FIFO: `attempt` is the name under which it may be repeated.
        case receive(limit: Int, timeoutSeconds: Int64, attempt: String?)
        /// Of the receipts that were given out: the nearest to each number.
        case delete([UInt64])
        case changeVisibility(UInt64, seconds: Int64)
        case purge
        case set(Setting)
        /// From the dead-letter queue back to its source.
        case redrive
        /// Waits until everything is on the disk.
        case settle
        /// The process ends well, and another takes its place.
        case restart
        case advanceClock(milliseconds: Int64)
        case losePower
        case harmCheckpoint(Harm)
        /// The queue, with its messages only if `force` is set.
        case remove(force: Bool)
        case create
        /// A send, receive, delete or change of visibility that nobody waits for.
        indirect case submit(Action)
        /// So many more bytes fit on the disk; `nil`: no end of them.
        case limitDisk(Int?)
    }

    var isSubmitted: Bool {
        if case .submit = action { true } else { false }
    }

    /// Whether it is an event loop that submits it.
    var isByLoop: Bool { isSubmitted && salt >> 8 & 1 == 0 }
    /// Whether another one submits a part of it meanwhile.
    var isByTwoLoops: Bool { isByLoop && salt >> 9 & 1 == 0 }

    /// What it does, waited for or not.
    var plainAction: Action {
        if case .submit(let action) = action { action } else { action }
    }

    /// Somebody else's step, run within this one: before the `call`th call that it makes while it
    /// holds no lock.
    struct Interruption {
        var call: Int
        var step: Step
    }

    var number: Int
    /// Of all chance within this step.
    var salt: UInt64
    var process: Int
    var queue: String
    var action: Action
    var faults: [Fault] = []
    var interruptions: [Interruption] = []
}
