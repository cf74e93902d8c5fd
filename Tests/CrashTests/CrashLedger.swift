import Foundation
import Synchronization

/// What a crash test knows, from what processes printed: intent is noted before a process starts,
/// an acknowledgement after it has ended well.
final class CrashLedger: Sendable {
    private struct Sighting {
        var from: Date
        var to: Date
    }

    private struct Book {
        var acknowledged: Set<String> = []
        var intended: Set<String> = []
        /// Messages for which a delete was tried, and when one was acknowledged.
        var deleting: Set<String> = []
        var deleted: [String: Date] = [:]
        var seen: [String: [Sighting]] = [:]
        var violations: [String] = []
        var kills: [String: Int] = [:]
    }

    private let book = Mutex(Book())
    /// No two receives of a message are closer than this, if it is not deleted or made visible.
    let visibility: TimeInterval

    init(visibility: TimeInterval) { self.visibility = visibility }

    var violations: [String] { book.withLock { $0.violations } }
    var acknowledged: Set<String> { book.withLock { $0.acknowledged } }
    var killCount: Int { book.withLock { $0.kills.values.reduce(0, +) } }
    var kills: [String: Int] { book.withLock { $0.kills } }
    /// Messages that are to be there in the end: sent for certain, and no delete was ever tried.
    var mustRemain: Set<String> { book.withLock { $0.acknowledged.subtracting($0.deleting) } }
    /// Messages that must not be there in the end.
    var mustBeGone: Set<String> { book.withLock { Set($0.deleted.keys) } }
    var intended: Set<String> { book.withLock { $0.intended } }

    func violate(_ text: String) { book.withLock { $0.violations.append(text) } }
    func intend(_ bodies: [String]) { book.withLock { $0.intended.formUnion(bodies) } }
    func acknowledge(_ bodies: [String]) { book.withLock { $0.acknowledged.formUnion(bodies) } }
    func intendDelete(_ bodies: [String]) { book.withLock { $0.deleting.formUnion(bodies) } }
    func acknowledgeDelete(_ bodies: [String]) {
        book.withLock { book in for body in bodies { book.deleted[body] = .now } }
    }
    func count(killAt place: String) { book.withLock { $0.kills[place, default: 0] += 1 } }

    /// A process that ran from `from` to `to` printed the message.
    func see(_ body: String, from: Date, to: Date) {
        book.withLock { book in
            if !book.intended.contains(body) { book.violations.append("\(body) was never sent") }
            if let deleted = book.deleted[body], deleted < from {
                book.violations.append("\(body) came back after its delete was acknowledged")
            }
            for other in book.seen[body] ?? []
            where max(to, other.to).timeIntervalSince(min(from, other.from)) < visibility {
                book.violations.append("\(body) was in flight twice")
            }
            book.seen[body, default: []].append(Sighting(from: from, to: to))
        }
    }

    /// The messages of one receive from a FIFO queue, `group-number`, in order: none of a group
    /// before another that must still be there.
    func checkOrder(_ bodies: [String]) {
        book.withLock { book in
            var last: [Substring: Int] = [:]
            for body in bodies {
                let parts = body.split(separator: "-")
                guard parts.count == 2, let number = Int(parts[1]) else { continue }
                if let before = last[parts[0]] {
                    if before >= number { book.violations.append("\(bodies) is out of order") }
                } else if let skipped = (0..<number).first(where: {
                    book.acknowledged.contains("\(parts[0])-\($0)")
                        && !book.deleting.contains("\(parts[0])-\($0)")
                }) {
                    book.violations.append("\(body) came before \(parts[0])-\(skipped)")
                }
                last[parts[0]] = number
            }
        }
    }
}
