import JSON
import QueueModel
import Synchronization

/// AWS's rate for FIFO queues without high throughput (SQS Developer Guide, *quotas-messages*):
/// 300 calls of each kind in any second, batches as single calls. For the queues that ask for it.
final class FIFOQuota: Sendable {
    static let callsPerSecond = 300

    private enum Kind {
        case send
        case receive
        case delete
        case changeVisibility
    }

    private struct Key: Hashable {
        var queue: String
        var kind: Kind
    }

    /// When the last calls of a kind were taken, up to 300 of them.
    private struct Calls {
        private var times: [Timestamp] = []
        /// Where the oldest is, once there are that many.
        private var oldest = 0

        mutating func take(at now: Timestamp) -> Bool {
            guard times.count == FIFOQuota.callsPerSecond else {
                times.append(now)
                return true
            }
            // A clock that stepped back holds nobody up.
            guard now - times[oldest] >= .seconds(1) || now < times[oldest] else { return false }
            times[oldest] = now
            oldest = (oldest + 1) % times.count
            return true
        }
    }

    private let queues: Set<String>
    private let clock: StackClock
    /// Four a queue at most.
    private let calls = Mutex<[Key: Calls]>([:])

    init(queues: Set<String>, clock: StackClock) {
        self.queues = queues
        self.clock = clock
    }

    /// Counts a call on a queue's messages.
    ///
    /// - Parameter isHighThroughput: whether the queue has no such rate now.
    func take(
        _ operation: SQSOperation, of queue: String,
        isHighThroughput: @autoclosure () -> Bool = false
    ) throws(SQSError) {
        guard !queues.isEmpty, queues.contains(queue), !isHighThroughput() else { return }
        let kind: Kind
        switch operation {
        case .sendMessage, .sendMessageBatch: kind = .send
        case .receiveMessage: kind = .receive
        case .deleteMessage, .deleteMessageBatch: kind = .delete
        default: kind = .changeVisibility
        }
        let now = clock.now()
        let key = Key(queue: queue, kind: kind)
        guard calls.withLock({ $0[key, default: Calls()].take(at: now) }) else {
            throw .requestThrottled
        }
    }
}
