import Posix

/// What a journal needs of the event loop that submits work to it; a simulator brings its own.
package protocol JournalLoop: AnyObject, Sendable {
    /// Whether the caller runs on the loop's thread.
    var isOnLoop: Bool { get }

    /// Runs `work` on the loop, in the order of the calls; from any thread.
    /// - Returns: `false` if the loop has ended: then it will never run.
    @discardableResult
    func execute(_ work: @escaping @Sendable () -> Void) -> Bool

    /// Runs `work` once everything else of this round has run. On the loop.
    func atEndOfRound(_ work: @escaping @Sendable () -> Void)

    /// Runs `work` once the loop would only wait, or, with `false`, after some rounds in which it
    /// had to do. On the loop.
    func whenIdle(_ work: @escaping @Sendable (_ isIdle: Bool) -> Void)
}

extension EventLoop: JournalLoop {}
