import JSON
import Journal
import Posix
import QueueModel

extension Queue {
    /// Waiting looks again at least so often, should a wake-up be missed.
    private static let longestWait: Duration = .seconds(5)
    /// A receive goes past so many stretches of expired or blocked messages at most.
    private static let looks = 1000
    /// How often it looks where the system offers no notice of changes.
    private static let fallbackWait: Duration = .milliseconds(20)

    /// Receives, and waits for a message to come if there is none, or no more may be in flight
    /// (long polling). The wait ends early when `isCancelled` says so.
    ///
    /// - Parameters:
    ///   - wait: 0 to 20 s; `nil` is the queue's own.
    ///   - attempt: `ReceiveRequestAttemptId`: within five minutes the same one gives the same
    ///     messages again (FIFO; elsewhere without effect).
    ///   - isCounted: whether an empty one counts in the queue's metrics.
    ///   - interruption: makes a wait ask `isCancelled` at once.
    /// - Throws: `SQSError.overLimit` where no more may be in flight, of who does not wait.
    package func receive(
        upTo limit: Int, timeoutSeconds: Int64? = nil, wait: Duration? = nil,
        attempt: String? = nil, movingTo directory: QueueDirectory? = nil,
        isCounted: Bool = true, interruption: Interruption? = nil,
        isCancelled: () -> Bool = { false }
    ) throws -> [Delivery] {
        let deliveries = try waitAndReceive(
            upTo: limit, timeoutSeconds: timeoutSeconds, wait: wait, attempt: attempt,
            movingTo: directory, interruption: interruption, isCancelled: isCancelled)
        let isReceive = isCounted || !deliveries.isEmpty
        observe(
            QueueActivity(queue: name, kind: isReceive ? .received(deliveries.count) : .polled))
        return deliveries
    }

    private func waitAndReceive(
        upTo limit: Int, timeoutSeconds: Int64?, wait: Duration?, attempt: String?,
        movingTo directory: QueueDirectory?, interruption: Interruption?,
        isCancelled: () -> Bool
    ) throws -> [Delivery] {
        let patience = try wait ?? .seconds(settings.receiveWaitTimeSeconds)
        func lookOnce() throws -> [Delivery] {
            var received = try receiveNow(
                upTo: limit, timeoutSeconds: timeoutSeconds, attempt: attempt)
            var looks = 1
            while received.isOnTheWay, looks < Self.looks, !isCancelled() {
                received = try receiveNow(
                    upTo: limit, timeoutSeconds: timeoutSeconds, attempt: attempt)
                looks += 1
            }
            // What was received is given out, whatever becomes of those on their way.
            if received.hasTransfers { try? directory?.finishTransfers(of: self) }
            return received.deliveries
        }
        func look() throws -> [Delivery] {
            do {
                let deliveries = try lookOnce()
                guard deliveries.isEmpty, directory?.finishArrivals(at: name) == true else {
                    return deliveries
                }
                return try lookOnce()
            } catch let error as SQSError where error == .overLimit && patience > .zero {
                return []
            }
        }
        var deliveries = try look()
        guard deliveries.isEmpty, patience > .zero else { return deliveries }
        let deadline = SystemClock.monotonicNanoseconds() + patience.nanoseconds
        let watch = try? DirectoryWatch(journal.folder)
        while !isCancelled() {
            // The watch stands before this look, so nothing slips between look and wait.
            let now = SystemClock.monotonicNanoseconds()
            deliveries = try look()
            guard deliveries.isEmpty, now < deadline else { return deliveries }
            let time = environment.clock.now()
            let wake = try journal.read { $0.state.queue.nextWake(after: time) }
            var pause = Duration.nanoseconds(Int64(deadline - now))
            pause = min(pause, watch == nil ? Self.fallbackWait : Self.longestWait)
            if let wake { pause = min(pause, wake - time) }
            let milliseconds = Int32(max(1, pause.wholeMilliseconds))
            if watch?.wait(milliseconds: milliseconds, unless: interruption) == nil {
                if let interruption {
                    interruption.wait(milliseconds: milliseconds)
                } else {
                    SystemClock.pause(microseconds: UInt32(milliseconds) * 1000)
                }
            }
        }
        return []
    }
}
