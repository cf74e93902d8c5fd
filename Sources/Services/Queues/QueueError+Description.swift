import JSON
import Journal
import QueueModel

extension QueueError: CustomStringConvertible {
    /// What happened, for whoever asked: a sentence without its full stop.
    package var description: String {
        switch self {
        case .noSuchQueue(let name, _): "There is no queue '\(name)'"
        case .exists(let name): "The queue '\(name)' exists already"
        case .invalidName(let name): "'\(name)' cannot be a queue's name"
        case .deletedRecently: String(SQSError.queueDeletedRecently.message.dropLast())
        case .holdsMessages(let name, let count):
            "The queue '\(name)' holds \(count) message\(count == 1 ? "" : "s"), and they would be "
                + "lost"
        case .unclearSource(let name): "No queue sends its dead letters to '\(name)'"
        case .redriveDenied(let name, let target):
            "'\(target)' does not take the dead letters of '\(name)'"
        case .noMoveTask(let name): "No move task of '\(name)' is active"
        case .isBeingRedriven(let name, let holder):
            "'\(name)' is being redriven by \(holder.map { "process \($0)" } ?? "another process")"
        case .noSuchMessage(let id, _): "No record tells of a message '\(id)'"
        case .notRetained(let name, let oldest, n: 1):
            "The journal of '\(name)' begins at \(oldest.iso8601)"
        case .notRetained(let name, let oldest, let n):
            "What happened in '\(name)' before \(oldest.iso8601) (record \(n)) is not retained"
        case .journal(let error, _): error.description
        }
    }
}
