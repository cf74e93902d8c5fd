import Crypto
import Journal
import Posix
import QueueModel

/// What queues take from the world: time, files, randomness. By default the real ones; a simulator
/// brings its own.
package struct QueueEnvironment: Sendable {
    package var clock = StackClock()
    package var storage: any JournalStorage = DiskStorage()
    /// 64 unpredictable bits: receipt handles rest on them.
    package var randomBits: @Sendable () -> UInt64 = { RandomBytes.uint64() }
    /// A fresh UUID.
    package var messageID: @Sendable () -> MessageID = { MessageID(uuid: RandomBytes.uuidBits()) }
    /// Tells what processes leave for a moment from each other's.
    package var processID: Int32 = ProcessEnvironment.processID
    /// Whether a process is there, so that what it leaves for a moment is its own.
    package var isRunning: @Sendable (Int32) -> Bool = { ProcessEnvironment.isRunning($0) }
    /// Runs what nobody waits for (`Queue.submit…`).
    package var execute: JournalExecution = { JournalWorkers.pool.execute($0) }

    /// The monotonic clock.
    package var nanoseconds: @Sendable () -> UInt64 = SystemClock.monotonicNanoseconds
    /// The event loop on whose thread it is called.
    package var currentLoop: @Sendable () -> (any JournalLoop)? = { EventLoop.current }

    /// So many messages a queue's state may hold; those beyond that wait stay in the journal alone.
    package var heldWaiting = QueueLimits.heldWaiting

    package init() {}
}
