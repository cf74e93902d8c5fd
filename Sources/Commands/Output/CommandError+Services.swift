import Journal
import Posix
import QueueModel
import Services
import StackModel

extension CommandError {
    /// Every error that travels up to the command line, in the user's words.
    init(_ error: any Error) {
        switch error {
        case let error as CommandError: self = error
        case let error as SQSError:
            self.init(
                error == .queueDoesNotExist ? .notFound : .failure,
                "\(error.queryCode): \(error.message)")
        case let error as QueueError: self.init(error)
        case let error as JournalError: self.init(error, queue: nil)
        case let error as SystemError: self.init(.inputOutput, "\(error).")
        case let error as QueueRecordError:
            self.init(.damaged, "A journal holds a record that cannot be: \(error.message).")
        default: self.init(.failure, "\(error)")
        }
    }

    private init(_ error: QueueError) {
        switch error {
        case .noSuchQueue(let name, let existing):
            let near = closestMatch(to: name, among: existing)
            self.init(
                .notFound, "There is no queue '\(name)'.",
                hint: near.map { "Did you mean '\($0)'?" }
                    ?? "'msorch queue ls' lists them; 'msorch queue create \(name)' makes one."
            )
        case .exists(let name): self.init(.refused, "The queue '\(name)' exists already.")
        case .invalidName(let name):
            self.init(
                .usage, "'\(name)' cannot be a queue's name.",
                hint: "1 to 80 letters, digits, '-' and '_'; a FIFO queue's name ends in '.fifo'.")
        case .holdsMessages(let name, let count):
            self.init(
                .refused,
                "The queue '\(name)' holds \(count) message\(count == 1 ? "" : "s"), "
                    + "and they would be lost.",
                hint: "Nothing was changed. --force removes it all the same.")
        case .journal(let error, let queue): self.init(error, queue: queue)
        }
    }

    private init(_ error: JournalError, queue: String?) {
        switch error {
        case .damaged(let file, let offset, let reason):
            self.init(
                .damaged, "\(file) is damaged at byte \(offset): \(reason).",
                hint: "Nothing was changed. Keep a copy of the folder before anything else.")
        case .busy(let holder):
            let who = holder.map { "process \($0)" } ?? "another process"
            self.init(
                .inputOutput, "The queue has been locked by \(who) for over 5 seconds.",
                hint: holder.map { "See 'ps -p \($0)'." })
        case .storage(let error):
            self.init(
                .inputOutput, "\(error).",
                hint: error.isNoSpace
                    ? "This was not accepted. Free some space and try again." : nil)
        case .notDurable:
            self.init(
                .inputOutput, "The disk failed before the record was safe; it was not accepted.")
        case .recordTooLarge(let bytes):
            self.init(.usage, "A record of \(bytes) bytes is too large for a journal.")
        }
    }
}
