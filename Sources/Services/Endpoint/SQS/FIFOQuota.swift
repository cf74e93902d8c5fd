import GatewayModel
import QueueModel
import Synchronization

/// AWS's rate for FIFO queues without high throughput (SQS Developer Guide, *quotas-messages*):
/// 300 calls a second of each kind, batches as single calls. For the queues that ask for it.
final class FIFOQuota: Sendable {
    static let callsPerSecond: Int64 = 300

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

    private let queues: Set<String>
    private let clock: StackClock
    /// Four a queue at most.
    private let buckets = Mutex<[Key: TokenBucket]>([:])

    init(queues: Set<String>, clock: StackClock) {
        self.queues = queues
        self.clock = clock
    }

    /// Counts a call on a queue's messages.
    func take(_ operation: SQSOperation, of queue: String) throws(SQSError) {
        guard !queues.isEmpty, queues.contains(queue) else { return }
        let kind: Kind
        switch operation {
        case .sendMessage, .sendMessageBatch: kind = .send
        case .receiveMessage: kind = .receive
        case .deleteMessage, .deleteMessageBatch: kind = .delete
        default: kind = .changeVisibility
        }
        let now = clock.now()
        let rate = ThrottleSettings(rate: Self.callsPerSecond, burst: Self.callsPerSecond)
        let isTaken = buckets.withLock { buckets -> Bool in
            let key = Key(queue: queue, kind: kind)
            var bucket = buckets[key] ?? TokenBucket(rate, at: now)
            defer { buckets[key] = bucket }
            guard bucket.hasToken(at: now) else { return false }
            bucket.take()
            return true
        }
        guard isTaken else { throw .requestThrottled }
    }
}
