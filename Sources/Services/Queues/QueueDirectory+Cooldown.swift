import JSON
import Journal
import Posix
import QueueModel

/// A name is not free for a minute after its queue was removed (SQS, *DeleteQueue*): who still
/// holds the old queue's URL should not meet another queue under it.
extension QueueDirectory {
    /// When a queue was removed is noted beside the queues, in a file that no queue can be.
    private static let prefix = "deleted-"

    private func notePath(_ name: String) -> String { hiddenPath(Self.prefix + name) }

    /// - Throws: `QueueError.deletedRecently`.
    func checkCooldown(_ name: String) throws {
        guard let deleted = removal(notedAt: notePath(name)) else { return }
        let left = QueueLimits.recreateInterval - (environment.clock.now() - deleted)
        // A clock that was set back does not make it longer.
        guard left > .zero, left <= QueueLimits.recreateInterval else { return }
        throw QueueError.deletedRecently(
            name, secondsLeft: Int((left.wholeMilliseconds + 999) / 1000))
    }

    /// Notes a removal, and forgets those of over a minute ago. Nothing depends on it that could
    /// be lost: where it cannot be written, there is no cool-down.
    func noteRemoval(_ name: String) {
        let now = environment.clock.now()
        let hidden = "." + Self.prefix
        for file in (try? storage.list(folder)) ?? [] where file.hasPrefix(hidden) {
            let path = "\(folder)/\(file)"
            guard let time = removal(notedAt: path),
                now - time < QueueLimits.recreateInterval
            else {
                try? storage.remove(path)
                continue
            }
        }
        guard let file = try? storage.open(notePath(name), creating: true) else { return }
        try? file.truncate(to: 0)
        try? file.writeAll(Array(String(now.milliseconds).utf8), at: 0)
    }

    func forgetRemoval(_ name: String) { try? storage.remove(notePath(name)) }

    private func removal(notedAt path: String) -> Timestamp? {
        guard let file = try? storage.open(path, creating: false),
            let size = try? file.status().size, size <= 20,
            let bytes = try? file.bytes(at: 0, count: Int(size)),
            let time = Int64(String(decoding: bytes, as: UTF8.self))
        else { return nil }
        return Timestamp(milliseconds: time)
    }
}
