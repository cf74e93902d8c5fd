import Posix

extension JournalError: CustomStringConvertible {
    /// What happened, for whoever asked: a sentence without its full stop.
    package var description: String {
        switch self {
        case .damaged(let file, let offset, let reason):
            "\(file) is damaged at byte \(offset): \(reason)"
        case .newerFormat(let file, let reason): "\(file) cannot be read: \(reason)"
        case .busy(let holder):
            "The queue has been locked by \(holder.map { "process \($0)" } ?? "another process") "
                + "for over 5 seconds"
        case .overloaded: "Too much waits for its turn on the queue"
        case .removed: "The queue was removed meanwhile"
        case .storage(let error): error.description
        case .notDurable: "The disk failed before the record was safe; it was not accepted"
        case .recordTooLarge(let bytes): "A record of \(bytes) bytes is too large for a journal"
        }
    }
}
