import Journal
import Posix
import QueueModel

extension Queue {
    /// Following looks again at least so often, should a wake-up be missed.
    private static let longestPause: Int32 = 1000
    /// How often it looks where the system offers no notice of changes.
    private static let shortestPause: Int32 = 20

    /// Visits the last events of the journal, oldest first; then, if `isFollowing`, what comes,
    /// until `isCancelled` says so. Holds the lock for a look only, and one record in memory.
    ///
    /// - Parameters:
    ///   - count: how many of those that are there already; `nil`: all since the last repair.
    ///   - isCancelled: asked after each wait.
    /// - Throws: `JournalError.removed` once the queue is.
    package func tail(
        last count: Int?, isFollowing: Bool, isCancelled: () -> Bool,
        _ visit: (QueueEvent) throws -> Void
    ) throws {
        // The watch stands before the first look, so nothing slips between look and wait.
        let watch = isFollowing ? try? DirectoryWatch(journal.folder) : nil
        var history = try QueueHistory(self)
        var (location, passed) =
            try count.map { try Self.start(of: $0, history) }
            ?? (Self.startBehindRepair(history), 0)
        var next: UInt64?
        while !isCancelled() {
            try Self.visit(&history, from: location, passing: passed, &next, visit)
            guard isFollowing else { return }
            location = history.journal.end
            passed = 0
            repeat {
                let pause = watch == nil ? Self.shortestPause : Self.longestPause
                if watch?.wait(milliseconds: pause) == nil {
                    SystemClock.pause(microseconds: UInt32(pause) * 1000)
                }
                history = try QueueHistory(self)
            } while history.journal.end == location && !isCancelled()
        }
    }

    /// The record to begin with, and how many of its events to pass over.
    private static func start(
        of count: Int, _ history: QueueHistory
    ) throws -> (location: RecordLocation, passed: Int) {
        var found = 0
        var location = history.journal.end
        if count > 0 {
            try history.journal.backwards { line in
                found += try QueueEvent.events(of: line).count
                location = line.location
                return found < count
            }
        }
        return (location, max(0, found - count))
    }

    /// A repair is over with a base record, where no other stands: not at a segment's beginning.
    private static func startBehindRepair(_ history: QueueHistory) throws -> RecordLocation {
        var location = history.journal.end
        try history.journal.backwards { line in
            if line.location.offset > 0,
                case .base = try line.bytes.withUnsafeBytes({ try QueueRecord(line: $0) })
            {
                return false
            }
            location = line.location
            return true
        }
        return location
    }

    /// - Parameter next: the number that the next record should have.
    private static func visit(
        _ history: inout QueueHistory, from location: RecordLocation, passing passed: Int,
        _ next: inout UInt64?, _ visit: (QueueEvent) throws -> Void
    ) throws {
        var records = history.journal.records(from: location)
        var passed = passed
        while let line = try records.next() {
            if let next, line.n > next {
                try visit(QueueEvent(.notRetained(records: line.n - next), at: line.time))
            }
            next = line.n + 1
            for event in try QueueEvent.events(of: line) {
                guard passed == 0 else {
                    passed -= 1
                    continue
                }
                var event = event
                if event.body == nil, let place = event.place,
                    let message = try history.message(at: place)
                {
                    try event.describe(message)
                }
                try visit(event)
            }
        }
    }
}
